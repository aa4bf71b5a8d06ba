package server

import (
	"testing"
	"time"
)

// TestStrain: where streams do not run in time, no more are taken; the first is always tried.
func TestStrain(t *testing.T) {
	l := DefaultConfig().Limits
	l.Streams = 10
	c := newCapacity(l, 0.01)
	if !c.hasRoomForStream() {
		t.Fatal("no room at all")
	}
	end, p := c.startStream()
	if p != nil {
		t.Fatal(p)
	}
	now := time.Now()
	for i := range 200 {
		c.note(now, i%100 == 0) // one of a hundred
	}
	if !c.hasRoomForStream() {
		t.Error("no room though all runs in time")
	}
	for range 10 {
		c.note(now, true)
	}
	if c.hasRoomForStream() {
		t.Error("room though one of twenty chunks is late")
	}
	end()
	if !c.hasRoomForStream() {
		t.Error("no room though nothing runs")
	}
	c.streams = 1
	for i := range c.seconds {
		c.seconds[i].second -= strainSeconds + 1
	}
	if !c.hasRoomForStream() {
		t.Error("no room long after the strain")
	}
}

// TestCapacity: what runs never takes more than all cores.
func TestCapacity(t *testing.T) {
	c := newCapacity(DefaultConfig().Limits, 0.1)
	var ends []func()
	for {
		end, p := c.startStream()
		if p != nil {
			break
		}
		ends = append(ends, end)
		if c.used > c.total+1e-6 || len(ends) > 10000 {
			t.Fatalf("%d streams take %g of %g cores", len(ends), c.used, c.total)
		}
	}
	if end, _ := c.tryConversion(); end != nil {
		t.Error("a conversion beside streams on all cores")
	}
	for _, end := range ends {
		end()
		end() // once is enough
	}
	if c.used > 1e-9 || c.streams != 0 {
		t.Errorf("%g cores and %d streams are left", c.used, c.streams)
	}
}
