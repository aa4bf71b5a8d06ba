package bench

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadTime is the processor time of this thread so far, and whether that is known.
func threadTime() (time.Duration, bool) { return clock(unix.CLOCK_THREAD_CPUTIME_ID) }

// processTime is that of all threads together.
func processTime() (time.Duration, bool) { return clock(unix.CLOCK_PROCESS_CPUTIME_ID) }

func clock(id int32) (time.Duration, bool) {
	var t unix.Timespec
	if unix.ClockGettime(id, &t) != nil {
		return 0, false
	}
	return time.Duration(t.Nano()), true
}
