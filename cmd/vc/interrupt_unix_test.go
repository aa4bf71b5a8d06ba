//go:build unix

package main

import (
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// said is what was written, by several goroutines.
type said struct {
	mutex sync.Mutex
	text  strings.Builder
}

func (s *said) Write(b []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.text.Write(b)
}

func (s *said) String() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.text.String()
}

// The answer comes with the signal, not with the end of the work.
func TestInterruptIsAnswered(t *testing.T) {
	for _, c := range []struct {
		signal syscall.Signal
		want   string
	}{{syscall.SIGINT, "Ctrl-C again stops at once"}, {syscall.SIGTERM, ""}} {
		var out said
		e := testEnv()
		e.stderr = &out
		ctx, stop := untilSignal(e)
		if err := syscall.Kill(syscall.Getpid(), c.signal); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
			t.Fatalf("%v: nothing happens", c.signal)
		}
		stop()
		if got := out.text.String(); !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%v: said %q, want %q", c.signal, got, c.want)
		}
	}
	ctx, stop := untilSignal(testEnv())
	stop()
	if ctx.Err() == nil {
		t.Error("the context goes on after the command")
	}
}
