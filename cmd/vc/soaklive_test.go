//go:build linux

package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestSoakLive speaks into "vc stream" at real pace for as many minutes as VC_SOAK_LIVE says, with the voices in the program. At random moments
// the program stands still for up to three seconds while the recorder goes on, and control lines, good and bad, change everything that
// they can. Nothing may be lost but what is dropped and said to be, memory and threads may not grow, no sample may be no number, and nothing may
// click.
//
//	VC_SOAK_LIVE=120 go test -run TestSoakLive -v -timeout 3h ./cmd/vc
func TestSoakLive(t *testing.T) {
	if os.Getenv("VC_SOAK_LIVE") == "" {
		t.Skip("set VC_SOAK_LIVE=120 for two hours")
	}
	minutes, err := strconv.Atoi(os.Getenv("VC_SOAK_LIVE"))
	if err != nil || minutes < 2 {
		t.Fatalf("VC_SOAK_LIVE=%s: want minutes, at least 2", os.Getenv("VC_SOAK_LIVE"))
	}
	const (
		rate  = 48000
		piece = rate / 100
	)
	dir := t.TempDir()
	program := filepath.Join(dir, "vc")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	control := filepath.Join(dir, "control")
	if err := syscall.Mkfifo(control, 0o600); err != nil {
		t.Fatal(err)
	}
	var speech []float32
	for sample := range slices.Chunk(clips(t, rate), 2) {
		speech = append(speech, float32(int16(binary.LittleEndian.Uint16(sample)))/(1<<15))
	}
	speech = append(speech, speech[:piece]...) // so that a piece never ends beyond it
	length := len(speech) - piece

	cmd := exec.Command(program, "stream", "--model", "base", "--to", "lj", "--rate", fmt.Sprint(rate), "--format", "f32le", "--live", "--stats", "--control", control)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, err := os.OpenFile(control, os.O_RDWR, 0) // both ways, so that opening does not wait
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Close()

	// What is dropped is said to the millisecond, once a second and at the end.
	dropped, drops, waited := make(chan float64, 1), 0, 0.0
	go func() {
		sum := 0.0
		words := regexp.MustCompile(`waited (\d+) ms  dropped (\d+) ms`)
		for s := bufio.NewScanner(said); s.Scan(); {
			if m := words.FindStringSubmatch(s.Text()); m != nil {
				w, _ := strconv.ParseFloat(m[1], 64)
				d, _ := strconv.ParseFloat(m[2], 64)
				waited = max(waited, w)
				if d > 0 {
					drops++
				}
				sum += d
			}
		}
		dropped <- sum
	}()

	var recorded, heard, clicks atomic.Int64
	end := time.Now().Add(time.Duration(minutes) * time.Minute)
	go func() { // the recorder: what is not taken waits
		defer in.Close()
		for begin := time.Now(); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			for due := int64(time.Since(begin).Seconds() * rate); recorded.Load()+piece <= due; recorded.Add(piece) {
				at := int(recorded.Load() % int64(length))
				if _, err := in.Write(floats(speech[at : at+piece])); err != nil {
					return
				}
			}
		}
	}()
	bad := make(chan int, 1)
	var clicking clickFinder
	go func() { // the player
		r := bufio.NewReader(out)
		wrong := 0
		var b [4]byte
		for {
			if _, err := io.ReadFull(r, b[:]); err != nil {
				bad <- wrong
				return
			}
			v := float64(math.Float32frombits(binary.LittleEndian.Uint32(b[:])))
			if math.IsNaN(v) || math.Abs(v) > 1 {
				wrong++
			}
			if clicking.hear(v) {
				clicks.Add(1)
			}
			heard.Add(1)
		}
	}()

	rng := rand.New(rand.NewPCG(1, 2))
	voices := []string{"lj", "kathleen", "rms", "ada", "abel"}
	voice := func() string { return voices[rng.IntN(len(voices))] }
	number := func(most float64) string { return strconv.FormatFloat((2*rng.Float64()-1)*most, 'f', 2, 64) }
	order := func() string {
		return []func() string{
			func() string { return "to " + voice() },
			func() string { return "mix lj=0.6,rms=0.4" },
			func() string { return "random " + strconv.Itoa(rng.IntN(1000)) },
			func() string { return "pitch " + number(6) },
			func() string { return "formant " + number(3) },
			func() string { return "strength 1.2" },
			func() string { return "melody " + []string{"fit", "keep"}[rng.IntN(2)] },
			func() string { return "gain " + number(6) },
			func() string { return "gate -60" },
			func() string { return "mute " + []string{"on", "off", "off"}[rng.IntN(3)] },
			func() string { return "dry-wet " + []string{"0", "0.5", "1", "1"}[rng.IntN(4)] },
			func() string { return "to nobody" },
			func() string { return "pitch high" },
			func() string { return string([]byte{0xff, 0, 0xfe, 'x'}) },
		}[rng.IntN(14)]()
	}
	orders, stalls, first, last, threads := 0, 0, 0, 0, 0
	next := time.Now().Add(time.Minute)
	for time.Now().Before(end) {
		time.Sleep(time.Duration(1+rng.IntN(4000)) * time.Millisecond)
		if rng.IntN(5) == 0 {
			stalls++
			cmd.Process.Signal(syscall.SIGSTOP)
			time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond)
			cmd.Process.Signal(syscall.SIGCONT)
		} else if _, err := fmt.Fprintln(lines, order()); err != nil {
			t.Fatal(err)
		} else {
			orders++
		}
		if now := time.Now(); now.After(next) && now.Before(end) {
			next = next.Add(time.Minute)
			resident, err := residentKB(cmd.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", cmd.Process.Pid))
			if first == 0 {
				first, threads = resident, len(tasks)
			}
			last = resident
			t.Logf("%d orders, %d standstills, %d kB, %d threads, %d clicks", orders, stalls, resident, len(tasks), clicks.Load())
			if len(tasks) > threads+2 {
				t.Errorf("%d threads, %d at first", len(tasks), threads)
			}
		}
	}
	wrong := <-bad
	lost := <-dropped
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	missing := float64(recorded.Load()-heard.Load()) / rate * 1000
	t.Logf("%d samples recorded, %d heard, %.0f ms missing, %.0f ms dropped in %d seconds, waited at most %.0f ms, sharpest step %.1f; %d orders, %d standstills; memory %d kB to %d kB",
		recorded.Load(), heard.Load(), missing, lost, drops, waited, clicking.sharpest, orders, stalls, first, last)
	if math.Abs(missing-lost) > 20+float64(drops) {
		t.Errorf("%.0f ms are missing, %.0f ms were said to be dropped", missing, lost)
	}
	if wrong > 0 || clicks.Load() > 0 {
		t.Errorf("%d samples are no sound, %d are clicks, the worst %.1f times as steep as what is around it", wrong, clicks.Load(), clicking.sharpest)
	}
	if last-first > 20000 {
		t.Errorf("memory grew from %d kB to %d kB", first, last)
	}
}

