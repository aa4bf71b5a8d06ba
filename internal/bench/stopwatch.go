package bench

import (
	"slices"
	"time"
)

// stopwatch reads two clocks: that of the wall, and one of processor time. Where the system has no such clock, the
// processor time is that of the wall.
type stopwatch struct {
	clock func() (time.Duration, bool)
	wall  time.Time
	cpu   time.Duration
}

// start measures this thread.
func start() stopwatch { return startWith(threadTime) }

// startAll measures all threads, for work that starts goroutines.
func startAll() stopwatch { return startWith(processTime) }

func startWith(clock func() (time.Duration, bool)) stopwatch {
	cpu, _ := clock()
	return stopwatch{clock, time.Now(), cpu}
}

func (s stopwatch) times() (wall, cpu time.Duration) {
	now, ok := s.clock()
	wall = time.Since(s.wall)
	if !ok {
		return wall, wall
	}
	return wall, now - s.cpu
}

func percentiles(times []time.Duration) Percentiles {
	if len(times) == 0 {
		return Percentiles{}
	}
	sorted := slices.Sorted(slices.Values(times))
	at := func(part float64) float64 { return ms(sorted[int(part*float64(len(sorted)-1)+0.5)]) }
	return Percentiles{at(0.50), at(0.95), at(0.99), at(1)}
}
