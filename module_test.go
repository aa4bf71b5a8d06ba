package vc_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/audio"
)

// TestProgramsOfTheManual builds the programs of docs/library.md, each in a module of its own and without cgo, and compares their
// sound with that of the command vc.
func TestProgramsOfTheManual(t *testing.T) {
	if testing.Short() {
		t.Skip("builds three programs")
	}
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("docs/library.md")
	if err != nil {
		t.Fatal(err)
	}
	programs := regexp.MustCompile("(?s)```go\n(package main.*?)```").FindAllSubmatch(page, -1)
	if len(programs) != 2 {
		t.Fatalf("docs/library.md has %d programs, want 2", len(programs))
	}
	dir := t.TempDir()
	command := filepath.Join(dir, "vc")
	build(t, root, command, "./cmd/vc", "GOFLAGS=-buildvcs=false")
	var built []string
	for i, p := range programs {
		module := filepath.Join(dir, []string{"first", "second"}[i])
		makeModule(t, root, module, p[1])
		built = append(built, filepath.Join(module, "program"))
		build(t, module, built[i], ".", "CGO_ENABLED=0", "GOFLAGS=-mod=mod -buildvcs=false")
	}

	clip, err := audio.ReadFile("testdata/clips/kathleen_arctic_a0504.flac")
	if err != nil {
		t.Fatal(err)
	}
	if err := audio.WriteFile(filepath.Join(dir, "in.wav"), clip); err != nil {
		t.Fatal(err)
	}
	wav, err := os.ReadFile(filepath.Join(dir, "in.wav"))
	if err != nil {
		t.Fatal(err)
	}
	run(t, dir, nil, built[0])
	run(t, dir, nil, command, "convert", "in.wav", "--to", "lj", "--model", "base", "-o", "want.wav", "-q")
	if !slices.Equal(samplesOf(t, dir, "converted.wav"), samplesOf(t, dir, "want.wav")) {
		t.Error("the program converts to other samples than vc convert")
	}
	streamed, err := audio.ReadFile(filepath.Join(dir, "streamed.wav"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := audio.Decode(bytes.NewReader(run(t, dir, wav, command, "stream", "--to", "lj", "--model", "base", "-q")))
	if err != nil {
		t.Fatal(err)
	}
	if len(streamed.Samples) != len(clip.Samples) || !slices.Equal(streamed.Samples, want.Samples) {
		t.Error("the program streams other samples than vc stream")
	}

	var raw []byte
	for _, v := range audio.Resample(clip.Samples, clip.Rate, 48000) {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	got := run(t, dir, raw, built[1])
	live := run(t, dir, raw, command, "stream", "--to", "lj", "--model", "base", "--rate", "48000", "--format", "f32le", "-q")
	if len(got) != len(raw) || !bytes.Equal(got, live) {
		t.Errorf("the live program gives other bytes than vc stream (%d and %d of %d)", len(got), len(live), len(raw))
	}
}

// makeModule writes a module of one program that takes this repository for the library.
func makeModule(t *testing.T, root, dir string, program []byte) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	mod := "module example.org/program\n\ngo 1.26\n\nrequire github.com/starvc/vc v0.0.0\n\nreplace github.com/starvc/vc => " + root + "\n"
	for name, text := range map[string][]byte{"main.go": program, "go.mod": []byte(mod), "go.sum": sum} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// build makes a program without a network. The test is skipped where the module cache lacks what that needs.
func build(t *testing.T, dir, output, pkg string, env ...string) {
	t.Helper()
	c := exec.Command("go", "build", "-o", output, pkg)
	c.Dir = dir
	c.Env = append(os.Environ(), env...)
	c.Env = append(c.Env, "GOPROXY=off", "GOWORK=off")
	text, err := c.CombinedOutput()
	switch {
	case err != nil && strings.Contains(string(text), "GOPROXY=off"):
		t.Skipf("the module cache lacks what a module of its own needs:\n%s", text)
	case err != nil:
		t.Fatalf("go build %s in %s: %v\n%s", pkg, dir, err, text)
	}
}

func run(t *testing.T, dir string, input []byte, name string, args ...string) []byte {
	t.Helper()
	c := exec.Command(name, args...)
	c.Dir, c.Stdin = dir, bytes.NewReader(input)
	var out, text bytes.Buffer
	c.Stdout, c.Stderr = &out, &text
	if err := c.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, text.String())
	}
	return out.Bytes()
}

func samplesOf(t *testing.T, dir, name string) []float32 {
	t.Helper()
	clip, err := audio.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return clip.Samples
}
