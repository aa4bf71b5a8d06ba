package corpus

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/features"
)

func TestParseAligned(t *testing.T) {
	t.Parallel()
	groups, err := parseAligned(strings.NewReader("utt\tgroup\tspeaker\tuse\nhi\t1\tann\t\nyo\t2\tbob\tsource\nhi\t1\tbob\ttarget\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := [][]AlignedUtt{{{"ann", "hi", true, true}, {"bob", "hi", false, true}}, {{"bob", "yo", true, false}}}
	if !slices.EqualFunc(groups, want, slices.Equal) {
		t.Errorf("%v, want %v", groups, want)
	}
	for text, part := range map[string]string{
		"":                              "no line of column names",
		"group\tutt\n":                  `no column "speaker"`,
		"group\tspeaker\tutt\n1\tann\n": "line 2: group, speaker or utt is empty",
		"group\tspeaker\tutt\tuse\n1\ta\tb\tboth\n": `line 2: use is "both"`,
	} {
		if _, err := parseAligned(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: error %v, want one with %q", text, err, part)
		}
	}
	dir := t.TempDir()
	if groups, err := ReadAligned(dir); groups != nil || err != nil {
		t.Errorf("a folder without the table: %v, %v", groups, err)
	}
	if err := os.WriteFile(filepath.Join(dir, AlignedFile), []byte("group\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadAligned(dir); err == nil || !strings.Contains(err.Error(), AlignedFile) {
		t.Errorf("error %v, want one that names the file", err)
	}
}

func TestPairs(t *testing.T) {
	t.Parallel()
	set := handSet([]int{100, 60, 200}, []int{300, 90}, []int{30, 90, 55})
	for i := range set.Train {
		u := &set.Train[i]
		u.Path = filepath.Join(set.Speakers[u.Speaker].Name, []string{"a", "b", "c"}[i%3]+".flac")
	}
	names := func(i int) AlignedUtt {
		u := set.Train[i]
		return AlignedUtt{set.Speakers[u.Speaker].Name, strings.TrimSuffix(filepath.Base(u.Path), ".flac"), true, true}
	}
	// The last of speaker 1 and the middle one of speaker 2 are as long as each other; 3 frames were trimmed off the former.
	a, b := names(4), names(6)
	set.Train[4].Start = 3
	b.Target = false
	if n := set.Align([][]AlignedUtt{{a, b}, {names(0), {"nobody", "a", true, true}}, {names(0), names(1)}}); n != 1 || set.Pairs() != 1 {
		t.Fatalf("%d groups and %d pairs, want 1 and 1", n, set.Pairs())
	}
	cfg := smallBatch
	cfg.PairShare, cfg.Wants = 0.5, func(step int) bool { return step < 100 }
	m := set.Features.NMels
	paired, plain := 0, 0
	for step := range 100 {
		batch := newTestBatcher(t, set, cfg, 3).At(step)
		for i := range cfg.Size {
			x, want := batch.X[i*cfg.CropFrames*m:][:cfg.CropFrames*m], batch.Want[i*cfg.CropFrames*m:][:cfg.CropFrames*m]
			if !batch.Paired[i] {
				if plain++; !slices.Equal(x, want) {
					t.Fatalf("step %d item %d: what is wanted is not what goes in", step, i)
				}
				continue
			}
			if paired++; batch.Y[i] != 1 {
				t.Fatalf("step %d item %d: a pair for speaker %d", step, i, batch.Y[i])
			}
			for f := range cfg.CropFrames {
				s, u, from := origin(x[f*m])
				if s != 2 || u != 1 {
					t.Fatalf("step %d item %d frame %d: the source is speaker %d utterance %d", step, i, f, s, u)
				}
				if want[f*m] == set.Features.NormalizeMel(0) { // before the trimmed one begins
					if from >= 3 {
						t.Fatalf("step %d item %d: nothing is wanted at frame %d", step, i, from)
					}
					continue
				}
				s, u, at := origin(want[f*m])
				if s != 1 || u != 1 || at+3 != from {
					t.Fatalf("step %d item %d frame %d: speaker %d utterance %d frame %d is wanted for frame %d", step, i, f, s, u, at, from)
				}
			}
		}
	}
	if late := newTestBatcher(t, set, cfg, 3).At(100); late.Want != nil || late.Paired != nil {
		t.Error("there are pairs where Wants says no")
	}
	if paired < 60 || paired > 140 || plain < 400 {
		t.Errorf("%d pairs and %d others, want about 100 and 500", paired, plain)
	}
	without := handSet([]int{100, 60, 200}, []int{300, 90}, []int{30, 90, 55})
	if set.Fingerprint() == without.Fingerprint() {
		t.Error("the fingerprint does not see pairs")
	}
}

// Of a crop where the wanted recording has nothing but what was trimmed off, silence is wanted.
func TestPairOutsideTheTarget(t *testing.T) {
	t.Parallel()
	for _, start := range []int{0, 190} { // frames that were trimmed off the target's beginning; at 0 they are missing at its end
		set := handSet([]int{200, 60}, []int{10, 90})
		for i := range set.Train {
			set.Train[i].Path = []string{"long.flac", "other.flac", "short.flac", "third.flac"}[i]
		}
		set.Train[2].Start = start
		long, short := AlignedUtt{"a", "long", true, false}, AlignedUtt{"b", "short", false, true}
		if n := set.Align([][]AlignedUtt{{long, short}}); n != 1 {
			t.Fatalf("%d groups", n)
		}
		cfg := smallBatch
		cfg.PairShare, cfg.Wants = 1, func(step int) bool { return step < 100 }
		silent := 0
		for step := range 100 {
			batch := newTestBatcher(t, set, cfg, 3).At(step)
			n := cfg.CropFrames * set.Features.NMels
			for i := range cfg.Size {
				if want := batch.Want[i*n : (i+1)*n]; batch.Paired[i] && slices.Max(want) == set.Features.NormalizeMel(0) {
					silent++
					if slices.Max(batch.F0[i*cfg.CropFrames:(i+1)*cfg.CropFrames]) != 0 || slices.Max(batch.X[i*n:(i+1)*n]) <= 0 {
						t.Fatal("silence with a pitch, or without a source")
					}
				}
			}
		}
		if silent < 50 {
			t.Errorf("from frame %d on: %d crops without anything wanted, there should be many", start, silent)
		}
	}
}

func TestUpperBands(t *testing.T) {
	t.Parallel()
	wide, err := features.ConfigForRate(24000)
	if err != nil {
		t.Fatal(err)
	}
	set := handSet([]int{100, 60}, []int{300, 90})
	set.Features = wide
	for i := range set.Train {
		u := &set.Train[i]
		u.Frames = features.Frames{NMels: wide.NMels, LogMel: constant(0.5, u.Frames.Len()*wide.NMels), F0: u.Frames.F0, LogEnergy: u.Frames.LogEnergy}
		if u.Speaker == 1 {
			for f := range u.Frames.Len() { // what a resampler leaves at the edge
				wide.SilenceUpper(u.Frames.Mel(f))
				u.Frames.Mel(f)[80] = -2
			}
		}
	}
	cfg := smallBatch
	cfg.NarrowShare = 0.4
	b := newTestBatcher(t, set, cfg, 3)
	silent := func(crop []float32) bool {
		for i, v := range crop {
			if i%wide.NMels >= 80 && v != wide.NormalizeMel(0) {
				return false
			}
		}
		return true
	}
	masked, refs := 0, 0
	for step := range 50 {
		batch := b.At(step)
		for i := range cfg.Size {
			n := cfg.CropFrames * wide.NMels
			if full := batch.Y[i] == 0; batch.FullBand[i] != full || silent(batch.X[i*n:(i+1)*n]) == full {
				t.Fatalf("speaker %d: full band %v, upper bands silent %v", batch.Y[i], batch.FullBand[i], silent(batch.X[i*n:(i+1)*n]))
			}
			if batch.TargetFullBand[i] != (batch.Target[i] == 0) {
				t.Fatalf("target %d: full band %v", batch.Target[i], batch.TargetFullBand[i])
			}
			n = cfg.StyleFrames * wide.NMels
			if batch.Y[i] == 0 {
				if refs++; silent(batch.Same[i*n : (i+1)*n]) {
					masked++
				}
			} else if !silent(batch.Same[i*n : (i+1)*n]) {
				t.Fatal("a narrow reference has upper bands")
			}
		}
	}
	if share := float64(masked) / float64(refs); share < 0.25 || share > 0.55 {
		t.Errorf("%.2f of the references lose their upper bands, want 0.4", share)
	}
}
