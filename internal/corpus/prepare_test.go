package corpus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
)

// recordings is how many twoVoices writes.
const recordings = 9

// twoVoices writes ann (6 recordings at three rates, 5.7 s) and bob (3, 2.4 s), and returns the folder.
func twoVoices(t testing.TB) string {
	t.Helper()
	root := t.TempDir()
	for i := range 6 {
		rate := []int{16000, 22050, 48000}[i%3]
		writeClip(t, filepath.Join(root, "ann", fmt.Sprintf("%d.wav", i)), voiceSignal(210, 0.7+0.1*float64(i), rate, uint64(i)), rate)
	}
	for i := range 3 {
		writeClip(t, filepath.Join(root, "bob", "deep", fmt.Sprintf("%d.wav", i)), voiceSignal(110, 0.8, 16000, uint64(100+i)), 16000)
	}
	return root
}

func mustScan(t testing.TB, spec string) []Speaker {
	t.Helper()
	speakers, err := Scan(spec)
	if err != nil {
		t.Fatal(err)
	}
	return speakers
}

func mustPrepare(t testing.TB, spec string, opts PrepareOptions) (*Set, *Report) {
	t.Helper()
	set, report, err := Prepare(t.Context(), mustScan(t, spec), features.DefaultConfig(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return set, report
}

// TestPrepareLeavesConversionsOut: what a conversion has made is nobody's own voice, however good it sounds.
func TestPrepareLeavesConversionsOut(t *testing.T) {
	t.Parallel()
	root := twoVoices(t)
	path := filepath.Join(root, "ann", "converted.wav")
	x := voiceSignal(210, 0.9, 16000, 99)
	sound := audio.Sound{Rate: 16000, Channels: 1, Frames: int64(len(x)), Tags: audio.Tags(nil).Marked("ann", "v1")}
	if err := audio.WriteSound(t.Context(), path, sound, "", func(e audio.Encoder) error { return e.Write(x) }); err != nil {
		t.Fatal(err)
	}
	set, report := mustPrepare(t, root, PrepareOptions{Workers: 1})
	if n := len(set.Train) + len(set.Valid); n != recordings {
		t.Errorf("%d utterances, want %d", n, recordings)
	}
	var text strings.Builder
	report.WriteTo(&text)
	if !strings.Contains(text.String(), "converted by vc, left out (1 file): converted.wav (voice converted to ann by vc v1)") {
		t.Errorf("the report says:\n%s", &text)
	}
}

func TestPrepare(t *testing.T) {
	t.Parallel()
	root, cfg := twoVoices(t), features.DefaultConfig()
	var calls []int
	set, report := mustPrepare(t, root, PrepareOptions{Workers: 3, Progress: func(done, total int) {
		if total != recordings {
			t.Errorf("total %d, want %d", total, recordings)
		}
		calls = append(calls, done)
	}})
	if want := []int{1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(calls, want) {
		t.Errorf("progress %v, want %v", calls, want)
	}
	if got := set.Names(); !slices.Equal(got, []string{"ann", "bob"}) {
		t.Fatalf("speakers %v", got)
	}
	if set.Features != cfg || len(set.Train)+len(set.Valid) != recordings {
		t.Errorf("%d utterances to train, %d held out, want %d in all", len(set.Train), len(set.Valid), recordings)
	}
	for i, info := range set.Speakers {
		if want := []float64{210, 110}[i]; math.Abs(math.Exp(info.LogF0Mean)/want-1) > 0.05 {
			t.Errorf("%s: mean F0 %.1f Hz, want %.0f", info.Name, math.Exp(info.LogF0Mean), want)
		}
		if info.LogF0Std < 0.03 || info.LogF0Std > 0.09 { // a vibrato of 8 % has 0.057
			t.Errorf("%s: deviation of ln F0 %.3f", info.Name, info.LogF0Std)
		}
		if want := []float64{5.7, 2.4}[i]; math.Abs(info.Seconds-want) > 0.15 {
			t.Errorf("%s: %.2f s, want %.1f", info.Name, info.Seconds, want)
		}
	}
	for _, u := range set.Train { // features are those of the file, resampled and leveled
		clip, err := audio.ReadFile(u.Path)
		if err != nil {
			t.Fatal(err)
		}
		recording, err := features.Analyze(cfg, clip)
		if err != nil {
			t.Fatal(err)
		}
		want := recording.Frames
		if u.Start != 0 || !reflect.DeepEqual(u.Frames.LogMel, want.LogMel) || !slices.Equal(u.Frames.F0, want.F0) {
			t.Errorf("%s: features differ from extracting them here", u.Path)
		}
	}
	if report.Computed != recordings || report.Cached != 0 || len(report.Warnings) != 0 {
		t.Errorf("report %+v", report)
	}
	again, _ := mustPrepare(t, root, PrepareOptions{Workers: 1})
	if !reflect.DeepEqual(set, again) || set.Fingerprint() != again.Fingerprint() {
		t.Error("one worker gives another set than three")
	}
}

func TestPrepareSkipsAndNamesBadFiles(t *testing.T) {
	t.Parallel()
	root := twoVoices(t)
	ann := filepath.Join(root, "ann")
	good := voiceSignal(210, 2, 16000, 50)
	writeBytes(t, filepath.Join(ann, "text.wav"), []byte("not audio at all"))
	writeBytes(t, filepath.Join(ann, "empty.flac"), nil)
	writeClip(t, filepath.Join(ann, "short.wav"), good[:4000], 16000)
	writeClip(t, filepath.Join(ann, "silent.wav"), make([]float32, 32000), 16000)
	writeClip(t, filepath.Join(ann, "x1.wav"), good, 16000)
	writeClip(t, filepath.Join(ann, "x2.wav"), good, 16000)
	shared := voiceSignal(150, 2, 16000, 51)
	writeClip(t, filepath.Join(ann, "shared.wav"), shared, 16000)
	writeClip(t, filepath.Join(root, "bob", "mine.wav"), shared, 16000)
	data, err := os.ReadFile(filepath.Join(ann, "x1.wav"))
	if err != nil {
		t.Fatal(err)
	}
	writeBytes(t, filepath.Join(ann, "cut.wav"), data[:len(data)-8001])
	if err := os.Symlink(filepath.Join(root, "nowhere"), filepath.Join(ann, "link.wav")); err != nil {
		t.Logf("no symbolic links here: %v", err)
		writeBytes(t, filepath.Join(ann, "link.wav"), nil)
	}

	for _, cacheDir := range []string{"", filepath.Join(root, ".cache"), filepath.Join(root, ".cache")} {
		set, report := mustPrepare(t, root, PrepareOptions{CacheDir: cacheDir})
		type finding struct {
			name    string
			kind    Kind
			skipped bool
		}
		found := map[finding]int{}
		for _, s := range report.Speakers {
			for _, p := range s.Problems {
				found[finding{s.Name + "/" + filepath.Base(p.Path), p.Kind, p.Skipped}]++
			}
		}
		want := map[finding]int{
			{"ann/text.wav", Unreadable, true}:   1,
			{"ann/empty.flac", Unreadable, true}: 1,
			{"ann/link.wav", Unreadable, true}:   1,
			{"ann/short.wav", TooShort, true}:    1,
			{"ann/silent.wav", Silent, true}:     1,
			{"ann/x2.wav", Duplicate, true}:      1,
			{"ann/shared.wav", Shared, true}:     1,
			{"bob/mine.wav", Shared, true}:       1,
			{"ann/cut.wav", Incomplete, false}:   1,
		}
		if !reflect.DeepEqual(found, want) {
			t.Errorf("found %v\nwant  %v", found, want)
		}
		if n := len(set.Train) + len(set.Valid); n != recordings+2 { // and x1 and cut
			t.Errorf("%d utterances, want %d", n, recordings+2)
		}
		var text bytes.Buffer
		if _, err := report.WriteTo(&text); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"unreadable, left out (3 files)", "x2.wav (the same as", "of bob", "7 left out", "bob      2.4 s in 4 files: 2 to train, 1 held out, 1 left out", "advice: 10 s of speech"} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("report lacks %q:\n%s", want, text.String())
			}
		}
	}
}

