package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/soundserver"
	"github.com/starvc/vc/internal/soundserver/pulsetest"
	"github.com/starvc/vc/internal/untrained"
)

// liveRun is a "vc live" that runs in this process.
type liveRun struct {
	said *said
	stop func() error // ends it, and returns what it ended with
}

// startLive starts "vc live" with these flags, and waits until it has said its delay.
func startLive(t *testing.T, env map[string]string, flags ...string) liveRun {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := untrained.Model(gan.Tiny(), 3, 1).Save(path, gan.Full); err != nil {
		t.Fatal(err)
	}
	r := liveRun{said: &said{}}
	e := testEnv()
	e.stderr, e.getenv = r.said, func(name string) string { return env[name] }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	app := newApp(e)
	go func() {
		ended <- app.RunContext(ctx, slices.Concat([]string{"vc", "live", "--model", path, "--to", "spk0"}, flags))
	}()
	r.stop = func() error {
		cancel()
		err := <-ended
		ended <- err
		return err
	}
	t.Cleanup(func() { r.stop() })
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(r.said.String(), "; delay "); time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("it ended with %v: %s", err, r.said)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("it says no delay: %s", r.said)
		}
	}
	return r
}

// delay is what it has said.
func (r liveRun) delay(t *testing.T) time.Duration {
	t.Helper()
	m := regexp.MustCompile(`; delay (\d+) ms`).FindStringSubmatch(r.said.String())
	if m == nil {
		t.Fatalf("no delay in %q", r.said)
	}
	ms, _ := strconv.Atoi(m[1])
	return time.Duration(ms) * time.Millisecond
}

// What is played into one null sink comes out of the virtual microphone as late as the command says. The input goes through
// unchanged, as late as it would be converted.
func TestLiveDelay(t *testing.T) {
	seconds := 12
	if s := os.Getenv("VC_LIVE_SECONDS"); s != "" {
		seconds, _ = strconv.Atoi(s)
	}
	for _, latency := range []string{"low", "normal"} {
		t.Run(latency, func(t *testing.T) {
			env := pulsetest.Start(t)
			s := pulsetest.Dial(t, env)
			r := startLive(t, env, "--input", "first.monitor", "--latency", latency, "--dry-wet", "0", "--stats")
			start := time.Now()
			in := pulsetest.Listen(t, s, "first.monitor", start)
			out := pulsetest.Listen(t, s, "vc_mic", start)
			pulsetest.Play(t, s, "first", pulsetest.Clicks(seconds))
			time.Sleep(300 * time.Millisecond)
			delays := pulsetest.Delays(in.Onsets(), out.Onsets())
			err := r.stop()
			t.Log(err, r.said.String())
			for _, d := range delays {
				fmt.Printf("%.1f ", 1000*d.Seconds())
			}
			fmt.Println()
			slices.Sort(delays)
			t.Logf("said %v, heard %v to %v, median %v", r.delay(t), delays[0], delays[len(delays)-1], delays[len(delays)/2])
		})
	}
}

var _ = soundserver.ErrClosed
