package main

import (
	"bufio"
	"context"
	"io"
	"strings"

	"github.com/starvc/vc"
)

// exampleConsent is how a line about consent is typed.
const exampleConsent = "Ada Example, 2026-11-30, CC BY 4.0"

const longestAnswer = 1 << 16 // bytes that are read in all

// askConsent asks for the line about consent to the use of a recording, once, and again where an answer cannot be read. given is false
// for an empty answer, or none. The reading of a line that never comes is left to the end of the process.
func askConsent(ctx context.Context, e env, recording string) (c vc.Consent, given bool, err error) {
	e.tell("%s: whose voice is it, since when may you use it, and under which licence?", recording)
	e.tell("answer like this: %s", exampleConsent)
	e.tell("or press Enter to save the voice without")
	in := bufio.NewReader(io.LimitReader(e.stdin, longestAnswer))
	for {
		line, ended, err := readLine(ctx, in)
		if err != nil {
			return vc.Consent{}, false, err
		}
		if line = strings.TrimSpace(line); line == "" {
			return vc.Consent{}, false, nil
		}
		if c, err = vc.ParseConsent(line); err == nil {
			return c, true, nil
		}
		if ended {
			return vc.Consent{}, false, err
		}
		e.tell("%v", err)
	}
}

// readLine waits for a line or the end of ctx. ended says that no other line follows.
func readLine(ctx context.Context, in *bufio.Reader) (line string, ended bool, err error) {
	type answer struct {
		line string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		line, err := in.ReadString('\n')
		answers <- answer{line, err}
	}()
	select {
	case a := <-answers:
		if a.err == io.EOF {
			return a.line, true, nil
		}
		return a.line, false, a.err
	case <-ctx.Done():
		return "", false, ctx.Err()
	}
}
