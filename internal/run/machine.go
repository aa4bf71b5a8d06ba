package run

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/starvc/vc/internal/device"
)

// Machine measures how well a training uses the machine that it runs on: steps per second, the time that steps wait for their
// batches, how busy the cards are, and the memory. One goroutine uses it.
type Machine struct {
	use    *device.Use
	made   int       // steps, when the lap began
	began  time.Time // the lap; zero before Begin
	waited time.Duration
	last   device.CardUse // the last that had samples

	busy, samples float64 // of all laps; busy is a sum over samples
	time, waits   float64 // seconds, likewise
}

// WatchMachine begins to watch. The caller closes it.
func WatchMachine(d device.Device) *Machine { return &Machine{use: device.WatchUse(d)} }

// Close ends the watch.
func (m *Machine) Close() { m.use.Close() }

// Begin starts a lap after so many steps. What went before is forgotten: it is called when a graph has been compiled, during
// which a card has nothing to do.
func (m *Machine) Begin(made int) {
	m.use.Take()
	m.made, m.began, m.waited = made, time.Now(), 0
}

// Waited adds to the time that steps waited for their batches.
func (m *Machine) Waited(d time.Duration) { m.waited += d }

// Lap adds to the metrics of the last of the steps made what the steps since the last Lap or Begin were like, and starts anew:
//
//	steps_per_second             with all that happens between the steps
//	wait_share                   of the time, spent waiting for batches, 0 to 1
//	gpu_use                      mean share of the time in which a card was busy, 0 to 1
//	gpu_memory_gb, gpu_watts     the most that any card has given away, in 10^9 bytes; the mean of a card
//	rss_gb                       memory of this program in the host, in 10^9 bytes
//
// What is not known is left out: the first two before the first step of a lap, the cards' without cards or samples, and the last
// where there is no /proc.
func (m *Machine) Lap(made int, metrics map[string]float32) {
	put := func(name string, v float64) {
		short, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64)
		metrics[name] = float32(short)
	}
	if rss := residentMemory(); rss > 0 {
		put("rss_gb", rss/1e9)
	}
	if m.began.IsZero() || made <= m.made {
		return
	}
	took := time.Since(m.began).Seconds()
	put("steps_per_second", float64(made-m.made)/took)
	put("wait_share", m.waited.Seconds()/took)
	m.time += took
	m.waits += m.waited.Seconds()
	if use := m.use.Take(); use.Samples > 0 {
		put("gpu_use", use.Busy)
		if use.Memory > 0 {
			put("gpu_memory_gb", float64(use.Memory)/1e9)
		}
		if use.Watts > 0 {
			put("gpu_watts", use.Watts)
		}
		m.last = use
		m.busy += use.Busy * float64(use.Samples)
		m.samples += float64(use.Samples)
	}
	m.made, m.began, m.waited = made, time.Now(), 0
}

// Busy is what a line of progress says of the card, with two spaces before it; nothing where nothing is known.
func (m *Machine) Busy() string {
	if m.last.Samples == 0 {
		return ""
	}
	return fmt.Sprintf("  card %.0f %% busy", 100*m.last.Busy)
}

// enough is the share of the time in which a card should be busy.
const enough = 0.7

// Verdict says how busy the card was in all laps, and what to do where that is little: what gives it more to do is the caller's
// to say, see Plan. It is empty where nothing is known.
func (m *Machine) Verdict(more string) string {
	if m.samples == 0 {
		return ""
	}
	busy, wait := m.busy/m.samples, m.waits/m.time
	line := fmt.Sprintf("the card was busy %.0f %% of the time", 100*busy)
	switch {
	case busy >= enough:
		return line
	case wait > (1-busy)/2: // most of the idle time
		return line + fmt.Sprintf(": loading holds it up, the steps waited %.0f %% of the time for their batches (wait_share): leave it more of the CPU, and keep the cache folder on a fast disk", 100*wait)
	}
	return line + ": it can do more at once, with " + more
}

// residentMemory is the memory that this program takes, in bytes; 0 where the system does not tell.
func residentMemory() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text)) // pages: in all, resident, ...
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize())
}
