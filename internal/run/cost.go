package run

import (
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/starvc/vc/internal/device"
)

// Load is work for a CPU, and how fast such work goes there.
type Load struct {
	Operations float64
	XLA, Go    float64 // operations per second and core, through XLA and in pure Go
}

// Time is how long this computer's CPU takes for loads, by kind of device: "go" is pure Go, all else XLA, which compiles first.
func Time(kind string, compile time.Duration, loads ...Load) time.Duration {
	seconds := 0.0
	if kind != "go" {
		seconds = compile.Seconds()
	}
	cores := float64(runtime.GOMAXPROCS(0))
	for _, l := range loads {
		speed := l.XLA
		if kind == "go" {
			speed = l.Go
		}
		seconds += l.Operations / speed / cores
	}
	return time.Duration(seconds * float64(time.Second))
}

const (
	xlaBase = 700 << 20 // bytes of the program itself: plugin and compiled graphs
	goBase  = 150 << 20
)

// Cost is what a training is about to take of a device.
type Cost struct {
	Steps   int           // left to make
	Time    time.Duration // for them on a CPU
	Bytes   float64       // on the device at the height of a step
	Host    float64       // bytes in the host besides, such as recordings; they count where that is the device
	Batch   int
	Unit    int    // what Batch is a multiple of, see device.Device.BatchUnit
	Smaller string // what helps where no batch fits, see Plan
	Names   Names
}

// Memory is the bytes that the run takes of the memory of device, the program and its recordings with them where that is the
// host's.
func (c Cost) Memory(device device.Device) float64 {
	switch device.Kind {
	case "go":
		return c.Bytes + c.Host + goBase
	case "xla-cpu":
		return c.Bytes + c.Host + xlaBase
	}
	return c.Bytes
}

// Tell says what the run will take, and warns where there is too little memory for it.
func (c Cost) Tell(device device.Device, say *Reporter) {
	c.tell(device, device.FreeMemory(), say)
}

func (c Cost) tell(device device.Device, free int64, say *Reporter) {
	if device.Kind != "cuda" && c.Steps > 0 {
		say.Linef("%d steps take about %v here if nothing else runs (%v to %v); the true time left is shown from the first steps on",
			c.Steps, Roughly(c.Time), Roughly(c.Time*2/3), Roughly(c.Time*2))
	}
	bytes := c.Memory(device)
	say.Linef("memory: about %.1f GB for a batch of %d", bytes/1e9, c.Batch)
	if free <= 0 || bytes <= float64(free) {
		return
	}
	remedy := "a smaller preset, or " + c.Smaller
	if c.Batch > c.Unit {
		// What the batch has no part in stays.
		fits := float64(c.Batch) * max(0, float64(free)-(bytes-c.Bytes)) / c.Bytes
		remedy = c.Names.Of("batch", max(c.Unit, int(fits)/c.Unit*c.Unit))
	}
	say.Linef("warning: free memory is %.1f GB and a batch of %d needs about %.1f GB: if it fails, %s", float64(free)/1e9, c.Batch, bytes/1e9, remedy)
}

// Roughly rounds a time to what a person plans by.
func Roughly(d time.Duration) string {
	switch {
	case d < 90*time.Second:
		return fmt.Sprintf("%d s", max(10, int(math.Round(d.Seconds()/10)*10)))
	case d < 90*time.Minute:
		return fmt.Sprintf("%.0f min", math.Round(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%.1f h", d.Hours())
	}
	return fmt.Sprintf("%.0f days", d.Hours()/24)
}
