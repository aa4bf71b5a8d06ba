package vc_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestReadme pastes the README's commands, one after the other, into a copy of the source. Indented lines are commands, fenced ones are
// not; a microphone and a loudspeaker are stood in for.
func TestReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the program and trains for a minute")
	}
	if runtime.GOOS == "windows" {
		t.Skip("the commands are a Unix shell's")
	}
	shell, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash here")
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := readmeCommands(string(readme))
	if len(commands) < 15 {
		t.Fatalf("only %d commands found: %q", len(commands), commands)
	}

	clone, bin := t.TempDir(), t.TempDir()
	copySource(t, clone)
	for name, script := range map[string]string{
		"arecord": "exec head -c 192000 /dev/zero", // two seconds at 48 kHz
		"aplay":   "exec cat >/dev/null",
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range commands {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		c := exec.CommandContext(ctx, shell, "-o", "pipefail", "-c", line)
		c.Dir = clone
		c.Env = append(os.Environ(), "GOBIN="+bin, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "VC_MODEL=")
		began := time.Now()
		out, err := c.CombinedOutput()
		cancel()
		if err != nil {
			t.Fatalf("%s\n%v\n%s", line, err, out)
		}
		t.Logf("%5.1f s  %s", time.Since(began).Seconds(), line)
	}
	for _, name := range []string{"out.wav", "as-lj.wav", "my.safetensors", "with-carol.safetensors", "carol.voice"} {
		if info, err := os.Stat(filepath.Join(clone, name)); err != nil || info.Size() < 1000 {
			t.Errorf("%s is missing or too small: %v", name, err)
		}
	}
}

// readmeCommands are the indented lines of a README, without those that run this test.
func readmeCommands(text string) []string {
	text = regexp.MustCompile("(?s)```.*?```").ReplaceAllString(text, "")
	text = regexp.MustCompile("(?s)<!-- test -->.*?<!-- end -->").ReplaceAllString(text, "")
	var commands []string
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "    "); ok {
			commands = append(commands, strings.TrimSpace(rest))
		}
	}
	return commands
}

// copySource copies what a clone has and the commands need.
func copySource(t *testing.T, to string) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasPrefix(name, "."), name == "runs", name == "bench":
		case e.IsDir():
			err = os.CopyFS(filepath.Join(to, name), os.DirFS(name))
		case e.Type().IsRegular() && strings.Contains("go.mod go.sum", name) || strings.HasSuffix(name, ".go"):
			var data []byte
			if data, err = os.ReadFile(name); err == nil {
				err = os.WriteFile(filepath.Join(to, name), data, 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