func TestPrepareRefuses(t *testing.T) {
	t.Parallel()
	clip := func(seconds float64, seed uint64) []float32 { return voiceSignal(120, seconds, 16000, seed) }
	tests := []struct {
		name  string
		files map[string][]float32
		want  []string
	}{
		{"one file", map[string][]float32{"ann/1.wav": clip(3, 1), "bob/1.wav": clip(2, 2), "bob/2.wav": clip(2, 3)},
			[]string{"ann: only one usable recording", "at least 2", "held-out validation", "add recordings"}},
		{"one file of two usable", map[string][]float32{"ann/1.wav": clip(3, 1), "ann/2.wav": clip(0.2, 2)},
			[]string{"ann: only one usable recording (left out: 2.wav: too short, 0.20 s"}},
		{"nothing left", map[string][]float32{"ann/1.wav": make([]float32, 16000), "ann/2.wav": clip(0.3, 1)},
			[]string{"ann: none of 2 recordings can be used", "silent", "too short", "replace them"}},
		{"too little", map[string][]float32{"ann/1.wav": clip(0.8, 1), "ann/2.wav": clip(0.7, 2)},
			[]string{"ann: only 1.5 s of usable speech", "at least 2 s", "add recordings"}},
		{"copies of a speaker", map[string][]float32{"ann/1.wav": clip(2, 1), "ann/2.wav": clip(2, 2), "bob/1.wav": clip(2, 1), "bob/2.wav": clip(2, 2)},
			[]string{"ann: none of 2", "bob: none of 2", "the same as", "of ann"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			for name, x := range test.files {
				writeClip(t, filepath.Join(root, filepath.FromSlash(name)), x, 16000)
			}
			set, report, err := Prepare(t.Context(), mustScan(t, root), features.DefaultConfig(), PrepareOptions{})
			if err == nil || set != nil || report == nil {
				t.Fatalf("set %v, report %v, error %v", set, report, err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

func TestPrepareRefusesOptions(t *testing.T) {
	t.Parallel()
	speakers := []Speaker{{Name: "ann", Files: []string{"none.wav"}}}
	bad := features.DefaultConfig()
	bad.NMels = 0
	for name, try := range map[string]func() error{
		"configuration": func() error { _, _, err := Prepare(t.Context(), speakers, bad, PrepareOptions{}); return err },
		"no speakers": func() error {
			_, _, err := Prepare(t.Context(), nil, features.DefaultConfig(), PrepareOptions{})
			return err
		},
		"fraction": func() error {
			_, _, err := Prepare(t.Context(), speakers, features.DefaultConfig(), PrepareOptions{ValidFraction: 0.9})
			return err
		},
		"not a number": func() error {
			_, _, err := Prepare(t.Context(), speakers, features.DefaultConfig(), PrepareOptions{ValidFraction: math.NaN()})
			return err
		},
	} {
		if try() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestOpenRegular(t *testing.T) {
	t.Parallel()
	if _, err := openRegular(t.TempDir()); err == nil || err.Error() != "no ordinary file" {
		t.Errorf("a folder: %v", err)
	}
	if _, err := openRegular(os.DevNull); err == nil {
		t.Error("a device is opened")
	}
}

func TestPrepareStopsWhenCancelled(t *testing.T) {
	t.Parallel()
	speakers := mustScan(t, twoVoices(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last atomic.Int64
	_, _, err := Prepare(ctx, speakers, features.DefaultConfig(), PrepareOptions{Workers: 2, Progress: func(done, _ int) {
		last.Store(int64(done))
		if done == 3 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if n := last.Load(); n > 6 {
		t.Errorf("%d recordings were read after 3", n)
	}
}

func TestTrimming(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for i := range 3 {
		x := append(make([]float32, 16000*(2-i)), voiceSignal(120, 2, 16000, uint64(i))...)
		x = append(x, make([]float32, 16000*i)...)
		writeClip(t, filepath.Join(root, "ann", fmt.Sprintf("%d.wav", i)), x, 16000)
	}
	cut, _ := mustPrepare(t, root, PrepareOptions{ValidFraction: -1})
	whole, _ := mustPrepare(t, root, PrepareOptions{ValidFraction: -1, KeepEnds: true})
	for i, u := range cut.Train {
		all := whole.Train[i].Frames
		if all.Len() != 401 || whole.Train[i].Start != 0 {
			t.Errorf("%d frames from %d with the ends kept", all.Len(), whole.Train[i].Start)
		}
		if n := u.Frames.Len(); n < 200 || n > 262 {
			t.Errorf("%s: %d frames left of 2 s of speech in 4 s", u.Path, n)
		}
		if want := 100*(2-i) - keepFrames; want > 0 && (u.Start < want-5 || u.Start > want+55) {
			t.Errorf("%s: starts at frame %d, want about %d", u.Path, u.Start, want)
		}
		if part := all.Slice(u.Start, u.Start+u.Frames.Len()); !slices.Equal(part.LogMel, u.Frames.LogMel) {
			t.Errorf("%s: Start is not where the frames come from", u.Path)
		}
	}
}

func TestSplitIsStable(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	random := func() (u Utterance) {
		for i := range u.Hash {
			u.Hash[i] = byte(r.Uint32())
		}
		return u
	}
	for _, test := range []struct{ n, min, max int }{{0, 0, 0}, {1, 0, 0}, {2, 0, 0}, {3, 1, 1}, {10, 1, 1}, {14, 1, 2}, {1000, 30, 75}} {
		var us []Utterance
		for range test.n {
			us = append(us, random())
		}
		train, valid := split(us, 0.05)
		if len(valid) < test.min || len(valid) > test.max || len(train)+len(valid) != test.n {
			t.Errorf("%d utterances: %d to train, %d held out", test.n, len(train), len(valid))
		}
		if train, valid := split(us, -1); len(valid) != 0 || len(train) != test.n {
			t.Errorf("%d utterances: %d held out, want none", test.n, len(valid))
		}
	}
	var us []Utterance
	for range 200 {
		us = append(us, random())
	}
	_, before := split(us[:150], 0.05)
	slices.Reverse(us)
	_, after := split(us, 0.05)
	for _, u := range before {
		if !slices.ContainsFunc(after, func(v Utterance) bool { return v.Hash == u.Hash }) {
			t.Error("an utterance that was held out is trained on after others were added")
		}
	}
}

// Two people, recorded at 24000 and 22050 Hz, end to end.
func TestPrepareRealSpeech(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "testdata", "voices")
	speakers := mustScan(t, root)
	for i := range speakers {
		speakers[i].Files = speakers[i].Files[:5]
	}
	set, report, err := Prepare(t.Context(), speakers, features.DefaultConfig(), PrepareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if _, err := report.WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	for _, s := range report.Speakers {
		if s.Valid != 1 || s.Train != 4 || len(s.Problems) > 0 {
			t.Errorf("unexpected report:\n%s", text.String())
		}
		if s.F0Hz < 120 || s.F0Hz > 260 {
			t.Errorf("%s: pitch %.0f Hz, want a woman's", s.Name, s.F0Hz)
		}
	}
	batch := newTestBatcher(t, set, DefaultBatchConfig(), 1).At(0)
	if i := slices.IndexFunc(batch.X, func(v float32) bool { return math.IsNaN(float64(v)) || math.Abs(float64(v)) > 10 }); i >= 0 {
		t.Errorf("value %v in a batch of normalised log-mel", batch.X[i])
	}
}
