//go:build unix

package audio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fakeFFmpeg puts a shell script called ffmpeg on the PATH.
func fakeFFmpeg(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ffmpeg"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := EncodeWAV(mustCreate(t, filepath.Join(dir, "sound.wav")), Clip{Samples: tone(1600, 300, 16000), Rate: 16000}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	t.Setenv("DIR", dir)
	return dir
}

func mustCreate(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

var m4a = []byte("\x00\x00\x00\x20ftypM4A aaaaaaaaaaaa")

func TestFFmpegIsAsked(t *testing.T) {
	dir := fakeFFmpeg(t, `printf '%s\n' "$@" > "$DIR/arguments"; cat "$DIR/sound.wav"`)
	for _, name := range []string{"talk.m4a", "-i.m4a", "http:x y'$(touch z).m4a"} {
		t.Chdir(dir)
		if err := os.WriteFile(name, m4a, 0o644); err != nil {
			t.Fatal(err)
		}
		clip, err := ReadFile(name)
		if err != nil || len(clip.Samples) != 1600 || clip.Warnings != nil {
			t.Errorf("%s: %d samples, warnings %q, error %v", name, len(clip.Samples), clip.Warnings, err)
		}
		arguments, _ := os.ReadFile(filepath.Join(dir, "arguments"))
		if !strings.Contains(string(arguments), "-protocol_whitelist\nfile,pipe\n-i\nfile:"+name+"\n") {
			t.Errorf("%s: called with %q", name, arguments)
		}
	}
	if clip, err := DecodeStream(context.Background(), bytes.NewReader(m4a)); err != nil || len(clip.Samples) != 1600 {
		t.Errorf("a stream: %d samples, error %v", len(clip.Samples), err)
	}
	if _, err := os.Stat(filepath.Join(dir, "z")); err == nil {
		t.Error("the name was given to a shell")
	}
}

func TestFFmpegStreamComesWhole(t *testing.T) {
	dir := fakeFFmpeg(t, `cat > "$DIR/came"; cat "$DIR/sound.wav"`)
	sent := append(bytes.Clone(m4a), noise4(300000)...)
	if _, err := DecodeStream(context.Background(), bytes.NewReader(sent)); err != nil {
		t.Fatal(err)
	}
	if came, _ := os.ReadFile(filepath.Join(dir, "came")); !bytes.Equal(came, sent) {
		t.Errorf("%d bytes came, %d were sent", len(came), len(sent))
	}
}

func noise4(n int) []byte { return le(noise(n/4, 3)) }

// testPatience is short for an ffmpeg that hangs. Each other one must end by itself: a busy machine may give it no turn for long.
func testPatience(name string) time.Duration {
	if strings.HasPrefix(name, "hangs") {
		return 300 * time.Millisecond
	}
	return 10 * time.Second
}

func TestFFmpegFaults(t *testing.T) {
	tests := []struct{ name, script, want string }{
		{"refuses", `echo "file:$DIR/x.m4a: Invalid data found when processing input" >&2; exit 1`,
			"only WAV, FLAC, MP3 and Ogg Vorbis are read here, and ffmpeg cannot read it: Invalid data found when processing input"},
		{"says nothing", `exit 3`, "ffmpeg cannot read it: exit status 3"},
		{"gives nothing", `exit 0`, "ffmpeg gave no sound"},
		{"dies", `head -c 2000 "$DIR/sound.wav"; kill -9 $$`, "signal: killed"},
		{"fails late", `cat "$DIR/sound.wav"; echo oops >&2; exit 1`, "ffmpeg failed after 0.10 s (exit status 1): oops"},
		{"gives something else", `echo "this is not a WAV at all, or is it?"`, "what ffmpeg made of it"},
		{"floods its errors", `yes error | head -c 10000000 >&2; exit 1`, "ffmpeg cannot read it: error; error; error; ..."},
		{"floods its output", `cat /dev/zero`, "what ffmpeg made of it"},
		{"floods with samples", `head -c 40 "$DIR/sound.wav"; printf '\000\000\000\000'; cat /dev/zero`, "longer than"},
		{"hangs", `sleep 1000`, "ffmpeg gave nothing for 300ms and was ended"},
		{"hangs in the middle", `head -c 1000 "$DIR/sound.wav"; sleep 1000`, "ffmpeg gave nothing for 300ms and was ended"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			patience := testPatience(tt.name)
			dir := fakeFFmpeg(t, tt.script)
			path := filepath.Join(dir, "x.m4a")
			start := time.Now()
			clip, err := decodeWhole(1<<20, func(to *receiver) (Clip, error) {
				return ffmpeg{filepath.Join(dir, "ffmpeg"), patience}.convert(context.Background(), path, nil, to)
			})
			if err != nil {
				err = fmt.Errorf("only %s are read here, and %w", ReadHere, err)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || clip.Samples != nil {
				t.Errorf("%d samples, error %v, want %q", len(clip.Samples), err, tt.want)
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("an error of %d characters", len(err.Error()))
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestFFmpegWarns(t *testing.T) {
	dir := fakeFFmpeg(t, `cat "$DIR/sound.wav"; echo "[aac] a frame is damaged" >&2`)
	if err := os.WriteFile(filepath.Join(dir, "x.m4a"), m4a, 0o644); err != nil {
		t.Fatal(err)
	}
	clip, err := ReadFile(filepath.Join(dir, "x.m4a"))
	if err != nil || len(clip.Warnings) != 1 || clip.Warnings[0] != "ffmpeg complains: [aac] a frame is damaged" {
		t.Errorf("warnings %q, error %v", clip.Warnings, err)
	}
}

// An interrupt ends ffmpeg and what it started.
func TestFFmpegEndsWithItsContext(t *testing.T) {
	dir := fakeFFmpeg(t, `sleep 1000 & echo $! > "$DIR/child"; wait`)
	path := filepath.Join(dir, "x.m4a")
	if err := os.WriteFile(path, m4a, 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		_, err := ReadFileContext(ctx, path)
		done <- err
	}()
	var child int
	for deadline := time.Now().Add(10 * time.Second); child == 0 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		text, _ := os.ReadFile(filepath.Join(dir, "child"))
		child, _ = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it goes on")
	}
	for deadline := time.Now().Add(5 * time.Second); child > 0; time.Sleep(10 * time.Millisecond) {
		if err := syscall.Kill(child, 0); err != nil || isZombie(child) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("its child is alive")
		}
	}
	t.Error("no child was started")
}

// isZombie reports whether a process has ended, though nobody has asked for its state yet.
func isZombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}

// What a real ffmpeg writes comes back as long as it was.
func TestRealFFmpeg(t *testing.T) {
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("no ffmpeg on the PATH")
	}
	dir := t.TempDir()
	source := filepath.Join(dir, "source.wav")
	want := Clip{Samples: tone(16000, 300, 16000), Rate: 16000}
	if err := WriteFile(source, want); err != nil {
		t.Fatal(err)
	}
	for ending, slack := range map[string]int{"aiff": 0, "au": 0, "caf": 0, "mka": 2048, "m4a": 2048, "mp2": 3000} {
		path := filepath.Join(dir, "-talk:1."+ending)
		if out, err := exec.Command(program, "-nostdin", "-v", "error", "-i", source, "file:"+path).CombinedOutput(); err != nil {
			t.Logf("%s: not written by this ffmpeg: %s", ending, out)
			continue
		}
		clip, err := ReadFile(path)
		if err != nil || clip.Rate != 16000 || len(clip.Samples) < 16000 || len(clip.Samples) > 16000+slack {
			t.Errorf("%s: %d samples at %d Hz, error %v", ending, len(clip.Samples), clip.Rate, err)
		}
	}
	text := filepath.Join(dir, "text.m4a")
	if err := os.WriteFile(text, []byte("no sound here"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(text); err == nil || !strings.Contains(err.Error(), "Invalid data") {
		t.Errorf("error %v", err)
	}
}
