package corpus

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

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
	if n := len(cacheFiles(t, opts.CacheDir)); n != recordings {
		t.Errorf("%d files in the cache, want %d", n, recordings)
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
	opts := PrepareOptions{CacheDir: filepath.Join(root, ".cache")}
	want, _ := mustPrepare(t, root, opts)
	files := cacheFiles(t, opts.CacheDir)
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
			data[len(data)*(i+1)/(recordings+1)] ^= 4
		case 3: // sound, but of another recording
			if data, err = os.ReadFile(files[0]); err != nil {
				t.Fatal(err)
			}
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

func TestCacheThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	root := twoVoices(t)
	want, _ := mustPrepare(t, root, PrepareOptions{})
	speakers := mustScan(t, root)
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

func testEntry(frames int) entry {
	e := entry{Seconds: 1.25, Problems: []Problem{{Kind: Clipped, Detail: "at 2 places"}}, Frames: features.Frames{NMels: 3}}
	for t := range frames {
		e.Frames.LogMel = append(e.Frames.LogMel, float32(t), -0.1, 1e-30)
		e.Frames.F0 = append(e.Frames.F0, 100)
		e.Frames.LogEnergy = append(e.Frames.LogEnergy, -2.5)
	}
	return e
}

func TestEntryDamageIsNoticed(t *testing.T) {
	t.Parallel()
	key := sha256.Sum256([]byte("key"))
	data := encodeEntry(testEntry(4), key)
	got, err := decodeEntry(data, key, 3)
	if err != nil || !reflect.DeepEqual(got, testEntry(4)) {
		t.Fatalf("got %+v, %v", got, err)
	}
	for n := range data {
		if _, err := decodeEntry(data[:n], key, 3); err == nil {
			t.Errorf("cut to %d bytes: no error", n)
		}
		damaged := bytes.Clone(data)
		damaged[n] ^= 0x10
		if _, err := decodeEntry(damaged, key, 3); err == nil {
			t.Errorf("byte %d flipped: no error", n)
		}
	}
	if _, err := decodeEntry(data, sha256.Sum256(nil), 3); err == nil {
		t.Error("another key: no error")
	}
	if _, err := decodeEntry(data, key, 4); err == nil {
		t.Error("another number of mels: no error")
	}
}

func FuzzDecodeEntry(f *testing.F) {
	key := sha256.Sum256([]byte("key"))
	for _, frames := range []int{0, 1, 5} {
		data := encodeEntry(testEntry(frames), key)
		f.Add(data[:len(data)-4])
	}
	f.Add([]byte(cacheMagic))
	f.Fuzz(func(t *testing.T, body []byte) {
		// The checksum is put right, so that the fuzzer gets past it.
		e, err := decodeEntry(sealed(body), key, 3)
		if err != nil {
			return
		}
		again, err := decodeEntry(encodeEntry(e, key), key, 3)
		if err != nil || fmt.Sprint(again) != fmt.Sprint(e) { // printed, since NaN is not equal to itself
			t.Errorf("%+v becomes %+v, %v", e, again, err)
		}
	})
}
