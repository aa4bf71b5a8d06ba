package corpus

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starvc/vc/features"
)

func cacheFiles(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, filepath.Join(dir, e.Name()))
	}
	return names
}

func TestCacheKeepsEveryBit(t *testing.T) {
	t.Parallel()
	root := twoVoices(t)
	opts := PrepareOptions{CacheDir: filepath.Join(root, ".cache", "features")}
	without, _ := mustPrepare(t, root, PrepareOptions{})
	first, report := mustPrepare(t, root, opts)
	if report.Computed != recordings || report.Cached != 0 {
		t.Errorf("first run: %d computed, %d cached", report.Computed, report.Cached)
	}
	second, again := mustPrepare(t, root, opts)
	if again.Computed != 0 || again.Cached != recordings {
		t.Errorf("second run: %d computed, %d cached", again.Computed, again.Cached)
	}
	if !reflect.DeepEqual(first, without) || !reflect.DeepEqual(first, second) {
		t.Error("the set depends on the cache")
	}
	if !reflect.DeepEqual(report.Speakers, again.Speakers) {
		t.Error("the report on the speakers depends on the cache")
	}
	if n := len(cacheFiles(t, opts.CacheDir)); n != 1 {
		t.Errorf("%d files in the cache, want one shard", n)
	}

	// A renamed recording is the same recording; another configuration is not.
	if err := os.Rename(filepath.Join(root, "ann", "3.wav"), filepath.Join(root, "ann", "z.wav")); err != nil {
		t.Fatal(err)
	}
	if _, report := mustPrepare(t, root, opts); report.Cached != recordings {
		t.Errorf("after renaming: %d cached", report.Cached)
	}
	wide, err := features.ConfigForRate(24000)
	if err != nil {
		t.Fatal(err)
	}
	set, report, err := Prepare(t.Context(), mustScan(t, root), wide, opts)
	if err != nil || report.Cached != 0 || set.Fingerprint() == first.Fingerprint() {
		t.Errorf("another rate: %v, %+v", err, report)
	}
}

func TestBrokenCacheIsRebuilt(t *testing.T) {
	t.Parallel()
	root := twoVoices(t)
	opts := PrepareOptions{CacheDir: filepath.Join(root, ".cache"), shardBytes: 1} // a shard each
	want, _ := mustPrepare(t, root, opts)
	files := cacheFiles(t, opts.CacheDir)
	if len(files) != recordings {
		t.Fatalf("%d shards, want %d", len(files), recordings)
	}
	for i, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		switch i % 4 {
		case 0:
			data = data[:len(data)/2]
		case 1:
			data = nil
		case 2:
			data[len(data)-1-i] ^= 4 // in the index
		case 3:
			data[i] ^= 1 // in the header
		}
		if err := os.Remove(file); err != nil { // want is mapped from it
			t.Fatal(err)
		}
		writeBytes(t, file, data)
	}
	got, report := mustPrepare(t, root, opts)
	if report.Computed != recordings || len(report.Warnings) != 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("%d computed, warnings %q", report.Computed, report.Warnings)
	}
	if got, report := mustPrepare(t, root, opts); report.Cached != recordings || !reflect.DeepEqual(got, want) {
		t.Errorf("%d cached after the repair", report.Cached)
	}
}

func TestOnlyWhatIsNewIsComputed(t *testing.T) {
	t.Parallel()
	root := twoVoices(t)
	opts := PrepareOptions{CacheDir: filepath.Join(root, ".cache")}
	mustPrepare(t, root, opts)
	writeClip(t, filepath.Join(root, "bob", "new.wav"), voiceSignal(110, 1, 16000, 300), 16000)
	if _, report := mustPrepare(t, root, opts); report.Computed != 1 || len(cacheFiles(t, opts.CacheDir)) != 2 {
		t.Errorf("%d computed, %d shards", report.Computed, len(cacheFiles(t, opts.CacheDir)))
	}

	// What was read before a stop stays.
	ctx, cancel := context.WithCancel(t.Context())
	stopped := filepath.Join(root, ".stopped")
	_, _, err := Prepare(ctx, mustScan(t, root), features.DefaultConfig(), PrepareOptions{CacheDir: stopped, Workers: 1, Progress: func(done, _ int) {
		if done == 3 {
			cancel()
		}
	}})
	if err == nil {
		t.Fatal("not stopped")
	}
	if _, report := mustPrepare(t, root, PrepareOptions{CacheDir: stopped}); report.Cached < 3 {
		t.Errorf("%d cached after a stop", report.Cached)
	}
}