// clickFinder finds steps from one sample to the next that what is around them does not explain. A loud "s" has steps of half of full scale all
// the time; a click has one, and is far steeper than the 10 ms before it and the 10 ms behind it. A creaking voice has single pulses, too: the
// sharpest in recordings is 17 times as steep as what is around it, in conversions 22.
type clickFinder struct {
	steps    [2*clickSide + 1]float64 // between samples, a ring; that in the middle is judged
	next     int
	last     float64
	sharpest float64 // of all audible steps: how many times as steep as the steeper of both sides, in root mean square
}

const (
	clickSide    = 480 // steps on each side, 10 ms at 48 kHz
	clickGap     = 24  // of them next to the middle, which belong to the click
	clickAudible = 0.1 // of full scale
	clickSharp   = 25
)

// hear takes the next sample, and is true where the one clickSide before it is a click.
func (c *clickFinder) hear(v float64) bool {
	c.steps[c.next], c.last = v-c.last, v
	c.next = (c.next + 1) % len(c.steps)
	middle := math.Abs(c.steps[(c.next+clickSide)%len(c.steps)])
	if middle < clickAudible {
		return false
	}
	side := func(from int) float64 {
		sum := 0.0
		for i := range clickSide - clickGap {
			d := c.steps[(c.next+from+i)%len(c.steps)]
			sum += d * d
		}
		return math.Sqrt(sum / (clickSide - clickGap))
	}
	sharp := middle / max(side(0), side(clickSide+clickGap+1), 1e-3)
	c.sharpest = max(c.sharpest, sharp)
	return sharp > clickSharp
}

// TestClickFinder hears no click in speech or in a hiss of full scale, but one wherever a piece is missing or repeated.
func TestClickFinder(t *testing.T) {
	const rate = 48000
	var speech []float64
	for sample := range slices.Chunk(clips(t, rate), 2) {
		speech = append(speech, float64(int16(binary.LittleEndian.Uint16(sample)))/(1<<15))
	}
	find := func(x []float64) (clicks int, sharpest float64) {
		var c clickFinder
		for _, v := range x {
			if c.hear(v) {
				clicks++
			}
		}
		return clicks, c.sharpest
	}
	if n, sharpest := find(speech); n > 0 {
		t.Errorf("%d clicks in speech, the sharpest %.1f", n, sharpest)
	} else {
		t.Logf("speech: sharpest %.1f", sharpest)
	}
	hiss := make([]float64, rate)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range hiss {
		hiss[i] = 0.9 * math.Sin(2*math.Pi*8000/rate*float64(i)) * (0.8 + 0.2*r.Float64())
	}
	if n, sharpest := find(hiss); n > 0 {
		t.Errorf("%d clicks in a hiss, the sharpest %.1f", n, sharpest)
	}
	hum := make([]float64, rate)
	for i := range hum {
		hum[i] = 0.3 * math.Sin(2*math.Pi*200/rate*float64(i))
	}
	broken := append(slices.Clone(hum[:rate/2]), hum[rate/2+60:]...) // a quarter of a period is missing
	if n, _ := find(broken); n != 1 {
		t.Errorf("%d clicks where a piece of a hum is missing, want 1", n)
	}
}
