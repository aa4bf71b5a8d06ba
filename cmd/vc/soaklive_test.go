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
// they can. Nothing may be lost but what is dropped and said to be, memory and threads may not grow, no sample may be no number, and none may
// jump.
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
		rate    = 48000
		piece   = rate / 100
		largest = 0.5 // step from one sample to the next, of full scale
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

	var recorded, heard, steps atomic.Int64
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
	bad, most := make(chan int, 1), 0.0
	go func() { // the player
		r := bufio.NewReader(out)
		var last, wrong = 0.0, 0
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
			if step := math.Abs(v - last); step > largest {
				steps.Add(1)
				most = max(most, step)
			}
			last = v
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
			t.Logf("%d orders, %d standstills, %d kB, %d threads, %d steps", orders, stalls, resident, len(tasks), steps.Load())
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
	t.Logf("%d samples recorded, %d heard, %.0f ms missing, %.0f ms dropped in %d seconds, waited at most %.0f ms, largest step %.2f; %d orders, %d standstills; memory %d kB to %d kB",
		recorded.Load(), heard.Load(), missing, lost, drops, waited, most, orders, stalls, first, last)
	if math.Abs(missing-lost) > 20+float64(drops) {
		t.Errorf("%.0f ms are missing, %.0f ms were said to be dropped", missing, lost)
	}
	if wrong > 0 || steps.Load() > 0 {
		t.Errorf("%d samples are no sound, %d jump by more than %.1f, one by %.2f", wrong, steps.Load(), largest, most)
	}
	if last-first > 20000 {
		t.Errorf("memory grew from %d kB to %d kB", first, last)
	}
}
