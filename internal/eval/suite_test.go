package eval

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/judge"
	"github.com/starvc/vc/vocoder"
)

// randomJudge has weights drawn by a seed: it has learnt nothing, but tells sounds apart.
func randomJudge(t testing.TB) *judge.Judge {
	t.Helper()
	c := judge.DefaultConfig()
	c.Width, c.Hidden, c.Kernel, c.Blocks, c.Embedding = 24, 32, 3, 1, 16
	r := rand.New(rand.NewPCG(3, 3))
	tensors := map[string][]float32{}
	for _, p := range c.Params() {
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		data := make([]float32, n)
		for i := range data {
			data[i] = float32(0.1 * r.NormFloat64())
			if strings.HasSuffix(p.Name, ".gain") {
				data[i]++
			}
		}
		tensors[p.Name] = data
	}
	j, err := judge.New(c, judge.Trained{Speakers: []string{"x"}, HeldOut: []string{"y"}, EnrolledEER: 0.1}, tensors)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// suiteOf is twoSpeakers as sources and targets. The converter to "high" is perfect, the one to "low" does nothing.
func suiteOf(t *testing.T) SuiteOptions {
	t.Helper()
	root := twoSpeakers(t)
	files := func(name string) []string {
		return []string{filepath.Join(root, name, "u1.wav"), filepath.Join(root, name, "u2.wav")}
	}
	speakers := []Speaker{{Name: "low", Sex: "M", Seen: true, Files: files("low")}, {Name: "high", Sex: "F", Files: files("high")}}
	cfg := features.DefaultConfig()
	return SuiteOptions{
		Sources: speakers, Targets: speakers, SameWords: true, Features: cfg, Model: "the model", Vocoder: "fast",
		Text:  func(path string) string { return "text of " + utteranceOf(path) },
		Judge: randomJudge(t), Config: DefaultConfig(), Latency: 42 * time.Millisecond,
		Convert: func(_ context.Context, clip audio.Clip, to string) (Conversion, error) {
			if to == "high" {
				tempo := 1.0
				if len(clip.Samples) < len(low.says().Samples) {
					tempo = 1.2
				}
				clip = high.with(func(v *voice) { v.tempo = tempo }).says()
			}
			heard, err := features.Analyze(cfg, clip)
			return Conversion{Clip: clip, Mapped: heard.Frames.F0}, err
		},
		Vocode: func(_ context.Context, cfg features.Config, f features.Frames, samples int) ([]float32, error) {
			v, err := vocoder.NewPolishedSourceFilter(cfg, 1, 1)
			if err != nil {
				return nil, err
			}
			return v.FlushTo(v.Process(nil, f.LogMel, f.F0), samples), nil
		},
	}
}

func TestSuite(t *testing.T) {
	o := suiteOf(t)
	o.Export, o.Keep = t.TempDir(), 2
	o.Labels = func(speaker, path string) []uint8 { return nil }
	done, total := 0, 0
	o.Progress = func(d, of int) { done, total = d, of }
	r, err := Suite(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if done != total || total != 4+4+4+4+4 { // files, vocoded, converted, own, copies
		t.Errorf("progress ended at %d of %d, want 20 of 20", done, total)
	}
	if len(r.Pairs) != 2 || len(r.Clips) != 4 || r.Worst != "high -> low" || r.PairsNearer != 1 || r.PairsKnown != 2 || r.ClipsNearer != 2 {
		t.Fatalf("%d pairs, %d clips, worst %q, %d of %d nearer, %d clips", len(r.Pairs), len(r.Clips), r.Worst, r.PairsNearer, r.PairsKnown, r.ClipsNearer)
	}
	bad, good := r.Pairs[0], r.Pairs[1]
	if good.From != "low" || good.Sex != "cross" || !good.Seen || bad.Seen {
		t.Errorf("%+v", good)
	}
	// The perfect conversion is the true target, the other one the source.
	if d := good.ToTarget.Mean - good.True.Mean; math.Abs(d) > 1e-3 || good.MCD.Mean > 0.1 || good.MCDBefore.Mean < 4 {
		t.Errorf("low to high: similarity %g off the target's, MCD %v from %v", d, good.MCD, good.MCDBefore)
	}
	for _, c := range r.Clips {
		if c.Target == "low" && (c.Converted.ToSource != c.Copied.ToSource || c.Converted.MCD != c.Copied.MCD) {
			t.Errorf("a copy: %+v, the source: %+v", c.Converted, c.Copied)
		}
		if c.True.ToTarget < c.Copied.ToTarget || c.True.MCD != 0 || !(c.Vocoded.MCD > 0 && c.Vocoded.MCD < c.Copied.MCD) || !c.SameWords {
			t.Errorf("target %+v, through the vocoder %+v, source %+v", c.True, c.Vocoded, c.Copied)
		}
		if c.Converted.Melody.Correlation < 0.999 || c.Converted.Melody.Voicing != 0 {
			t.Errorf("F0 as asked: %+v", c.Converted.Melody)
		}
	}
	if len(r.Faults) > 0 || !math.IsNaN(r.Conditions[0].Source.Mean) || r.Speed.LatencyMS != 42 {
		t.Errorf("faults %q, phone errors %v, speed %+v", r.Faults, r.Conditions[0].Source, r.Speed)
	}
	var names []string
	for _, g := range r.Groups {
		names = append(names, g.Name)
	}
	if got := strings.Join(names, ", "); got != "cross sex, seen sources, unseen sources" {
		t.Errorf("groups: %s", got)
	}
	checkWritten(t, o, r)
}

func checkWritten(t *testing.T, o SuiteOptions, r *Report) {
	t.Helper()
	manifest, err := os.ReadFile(filepath.Join(o.Export, "manifest.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	first := o.Sources[0].Files[0]
	for _, want := range []string{
		"low/high/u1.wav\tlow\thigh\tu1\ttext of u1\t" + first + "\t" + o.Targets[1].Files[0] + "\t1\tclean\t\n",
		"own/low/low/u1.wav\tlow\tlow\tu1\ttext of u1\t" + first + "\t\t0\town\t\n",
		"vocoder/low/u1.wav\tlow\tlow\tu1\ttext of u1\t" + first + "\t\t0\tvocoder\t\n",
	} {
		if !strings.HasPrefix(string(manifest), ManifestHeader+"\n") || !strings.Contains(string(manifest), want) || strings.Count(string(manifest), "\n") != 13 {
			t.Errorf("manifest:\n%s\nwant a line %q", manifest, want)
		}
		path, _, _ := strings.Cut(want, "\t")
		if _, err := os.Stat(filepath.Join(o.Export, path)); err != nil {
			t.Error(err)
		}
	}
	if _, err := audio.ReadFile(filepath.Join(o.Export, "high/low/u2.wav")); err != nil {
		t.Error(err)
	}
	var text, data, page bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"target through the vocoder", "low -> high", "1 of 2 pairs (50 %)", "Worst pair: high -> low", "None of 8", "latency of live conversion 42 ms"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in:\n%s", want, text.String())
		}
	}
	if err := r.WriteJSON(&data); err != nil {
		t.Fatal(err)
	}
	var decoded struct {
		Pairs []struct {
			From   string
			Margin struct{ Mean *float64 }
		}
		Conditions []struct {
			PhoneErrorsToSource struct{ Mean *float64 }
		}
	}
	if err := json.Unmarshal(data.Bytes(), &decoded); err != nil || len(decoded.Pairs) != 2 || decoded.Pairs[0].Margin.Mean == nil ||
		decoded.Conditions[0].PhoneErrorsToSource.Mean != nil {
		t.Errorf("JSON: %v, %+v", err, decoded)
	}
	if err := r.WritePage(&page); err != nil {
		t.Fatal(err)
	}
	for want, n := range map[string]int{`src="data:audio/wav;base64,UklGR`: 6, `src="data:image/png;base64,iVBOR`: 2, "the worst pair": 1, "ZgotmplZ": 0, "http": 0} {
		if got := strings.Count(page.String(), want); got != n {
			t.Errorf("%q %d times on the page, want %d", want, got, n)
		}
	}
}

func TestSuiteWithout(t *testing.T) {
	o := suiteOf(t)
	o.Judge, o.SameWords, o.Text, o.PerSource = nil, false, nil, 1
	o.Targets = []Speaker{{Name: "high", Files: o.Sources[1].Files[:1]}}
	r, err := Suite(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if len(r.Clips) != 1 || r.Worst != "" || !math.IsNaN(r.Clips[0].Converted.MCD) || !strings.Contains(text.String(), "No judge") {
		t.Errorf("%d clips, worst %q, %s", len(r.Clips), r.Worst, text.String())
	}
	o.Sources = o.Sources[1:]
	if _, err := Suite(context.Background(), o); err == nil || !strings.Contains(err.Error(), "nothing to convert") {
		t.Errorf("only to itself: %v", err)
	}
}

// TestEnrolment: a voice is never enrolled by what is compared with it, nor by the same words, while there is another recording.
func TestEnrolment(t *testing.T) {
	s := []Speaker{{Name: "a", Files: []string{"a/1.wav", "a/2.wav", "a/3.wav"}}, {Name: "b", Files: []string{"b/1.wav"}}}
	tasks, own, err := planSuite(SuiteOptions{Sources: s, Targets: s})
	if err != nil || len(tasks) != 4 {
		t.Fatalf("%d tasks, %v", len(tasks), err)
	}
	first, last := tasks[0], tasks[3]
	if first.reference != "b/1.wav" || first.sameWords || strings.Join(first.enrolTarget, " ") != "b/1.wav" || strings.Join(first.enrolSource, " ") != "a/2.wav a/3.wav" {
		t.Errorf("%+v", first)
	}
	if last.reference != "a/1.wav" || strings.Join(last.enrolTarget, " ") != "a/2.wav a/3.wav" || strings.Join(last.enrolSource, " ") != "b/1.wav" {
		t.Errorf("%+v", last)
	}
	if len(own) != 4 || own[0].reference != "" || strings.Join(own[0].enrolTarget, " ") != "a/2.wav a/3.wav" || strings.Join(own[3].enrolTarget, " ") != "b/1.wav" {
		t.Errorf("to themselves: %+v", own)
	}
	tasks, _, _ = planSuite(SuiteOptions{Sources: s, Targets: s, SameWords: true})
	if !tasks[0].sameWords || tasks[1].sameWords {
		t.Errorf("%+v", tasks[:2])
	}
}

func TestHealth(t *testing.T) {
	s := &suite{o: SuiteOptions{Features: features.DefaultConfig(), Config: DefaultConfig()}}
	clip := low.says()
	source, err := s.listen(clip)
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(x []float32)) audio.Clip {
		c := low.says()
		f(c.Samples)
		return c
	}
	for _, c := range []struct {
		name string
		out  audio.Clip
		want Health
	}{
		{"well", clip, Health{}},
		{"a number that is none", change(func(x []float32) { x[100] = float32(math.NaN()) }), Health{NotFinite: 1}},
		{"clipped", change(func(x []float32) { x[100], x[200] = 1, -1.5 }), Health{Clipped: 2}},
		{"half silent", change(func(x []float32) { clear(x[len(x)/2:]) }), Health{Silent: true}},
		{"all silent", change(func(x []float32) { clear(x) }), Health{Silent: true}},
	} {
		if got := examine(c.out, source, 1); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestBootstrapGroups(t *testing.T) {
	nan := math.NaN()
	v := BootstrapGroups([]float64{1, 3, nan, 5}, []float64{3, 1, 1, 0}, []int{0, 1, 1, 2})
	if v.Mean != 1.5 || v.N != 2 || v.Low != 1 || v.High != 3 {
		t.Errorf("%+v", v)
	}
	// Ten values of two alike groups say no more than two values.
	x, w, g := make([]float64, 10), make([]float64, 10), make([]int, 10)
	for i := range x {
		x[i], w[i], g[i] = float64(i%2), 1, i%2
	}
	if v := BootstrapGroups(x, w, g); v.Low != 0 || v.High != 1 {
		t.Errorf("two groups: %+v", v)
	}
	if v := BootstrapGroups(x, w, make([]int, 10)); v.Low == 0 || v.High == 1 {
		t.Errorf("one group: %+v", v)
	}
	if v := BootstrapGroups(nil, nil, nil); !math.IsNaN(v.Mean) || v.String() != "-" {
		t.Errorf("nothing: %v", v)
	}
	if got := (Interval{Mean: 0.5, Low: 0.4, High: 0.6, N: 2}).String(); got != "0.50" {
		t.Errorf("of two values: %q", got)
	}
}

func TestRandomCheck(t *testing.T) {
	o := suiteOf(t)
	ro := RandomOptions{Draws: 3, Targets: o.Targets, Sources: []string{o.Sources[0].Files[0]},
		// Draws of "high" are high with other formants, draws of "low" are all the same, and not low.
		Convert: func(_ context.Context, _ audio.Clip, target string, draw int) (Conversion, error) {
			v := high
			if target == "high" {
				v.formants *= 1 + 0.06*float64(draw)
			}
			return Conversion{Clip: v.says()}, nil
		},
		Revocode: func(ctx context.Context, cfg features.Config, f features.Frames, samples int, seed uint64) ([]float32, error) {
			v, err := vocoder.NewPolishedSourceFilter(cfg, seed, 1)
			if err != nil {
				return nil, err
			}
			return v.FlushTo(v.Process(nil, f.LogMel, f.F0), samples), nil
		},
	}
	scores, err := RandomCheck(context.Background(), o, ro)
	if err != nil {
		t.Fatal(err)
	}
	lowDraws, highDraws := scores[0], scores[1]
	if highDraws.Above != 1 || highDraws.Nearest != "low" || highDraws.Distance.Mean < 1 || highDraws.Distance.N != 3 || !(highDraws.Floor.Mean > 0) {
		t.Errorf("high: %+v", highDraws)
	}
	if lowDraws.Above != 0 || lowDraws.Distance.Mean != 0 {
		t.Errorf("low: %+v", lowDraws)
	}
	var text bytes.Buffer
	r := &Report{Random: scores}
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "Styles drawn at random, 3 for each") {
		t.Errorf("%v:\n%s", err, text.String())
	}
	o.Judge = nil
	if _, err := RandomCheck(context.Background(), o, ro); err == nil {
		t.Error("without a judge")
	}
}
