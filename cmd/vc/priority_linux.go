package main

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// urgentNice is the priority that sound servers take for themselves.
const urgentNice = -11

// takePriority lets the process go before others that want the processor too, where the system allows that, which it often does not.
// Threads that come later have it from those that are there.
func takePriority() {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for _, t := range threads {
		if id, err := strconv.Atoi(t.Name()); err == nil {
			unix.Setpriority(unix.PRIO_PROCESS, id, urgentNice) // else it stays as it is
		}
	}
}
