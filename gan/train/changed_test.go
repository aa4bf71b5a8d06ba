package train

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/internal/run/runtest"
)

// What may happen to a run between two sittings: its folder is moved, the clock jumps, recordings are replaced, the XLA plugin is removed.
func TestResumeWhereThingsHaveChanged(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := speech(t, "ann", "bob")
	whole := runThrough(t, dir)
	stopped := func(t *testing.T, speakers string) Options {
		o := microOptions(t, speakers)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		o.Stderr = &stopAfter{cancel, "step 4: held-out speech"}
		if err := Run(ctx, o); !errors.Is(err, run.ErrStopped) {
			t.Fatalf("error %v, want ErrStopped", err)
		}
		return Options{Options: run.Options{Names: runtest.Dashed, RunDir: o.RunDir, Resume: true, Device: "go", Version: "test"}}
	}
	finish := func(t *testing.T, o Options) string {
		t.Helper()
		var said bytes.Buffer
		o.Stderr = &said
		if err := Run(context.Background(), o); err != nil {
			t.Fatal(err)
		}
		return said.String()
	}
	untouched := func(t *testing.T, o Options, before []string) {
		t.Helper()
		if after := files(t, o.RunDir); !slices.Equal(after, before) {
			t.Errorf("a run that cannot go on has changed its folder from\n%s\nto\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
		}
	}

	t.Run("the folder is moved", func(t *testing.T) {
		o := stopped(t, dir)
		elsewhere := filepath.Join(t.TempDir(), "another disk", "run")
		if err := os.MkdirAll(filepath.Dir(elsewhere), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(o.RunDir, elsewhere); err != nil {
			t.Fatal(err)
		}
		o.RunDir = elsewhere
		finish(t, o)
		whole.compare(t, o.RunDir)
	})

	// Nothing goes by the times of files: the newest snapshot may look the oldest, and all of a folder may come from the future.
	for name, years := range map[string][2]int{"to 1980": {-40, -46}, "to 2060": {40, 34}} {
		t.Run("the clock jumps "+name, func(t *testing.T) {
			o := stopped(t, dir)
			turn := 0
			for _, root := range []string{o.RunDir, dir, os.Getenv("XDG_CACHE_HOME")} {
				err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
					if err != nil {
						return err
					}
					turn++
					at := time.Now().AddDate(years[turn%2], 0, -turn)
					return os.Chtimes(path, at, at)
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			finish(t, o)
			whole.compare(t, o.RunDir)
		})
	}

	t.Run("a recording is replaced", func(t *testing.T) {
		own := filepath.Join(t.TempDir(), "speakers")
		if err := os.CopyFS(own, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		o := stopped(t, own)
		again := o
		again.Speakers = own
		if said := finish(t, again); strings.Contains(said, "are not those that the run began with") {
			t.Errorf("recordings that are the same are called others:\n%s", said)
		}

		o = stopped(t, own)
		from := filepath.Join(own, "ann", "ann0.wav")
		other := speech(t, "eve", "zoe")
		if err := os.Rename(filepath.Join(other, "eve", "eve0.wav"), from); err != nil {
			t.Fatal(err)
		}
		said := finish(t, o)
		if !strings.Contains(said, "warning: the recordings are not those that the run began with") {
			t.Errorf("nothing is said of another recording:\n%s", said)
		}
		if m, err := gan.Load(filepath.Join(o.RunDir, "model.safetensors")); err != nil || m.Trained.Steps != 9 {
			t.Errorf("model %+v, %v", m, err)
		}

		o = stopped(t, own)
		if err := os.RemoveAll(filepath.Join(own, "bob")); err != nil {
			t.Fatal(err)
		}
		before := files(t, o.RunDir)
		o.Stderr = &bytes.Buffer{}
		err := Run(context.Background(), o)
		if err == nil || !strings.Contains(err.Error(), "bob") && !strings.Contains(err.Error(), "speaker") {
			t.Errorf("a speaker is gone: error %v", err)
		}
		untouched(t, o, before)
	})

	t.Run("the plugin is gone", func(t *testing.T) {
		o := stopped(t, dir)
		before := files(t, o.RunDir)
		for _, name := range []string{"XDG_DATA_HOME", "HOME"} {
			t.Setenv(name, t.TempDir())
		}
		t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "")
		asked := o
		asked.Device = "xla:" + filepath.Join(t.TempDir(), "pjrt_c_api_cpu_plugin.so")
		asked.Stderr = &bytes.Buffer{}
		if err := Run(context.Background(), asked); err == nil || !strings.Contains(err.Error(), "pjrt_c_api_cpu_plugin.so") {
			t.Errorf("error %v, want one that names the plugin", err)
		}
		untouched(t, o, before)
		o.Device = "cpu" // by XLA where its plugin is
		if said := finish(t, o); !strings.Contains(said, "training on CPU, pure Go") || !strings.Contains(said, "vc setup cpu") {
			t.Errorf("it is not said that XLA is gone, and what to do:\n%s", said)
		}
		whole.compare(t, o.RunDir)
	})
}
