package eval

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/disturb"
)

// copying converts nothing: what comes out is what went in.
func copying(t *testing.T) SuiteOptions {
	o := suiteOf(t)
	o.Convert = func(_ context.Context, clip audio.Clip, _ string) (Conversion, error) {
		heard, err := features.Analyze(o.Features, clip)
		return Conversion{Clip: audio.Clip{Samples: slices.Clone(clip.Samples), Rate: clip.Rate}, Mapped: heard.Frames.F0}, err
	}
	return o
}

func TestDisturbed(t *testing.T) {
	o := copying(t)
	o.PerSource, o.Export = 1, t.TempDir()
	var err error
	if o.Disturb, err = disturb.Parse("noise=0,quiet=30"); err != nil {
		t.Fatal(err)
	}
	done, total := 0, 0
	o.Progress = func(d, of int) { done, total = d, of }
	r, err := Suite(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if done != total || total != 4+2+2+2+2*(2+2)+2 { // files, vocoded, converted, own, two conditions, copies
		t.Errorf("progress ended at %d of %d", done, total)
	}
	if len(r.Disturbed) != 3 || r.Disturbed[0].Name != "clean" || r.Disturbed[1].Name != "noise=0" || len(r.Disturbed[1].Clips) != 2 {
		t.Fatalf("%+v", r.Disturbed)
	}
	clean, noisy, quiet := r.Disturbed[0].Converted, r.Disturbed[1].Converted, r.Disturbed[2].Converted
	// A copy of a noisy source is as far from the target as the noisy source, and farther than the clean one.
	if noisy.MCD.Mean <= clean.MCD.Mean || math.Abs(noisy.MCD.Mean-r.Disturbed[1].Source.MCD.Mean) > 1e-6 {
		t.Errorf("MCD %v clean, %v noisy, %v of the noisy source", clean.MCD, noisy.MCD, r.Disturbed[1].Source.MCD)
	}
	// The melody that was asked of it is the clean source's: noise as loud as the speech hides some of it.
	if clean.Melody.Mean < 0.999 || noisy.Voicing.Mean < 0.05 {
		t.Errorf("clean %v, noisy %v, voicing error %v", clean.Melody, noisy.Melody, noisy.Voicing)
	}
	// A level is taken off before listening, and is no fault.
	if math.Abs(quiet.ToTarget.Mean-clean.ToTarget.Mean) > 0.01 || math.Abs(quiet.MCD.Mean-clean.MCD.Mean) > 0.05 || len(r.Faults) > 0 {
		t.Errorf("quiet: %v, clean: %v, faults %q", quiet, clean, r.Faults)
	}

	var text, data, page bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Conversions of disturbed sources", "\nclean, source", "\nnoise=0 ", "\nquiet=30, source", "None of 8 conversions"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in:\n%s", want, text.String())
		}
	}
	if err := r.WritePage(&page); err != nil || !strings.Contains(page.String(), "<td>noise=0, source</td>") {
		t.Errorf("page: %v", err)
	}
	var decoded struct {
		Disturbed []struct {
			Name      string
			Converted struct{ MCDdB struct{ Mean *float64 } }
			Clips     []struct{ Source string }
		}
	}
	if err := r.WriteJSON(&data); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data.Bytes(), &decoded); err != nil || len(decoded.Disturbed) != 3 || decoded.Disturbed[2].Name != "quiet=30" ||
		decoded.Disturbed[2].Converted.MCDdB.Mean == nil || len(decoded.Disturbed[0].Clips) != 0 || len(decoded.Disturbed[2].Clips) != 2 {
		t.Errorf("JSON: %v, %+v", err, decoded)
	}
	manifest, err := os.ReadFile(filepath.Join(o.Export, "manifest.tsv"))
	if err != nil || !strings.Contains(string(manifest), "\nquiet=30/low/high/u1.wav\tlow\thigh\tu1\t") ||
		!strings.Contains(string(manifest), "\tquiet=30\tquiet=30/low/u1.wav\n") {
		t.Errorf("%v, manifest:\n%s", err, manifest)
	}
	loud, err := audio.ReadFile(o.Sources[0].Files[0])
	if err != nil {
		t.Fatal(err)
	}
	soft, err := audio.ReadFile(filepath.Join(o.Export, "quiet=30/low/u1.wav"))
	if err != nil {
		t.Fatal(err)
	}
	got := 20 * math.Log10(disturb.ActiveLevel(loud.Samples, loud.Rate)/disturb.ActiveLevel(soft.Samples, soft.Rate))
	if math.Abs(got-30) > 0.1 {
		t.Errorf("the exported source is %.2f dB quieter", got)
	}
}

// TestOwnVoice: a copy has a slope of 1, half of the melody a slope of a half.
func TestOwnVoice(t *testing.T) {
	o := copying(t)
	inner := o.Convert
	o.Convert = func(ctx context.Context, clip audio.Clip, to string) (Conversion, error) {
		if to == "high" {
			return inner(ctx, high.with(func(v *voice) { v.f0 = 120 }).says(), to) // another pitch, the same intervals
		}
		return inner(ctx, clip, to)
	}
	o.PerSource = 1
	r, err := Suite(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Own) != 3 || r.Own[0].Name != "low" || r.Own[1].Name != "high" || r.Own[2].Name != "all" || r.Own[2].Clips != 2 || len(r.OwnClips) != 2 {
		t.Fatalf("%+v", r.Own)
	}
	for _, v := range r.Own {
		if math.Abs(v.Slope.Mean-1) > 0.03 || v.Up.Mean != 0 || v.Down.Mean != 0 {
			t.Errorf("%s: slope %v, octave errors %v, %v", v.Name, v.Slope, v.Up, v.Down)
		}
	}
	if !math.IsNaN(r.Conditions[0].Slope.Mean) {
		t.Errorf("a slope between two voices: %v", r.Conditions[0].Slope)
	}
}

func TestBabbleWantsOthers(t *testing.T) {
	o := copying(t)
	o.Disturb, _ = disturb.Parse("phone,babble=15")
	if _, err := Suite(context.Background(), o); err == nil || !strings.Contains(err.Error(), "and there are 3: give more sources") {
		t.Errorf("%v", err)
	}
	s := &suite{o: SuiteOptions{Sources: []Speaker{{Name: "a", Files: []string{"a/1.wav", "a/2.wav"}}, {Name: "b", Files: []string{"b/1.wav", "b/2.wav", "b/3.wav"}},
		{Name: "c", Files: []string{"c/2.wav", "c/3.wav"}}}}}
	got := s.others(task{source: Speaker{Name: "a"}, path: "a/1.wav"})
	if strings.Join(got, " ") != "b/2.wav b/3.wav c/2.wav c/3.wav" {
		t.Errorf("other people and other words: %v", got)
	}
	s.o.Sources = s.o.Sources[:2]
	if got := s.others(task{source: Speaker{Name: "a"}, path: "a/1.wav"}); len(got) != 4 {
		t.Errorf("where those are too few: %v", got)
	}
}
