package main

import (
	"bufio"
	"bytes"
	"context"
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
// gives all its lines at the beginning and again whenever it changes. The goroutine ends with ctx, but one that waits
// for somebody to open a named pipe is left to the end of the process.
func watchControl(ctx context.Context, e env, path string) (<-chan string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &fs.PathError{Op: "control", Path: path, Err: plainCause(err)}
	}
	lines := make(chan string, controlLines)
	give := func(text string) bool {
		text = strings.TrimSpace(text)
		if text == "" || strings.HasPrefix(text, "#") {
			return true
		}
		select {
		case lines <- text:
			return true
		case <-ctx.Done():
			return false
		}
	}
	if info.Mode()&fs.ModeNamedPipe != 0 {
		go followPipe(ctx, e, path, give)
	} else {
		go followFile(ctx, e, path, give)
	}
	return lines, nil
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
			if !give(s.Text()) {
				break
			}
		}
		f.Close()
	}
}

func followFile(ctx context.Context, e env, path string, give func(string) bool) {
	var last []byte
	tick := time.NewTicker(controlPoll)
	defer tick.Stop()
	for {
		// A missing file is one being replaced; the next turn sees it again.
		text, err := os.ReadFile(path)
		if err == nil && len(text) > maxControl {
			e.tell("control: %s: is far too large for a few lines", path)
			return
		}
		if err == nil && !bytes.Equal(text, last) {
			last = text
			for line := range strings.Lines(string(text)) {
				if !give(line) {
					return
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