// A recording whose path, length and time are the same is not read again; one that was touched is.
func TestStamps(t *testing.T) {
	t.Parallel()
	root := twoVoices(t)
	cacheDir := filepath.Join(root, ".cache")
	file := filepath.Join(root, "ann", "2.wav")
	then := time.Now().Add(-time.Hour)
	if err := os.Chtimes(file, then, then); err != nil {
		t.Fatal(err)
	}
	want, _ := mustPrepare(t, root, PrepareOptions{CacheDir: cacheDir})
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	writeBytes(t, file, make([]byte, info.Size()))
	if err := os.Chtimes(file, then, then); err != nil {
		t.Fatal(err)
	}
	if got, report := mustPrepare(t, root, PrepareOptions{CacheDir: cacheDir}); report.Cached != recordings || !reflect.DeepEqual(got, want) {
		t.Errorf("%d cached, want all", report.Cached)
	}
	if err := os.Chtimes(file, then, then.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if got, report := mustPrepare(t, root, PrepareOptions{CacheDir: cacheDir}); report.Cached != recordings-1 || len(got.Train)+len(got.Valid) != recordings-1 {
		t.Errorf("%d cached after one was made worthless", report.Cached)
	}
	young, err := os.Open(writeBytes(t, filepath.Join(root, "young"), nil))
	if err != nil {
		t.Fatal(err)
	}
	defer young.Close()
	if st := stampOf(young); st != (stamp{}) {
		t.Errorf("a file of this moment has stamp %+v", st)
	}
}

func TestTidy(t *testing.T) {
	t.Parallel()
	root := twoVoices(t)
	opts := PrepareOptions{CacheDir: filepath.Join(root, ".cache")}
	mustPrepare(t, root, opts)
	used := cacheFiles(t, opts.CacheDir)[0]
	age := func(file string, d time.Duration) {
		if err := os.Chtimes(file, time.Now().Add(-d), time.Now().Add(-d)); err != nil {
			t.Fatal(err)
		}
	}
	day := 24 * time.Hour
	want := []string{filepath.Base(used)}
	for _, f := range []struct {
		name string
		age  time.Duration
		kept bool
	}{
		{"0011-22.shard", 61 * day, false}, {"0011-33.shard", 59 * day, true},
		{"00.features", 61 * day, false}, {"11.features", 59 * day, true},
		{".vc-abc.tmp", 2 * day, false}, {".vc-def.tmp", time.Hour, true},
		{"letter.txt", 1000 * day, true},
	} {
		age(writeBytes(t, filepath.Join(opts.CacheDir, f.name), nil), f.age)
		if f.kept {
			want = append(want, f.name)
		}
	}
	age(used, 100*day)
	if _, report := mustPrepare(t, root, opts); report.Cached != recordings {
		t.Errorf("%d cached", report.Cached)
	}
	var got []string
	for _, file := range cacheFiles(t, opts.CacheDir) {
		got = append(got, filepath.Base(file))
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("left are %q, want %q", got, want)
	}
}

func TestCacheThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	root := twoVoices(t)
	want, _ := mustPrepare(t, root, PrepareOptions{})
	speakers := mustScan(t, root)
	for _, speaker := range speakers { // old enough for a stamp, or a slow machine gives them one on the way, and a shard another name
		for _, file := range speaker.Files {
			hourAgo := time.Now().Add(-time.Hour)
			if err := os.Chtimes(file, hourAgo, hourAgo); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := map[string]func() string{
		"a file in its place": func() string { return writeBytes(t, filepath.Join(root, ".file"), []byte("x")) },
		"below a file":        func() string { return filepath.Join(writeBytes(t, filepath.Join(root, ".file2"), nil), "cache") },
		"folders in the way": func() string {
			dir := filepath.Join(root, ".full")
			if _, _, err := Prepare(t.Context(), speakers, features.DefaultConfig(), PrepareOptions{CacheDir: dir}); err != nil {
				t.Fatal(err)
			}
			for _, file := range cacheFiles(t, dir) {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
				writeBytes(t, filepath.Join(file, "x"), nil)
			}
			return dir
		},
		"read-only": func() string {
			dir := makeDir(t, filepath.Join(root, ".ro"))
			if err := os.Chmod(dir, 0o555); err != nil {
				t.Fatal(err)
			}
			if os.WriteFile(filepath.Join(dir, "probe"), nil, 0o644) == nil {
				return "" // permissions do not bind us
			}
			return dir
		},
	}
	for name, make := range tests {
		dir := make()
		if dir == "" {
			continue
		}
		set, report, err := Prepare(t.Context(), speakers, features.DefaultConfig(), PrepareOptions{CacheDir: dir})
		if err != nil || !reflect.DeepEqual(set, want) {
			t.Errorf("%s: %v, or another set", name, err)
			continue
		}
		if len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], "cannot be written") {
			t.Errorf("%s: warnings %q", name, report.Warnings)
		}
		var text bytes.Buffer
		if _, err := report.WriteTo(&text); err != nil || strings.Count(text.String(), "warning: ") != 1 {
			t.Errorf("%s: %v, report\n%s", name, err, text.String())
		}
		if _, err := report.WriteTo(&failingWriter{left: 10}); err == nil {
			t.Error("a report that cannot be written gives no error")
		}
	}
}
