//go:build unix

package audio

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/starvc/vc/internal/atomicfile"
)

func TestFFmpegWriteFaults(t *testing.T) {
	tests := []struct{ name, script, want string }{
		{"refuses", `echo "Unable to find a suitable output format" >&2; exit 1`, "ffmpeg cannot write it: Unable to find a suitable output format"},
		{"says nothing", `exit 3`, "ffmpeg cannot write it: exit status 3"},
		{"writes nothing", `cat > /dev/null`, "ffmpeg wrote nothing"},
		{"stops early and calls it success", `head -c 1000 > /dev/null`, "ffmpeg ended before it had all samples"},
		{"dies", `head -c 1000 > /dev/null; kill -9 $$`, "signal: killed"},
		{"floods its errors", `cat > /dev/null; yes error | head -c 10000000 >&2; exit 1`, "ffmpeg cannot write it: error; error; error; ..."},
		{"hangs", `sleep 1000`, "ffmpeg took nothing for 300ms and was ended"},
		{"hangs at the end", `cat > /dev/null; sleep 1000`, "ffmpeg took nothing for 300ms and was ended"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			patience := testPatience(tt.name)
			program := filepath.Join(fakeFFmpeg(t, tt.script), "ffmpeg")
			path := filepath.Join(t.TempDir(), "x.mp3")
			if err := os.WriteFile(path, []byte("before"), 0o644); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			x := noise(1<<20, 2)
			err := atomicfile.Replace(path, ".mp3", func(f *os.File) error {
				return ffmpeg{program, patience}.encode(context.Background(), f, Sound{Rate: 16000, Channels: 1, Frames: 1 << 20}, "",
					func(e Encoder) error { return e.Write(x) })
			})
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 1000 {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
			if b, _ := os.ReadFile(path); string(b) != "before" {
				t.Errorf("the file now holds %q", b)
			}
			onlyFile(t, path)
		})
	}
}

func TestFFmpegWriteIsSlowButNotHanging(t *testing.T) {
	program := filepath.Join(fakeFFmpeg(t, `for a; do to=${a#file:}; done; [ "$to" = - ] && exit; cat > /dev/null; for i in 1 2 3 4 5 6 7 8; do sleep 0.2; echo more >> "$to"; done`), "ffmpeg")
	f := mustCreate(t, filepath.Join(t.TempDir(), "x.mp3"))
	err := ffmpeg{program, 600 * time.Millisecond}.encode(context.Background(), f, Sound{Rate: 16000, Channels: 1, Frames: 2}, "",
		func(e Encoder) error {
			time.Sleep(1500 * time.Millisecond) // the conversion may take its time
			return e.Write([]float32{0, 0})
		})
	if err != nil {
		t.Error(err)
	}
}

func TestFFmpegWriteEnds(t *testing.T) {
	dir := fakeFFmpeg(t, `sleep 1000`)
	path := filepath.Join(t.TempDir(), "x.mp3")
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	x := noise(1<<20, 2)
	s := Sound{Rate: 16000, Channels: 1, Frames: 1 << 20}
	err := WriteSound(ctx, path, s, "", func(e Encoder) error { return e.Write(x) })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	own := errors.New("our own fault")
	if err := WriteSound(context.Background(), path, s, "", func(Encoder) error { return own }); !errors.Is(err, own) {
		t.Errorf("error %v", err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
	_ = dir
}
