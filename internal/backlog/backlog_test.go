package backlog

import (
	"io"
	"math"
	"slices"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	const rate = 1000
	type step struct {
		every time.Duration
		n     int // samples
		lasts time.Duration
	}
	real := step{10 * time.Millisecond, 10, 3 * time.Second}
	backlog := step{0, 700, 1}
	for _, c := range []struct {
		name  string
		steps []step
		live  bool
	}{
		{"real time", []step{real}, true},
		{"a backlog, then real time", []step{backlog, real}, true},
		{"a backlog, and not long enough", []step{backlog, {10 * time.Millisecond, 10, time.Second}}, false},
		{"large pieces in real time", []step{{340 * time.Millisecond, 340, 4 * time.Second}}, true},
		{"faster", []step{{10 * time.Millisecond, 11, 30 * time.Second}}, false},
		{"slower", []step{{10 * time.Millisecond, 9, 30 * time.Second}}, false},
		{"as fast as can be", []step{{0, 10000, 1}}, false},
		{"real time, then faster", []step{real, {10 * time.Millisecond, 20, time.Second}}, false},
		{"real time, a standstill, and what it left", []step{real, {time.Second, 1000, time.Second}, real}, true},
		{"real time, and sound that the recorder lost", []step{real, {3 * time.Second, 500, 3 * time.Second}, real}, true},
	} {
		p, now := Pace{rate: rate}, time.Unix(1e9, 0)
		for _, s := range c.steps {
			for at := time.Duration(0); at < s.lasts; at += max(1, s.every) {
				now = now.Add(s.every)
				p.arrived(now, s.every, s.n)
			}
		}
		if p.Live != c.live {
			t.Errorf("%s: live %t", c.name, p.Live)
		}
	}
}

// Where sound is dropped it goes on without a jump.
func TestDropMakesNoClick(t *testing.T) {
	const rate = 16000
	q := New(rate, Pace{})
	x := make([]float32, rate)
	for i := range x {
		x[i] = float32(math.Sin(2 * math.Pi * 100 * float64(i) / rate))
	}
	q.Put(time.Now(), 0, x, io.EOF)
	steepest := 2 * math.Pi * 100 / rate
	dst := make([]float32, 0, rate)
	a, _ := q.Take(dst, 160, 0)
	got := slices.Clone(a.X)
	b, ok := q.Take(dst, 800, 4321) // not a whole number of periods
	got = append(got, b.X...)
	if !ok || b.Dropped != 4321 || b.Left != rate-160-4321-800 || b.Err != nil {
		t.Errorf("%d dropped, %d left, error %v", b.Dropped, b.Left, b.Err)
	}
	for i := 1; i < len(got); i++ {
		if d := math.Abs(float64(got[i] - got[i-1])); d > 1.5*steepest {
			t.Errorf("a jump of %.3f at sample %d", d, i)
		}
	}
	if last := got[len(got)-1]; last != x[160+4321+799] {
		t.Errorf("the last sample is %g, want %g", last, x[160+4321+799])
	}
	// Too little is left to drop so much: all of it comes.
	c, ok := q.Take(dst, rate, rate)
	if !ok || c.Dropped != 0 || len(c.X) != b.Left || c.Err != io.EOF {
		t.Errorf("%d samples, %d dropped, error %v", len(c.X), c.Dropped, c.Err)
	}
}
