//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/untrained"
)

// TestSoak sends an hour of speech through "vc stream" as fast as it goes. From the first minute of sound on its memory
// must not grow by a megabyte, and there must be as many samples at the end as at the beginning. It takes some minutes and
// runs only where VC_SOAK says how many minutes of sound it is to be:
//
//	VC_SOAK=60 go test -run TestSoak -v -timeout 1h ./cmd/vc
//
// The model is an untrained one of preset live, or the one that VC_SOAK_MODEL names.
func TestSoak(t *testing.T) {
	if os.Getenv("VC_SOAK") == "" {
		t.Skip("set VC_SOAK=60 for an hour of sound")
	}
	minutes, err := strconv.Atoi(os.Getenv("VC_SOAK"))
	if err != nil || minutes < 2 {
		t.Fatalf("VC_SOAK=%s: want minutes of sound, at least 2", os.Getenv("VC_SOAK"))
	}
	const rate = 48000
	dir := t.TempDir()
	modelPath := os.Getenv("VC_SOAK_MODEL")
	if modelPath == "" {
		modelPath = filepath.Join(dir, "live.safetensors")
		if err := untrained.Model(gan.Live(), 2, 1).Save(modelPath, gan.Full); err != nil {
			t.Fatal(err)
		}
	}
	m, err := gan.Load(modelPath)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "vc")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	speech := clips(t, rate)

	cmd := exec.Command(program, "stream", "--model", modelPath, "--to", m.Speakers[0].Name, "--rate", fmt.Sprint(rate), "-q")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	const minute = 2 * 60 * rate          // bytes
	total := int64(minutes*minute) + 2*77 // no whole number of anything
	sent := make(chan error, 1)
	go func() {
		_, err := io.CopyN(in, &endless{data: speech}, total)
		in.Close()
		sent <- err
	}()

	var got int64
	var first, most int
	for {
		n, err := io.CopyN(io.Discard, out, minute)
		got += n
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if got+minute > total {
			continue // it may have ended already
		}
		resident, err := residentKB(cmd.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		if first == 0 {
			first = resident
		}
		most = max(most, resident)
		t.Logf("%s: minute %d of sound, %d kB resident", time.Since(start).Round(time.Second), got/minute, resident)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d samples in, %d out, %.1f times faster than real time; memory %d kB after a minute, %d kB at most later",
		total/2, got/2, float64(minutes)*60/time.Since(start).Seconds(), first, most)
	if got != total {
		t.Errorf("%d bytes went in, %d came out", total, got)
	}
	if most-first >= 1000 {
		t.Errorf("memory grew by %d kB after the first minute", most-first)
	}
}

// clips are the recordings of testdata one after another, with a pause after each, as 16-bit samples.
func clips(t *testing.T, rate int) []byte {
	t.Helper()
	paths, err := filepath.Glob("../../testdata/clips/*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no clips: %v", err)
	}
	var b []byte
	for _, p := range paths {
		clip, err := audio.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, pcm16(audio.Resample(clip.Samples, clip.Rate, rate), 1)...)
		b = append(b, make([]byte, rate)...)
	}
	return b
}

// endless reads the same again and again.
type endless struct {
	data []byte
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.data[e.at:])
	e.at = (e.at + n) % len(e.data)
	return n, nil
}

// residentKB is how much memory a process holds.
func residentKB(pid int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(status) {
		if rest, ok := strings.CutPrefix(string(line), "VmRSS:"); ok {
			return strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
		}
	}
	return 0, fmt.Errorf("process %d: its memory is not known", pid)
}
