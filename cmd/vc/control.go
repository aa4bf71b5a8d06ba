package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

const (
	controlPoll  = 200 * time.Millisecond
	controlLines = 16 // waiting at most; further ones wait in the pipe
	maxControl   = 1 << 16
)

// watchControl gives the lines that are written to a control file. A named pipe gives each line once. A plain file
// gives all its lines now, as first, and again whenever it changes. The goroutine ends with ctx, but one that waits for
// somebody to open a named pipe is left to the end of the process.
func watchControl(ctx context.Context, e env, path string) (first []string, later <-chan string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, fmt.Errorf("control: %s: %w", path, plainCause(err))
	}
	lines := make(chan string, controlLines)
	give := func(text string) bool {
		select {
		case lines <- text:
			return true
		case <-ctx.Done():
			return false
		}
	}
	if info.Mode()&fs.ModeNamedPipe != 0 {
		go followPipe(ctx, e, path, give)
		return nil, lines, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("control: %s: %w", path, plainCause(err))
	}
	if len(text) > maxControl {
		return nil, nil, fmt.Errorf("control: %s: is far too large for a few lines", path)
	}
	go followFile(ctx, path, text, give)
	return controlText(text), lines, nil
}

// controlText returns the lines that say something.
func controlText(text []byte) []string {
	var said []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			said = append(said, line)
		}
	}
	return said
}

// followPipe opens the pipe anew whenever its writer has gone.
func followPipe(ctx context.Context, e env, path string, give func(string) bool) {
	for ctx.Err() == nil {
		f, err := os.Open(path)
		if err != nil {
			e.tell("control: %s: %v", path, plainCause(err))
			return
		}
		for s := bufio.NewScanner(f); s.Scan(); {
			for _, line := range controlText(s.Bytes()) {
				give(line)
			}
		}
		f.Close()
	}
}

// followFile gives the lines of a file anew whenever they differ from last. A missing file is one being replaced.
func followFile(ctx context.Context, path string, last []byte, give func(string) bool) {
	tick := time.NewTicker(controlPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		text, err := os.ReadFile(path)
		if err != nil || len(text) > maxControl || bytes.Equal(text, last) {
			continue
		}
		last = text
		for _, line := range controlText(text) {
			if !give(line) {
				return
			}
		}
	}
}
