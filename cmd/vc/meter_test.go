package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starvc/vc/internal/backlog"
)

// An underrun is a chunk that took too long, or that came late for any other cause.
func TestMeterCountsUnderruns(t *testing.T) {
	const rate, chunk = 16000, 20 * time.Millisecond
	for _, c := range []struct {
		name  string
		work  time.Duration
		delay delayFigures
		want  string
	}{
		{"in time", 5 * time.Millisecond, delayFigures{live: true, age: 12 * time.Millisecond}, "underruns 0  waited 12 ms  dropped 500 ms"},
		{"slow work", 21 * time.Millisecond, delayFigures{live: true}, "underruns 1  waited 0 ms"},
		{"late input", 0, delayFigures{live: true, dry: 11 * time.Millisecond}, "underruns 1  "},
		{"a little late", 0, delayFigures{live: true, dry: 9 * time.Millisecond}, "underruns 0  "},
		{"a file", 0, delayFigures{age: time.Hour}, "underruns 0  not live"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				m := newMeter(&out, rate, chunk)
				x := make([]float32, backlog.Samples(chunk, rate))
				m.begin(x)
				m.end(x, len(x), delayFigures{live: c.delay.live})
				time.Sleep(time.Second)
				m.drop(rate / 2)
				m.begin(x)
				time.Sleep(c.work)
				m.end(x, len(x), c.delay)
				if !strings.Contains(out.String(), c.want) {
					t.Errorf("%q, want %q in it", out.String(), c.want)
				}
			})
		})
	}
}

// readFunc is a reader that is one function.
type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// Voices are found, and recordings for them read, before any sound is taken, so that none piles up meanwhile.
func TestVoicesComeBeforeSound(t *testing.T) {
	dir := t.TempDir()
	control := filepath.Join(dir, "control")
	if err := os.WriteFile(control, []byte("like "+filepath.Join(dir, "none.wav")+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	e := testEnv()
	e.stderr = &errs
	read := false
	sound := bytes.NewReader(make([]byte, 3200))
	e.stdin = readFunc(func(p []byte) (int, error) {
		if !read && !strings.Contains(errs.String(), "none.wav: there is no such file") {
			t.Errorf("sound is taken before the control file's recording was looked for: %q", errs.String())
		}
		read = true
		return sound.Read(p)
	})
	if err := streamThrough(t, e, streamOptions{liveOptions: liveOptions{control: control}}); err != nil || !read {
		t.Errorf("read %t, error %v", read, err)
	}
}

func TestStreamOptionsOfDelay(t *testing.T) {
	good := streamOptions{
		format: "s16le", rate: 16000, channels: 1,
		liveOptions: liveOptions{
			latency: "low", maxDelay: defaultMaxDelay,
			set: settings{voiceChoice: voiceChoice{to: "a"}, wet: 1, gateDB: -90},
		},
	}
	if err := good.validate(); err != nil {
		t.Fatal(err)
	}
	both, short, long := good, good, good
	both.live, both.noLive = true, true
	short.maxDelay, long.maxDelay = 0, time.Minute
	for want, o := range map[string]streamOptions{"exclude each other": both, "--max-delay is 0s": short, "--max-delay is 1m0s": long} {
		if err := o.validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
