package train

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/internal/run/runtest"
	"github.com/starvc/vc/internal/untrained"
)

// baseModel is a small random model of two voices, and a folder with speech of a third.
func baseModel(t *testing.T) (path, dir string) {
	t.Helper()
	cfg := microConfig(t)
	m := untrained.Model(cfg.GAN, 2, 3)
	path = filepath.Join(t.TempDir(), "base.safetensors")
	if err := m.Save(path, gan.Full); err != nil {
		t.Fatal(err)
	}
	return path, speech(t, "eve")
}

func addOptions(t *testing.T, base, dir string, set ...string) Options {
	return Options{
		Options: run.Options{
			Names:    runtest.Dashed,
			Speakers: dir,
			Device:   "go",
			RunDir:   filepath.Join(t.TempDir(), "run"),
			Version:  "test",
			Preset:   "tiny",
			Set: append([]string{
				"steps=9", "batch=4", "cropFrames=12", "styleFrames=10", "warmUpShare=0.5", "rampSteps=1", "validEvery=4",
				"snapshotEvery=3", "logEvery=2",
			}, set...),
		},
		Init: base,
	}
}

// says is what a model makes of one input in a speaker's stored style.
func says(t *testing.T, m *gan.Model, speaker int) []float32 {
	t.Helper()
	c := m.Config
	g, err := gan.NewGenerator(m, c.StemFuture)
	if err != nil {
		t.Fatal(err)
	}
	g.SetStyle(m.Style(speaker))
	const frames = 24
	mel, controls := make([]float32, frames*c.NMels), make([]float32, frames*gan.Controls)
	for i := range mel {
		mel[i] = float32(math.Sin(float64(i) * 0.37))
	}
	for i := range controls {
		controls[i] = float32(math.Cos(float64(i) * 0.21))
	}
	out, err := g.Offline(context.Background(), mel, controls, 1)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func meanDistance(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += math.Abs(float64(a[i] - b[i]))
	}
	return sum / float64(len(a))
}

func load(t *testing.T, path string) *gan.Model {
	t.Helper()
	m, err := gan.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// One voice alone joins a model whose voices have no recordings at hand; they stay in the model, and stay what they were.
func TestAddVoice(t *testing.T) {
	base, dir := baseModel(t)
	before := load(t, base)
	run := func(set ...string) *gan.Model {
		t.Helper()
		o := addOptions(t, base, dir, append([]string{"steps=40", "warmUpShare=0.8"}, set...)...)
		var said bytes.Buffer
		o.Stderr = &said
		if err := Run(context.Background(), o); err != nil {
			t.Fatalf("%v\n%s", err, said.String())
		}
		for _, want := range []string{"new: eve; the 2 voices of ", "next: vc demo --voices eve --model "} {
			if !strings.Contains(said.String(), want) {
				t.Errorf("it does not say %q:\n%s", want, said.String())
			}
		}
		return load(t, filepath.Join(o.RunDir, "model.safetensors"))
	}
	after := run()
	if len(after.Speakers) != 3 || !slices.Equal(after.Speakers[:2], before.Speakers) || after.Speakers[2].Name != "eve" {
		t.Fatalf("speakers %+v, want %+v and eve", after.Speakers, before.Speakers)
	}
	if after.Speakers[2].Seconds < 2 || after.Speakers[2].LogF0Mean < 4 {
		t.Errorf("the new voice is %+v", after.Speakers[2])
	}
	for i := range before.Speakers {
		if !slices.Equal(after.Style(i), before.Style(i)) {
			t.Errorf("the stored style of %s changed", before.Speakers[i].Name)
		}
		f, was := gan.NewMappingNetwork(after), gan.NewMappingNetwork(before)
		z := []float32{0.3, -1, 0.5}
		if d := meanDistance(f.Style(z, i), was.Style(z, i)); d > 1e-3 {
			t.Errorf("F's draw for %s moved by %g", before.Speakers[i].Name, d)
		}
	}
	for _, name := range []string{"gen.stem.w", "gen.neck.down.w", "sty.stem.w", "sty.common.w", "map.shared.0.w"} {
		if !slices.Equal(after.Tensor(name), before.Tensor(name)) {
			t.Errorf("%s is no longer what it was", name)
		}
	}
	if slices.Equal(after.Tensor("gen.out.w"), before.Tensor("gen.out.w")) {
		t.Error("G did not learn")
	}
	row := len(before.Tensor("sty.head.w")) / 2
	if slices.Equal(after.Tensor("sty.head.w")[2*row:], before.Tensor("sty.common.w")) {
		t.Error("the new voice's head did not learn")
	}

	// What keeps the old voices is the anchor.
	loose := run("addVoice.anchor=0")
	for i := range before.Speakers {
		was := says(t, before, i)
		held, drifted := meanDistance(says(t, after, i), was), meanDistance(says(t, loose, i), was)
		t.Logf("%s: moved by %.3f, without the anchor by %.3f", before.Speakers[i].Name, held, drifted)
		if held > 0.7*drifted {
			t.Errorf("%s moved by %.3f, without the anchor by %.3f", before.Speakers[i].Name, held, drifted)
		}
	}
}

// Voices can join in any number, and old ones whose recordings are at hand take part.
func TestAddVoicesBesideOldOnes(t *testing.T) {
	base, dir := baseModel(t)
	addSpeech(t, dir, "bob", "spk1")
	o := addOptions(t, base, dir)
	if err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	before, m := load(t, base), load(t, filepath.Join(o.RunDir, "model.safetensors"))
	var names []string
	for _, s := range m.Speakers {
		names = append(names, s.Name)
	}
	if !slices.Equal(names, []string{"spk0", "spk1", "bob", "eve"}) {
		t.Fatalf("speakers %v", names)
	}
	if !slices.Equal(m.Style(0), before.Style(0)) || m.Speakers[0] != before.Speakers[0] {
		t.Error("the voice without recordings changed")
	}
	if slices.Equal(m.Style(1), before.Style(1)) || m.Speakers[1] == before.Speakers[1] {
		t.Error("the voice with recordings was not measured by them")
	}
	if slices.Equal(m.Style(2), m.Style(3)) {
		t.Error("two new voices have one style")
	}
}

func TestAddVoiceResumesExactly(t *testing.T) {
	base, dir := baseModel(t)
	whole := addOptions(t, base, dir)
	if err := Run(context.Background(), whole); err != nil {
		t.Fatal(err)
	}
	o := addOptions(t, base, dir)
	stops := 0
	for ; ; stops++ {
		ctx, cancel := context.WithCancel(context.Background())
		o.Stderr = &stopAfter{cancel, "first step done"}
		err := Run(ctx, o)
		cancel()
		if err == nil {
			break
		}
		if !errors.Is(err, run.ErrStopped) || stops > 9 {
			t.Fatal(err)
		}
		if stops == 0 { // all that it needs of the model is in the run folder
			if err := os.Remove(base); err != nil {
				t.Fatal(err)
			}
		}
		o = Options{Options: run.Options{Names: runtest.Dashed, RunDir: o.RunDir, Resume: true, Device: "go", Version: "test"}}
	}
	if stops < 2 {
		t.Errorf("stopped %d times only", stops)
	}
	if readSteady(t, filepath.Join(o.RunDir, "metrics.jsonl")) != readSteady(t, filepath.Join(whole.RunDir, "metrics.jsonl")) {
		t.Error("the metrics differ from those of the run without a stop")
	}
	if read(t, filepath.Join(o.RunDir, "model.safetensors")) != read(t, filepath.Join(whole.RunDir, "model.safetensors")) {
		t.Error("the model differs from that of the run without a stop")
	}
	err := Run(context.Background(), Options{Options: run.Options{Names: runtest.Dashed, RunDir: o.RunDir, Resume: true, Device: "go", Set: []string{"addVoice.on=false"}}})
	if err == nil {
		t.Error("a run that adds voices went on as another kind")
	}
}

func TestWithOldVoices(t *testing.T) {
	old := []gan.SpeakerInfo{{Name: "a", LogF0Mean: 5, LogF0Std: 0.1, Seconds: 100}, {Name: "b", LogF0Mean: 4, LogF0Std: 0.2, Seconds: 200}}
	set := &corpus.Set{
		Speakers: []corpus.SpeakerInfo{{Name: "0", Seconds: 1}, {Name: "b", Seconds: 2}, {Name: "z", Seconds: 3}},
		Train:    []corpus.Utterance{{Speaker: 0, Path: "0/1"}, {Speaker: 0, Path: "0/2"}, {Speaker: 1, Path: "b/1"}, {Speaker: 2, Path: "z/1"}},
		Valid:    []corpus.Utterance{{Speaker: 1, Path: "b/9"}},
	}
	m := withOldVoices(set, old)
	if got := m.Names(); !slices.Equal(got, []string{"a", "b", "0", "z"}) {
		t.Errorf("table %v", got)
	}
	if m.Speakers[0].Seconds != 100 || m.Speakers[0].LogF0Mean != 5 || m.Speakers[1].Seconds != 2 {
		t.Errorf("table %+v", m.Speakers)
	}
	var got []string
	for _, u := range m.Train {
		got = append(got, m.Speakers[u.Speaker].Name+":"+u.Path)
	}
	if !slices.Equal(got, []string{"b:b/1", "0:0/1", "0:0/2", "z:z/1"}) || m.Valid[0].Speaker != 1 || set.Train[2].Speaker != 1 {
		t.Errorf("training %v, held out %+v", got, m.Valid)
	}
	sources, targets := voiceDraws(m, 2)
	if !slices.Equal(sources, []int{1, 2, 3}) || !slices.Equal(targets, []int{0, 1}) {
		t.Errorf("drawn from %v, replayed %v", sources, targets)
	}
	m.Train = m.Train[:1] // one old voice at hand, no new one
	if sources, _ = voiceDraws(m, 2); !slices.Equal(sources, []int{1}) {
		t.Errorf("drawn from %v", sources)
	}
	five := &corpus.Set{Speakers: make([]corpus.SpeakerInfo, 6)}
	for i := range 6 {
		five.Train = append(five.Train, corpus.Utterance{Speaker: i})
	}
	if sources, _ = voiceDraws(five, 5); !slices.Equal(sources, []int{0, 1, 2, 3, 4, 5, 5, 5, 5, 5}) {
		t.Errorf("a new voice beside five old ones is drawn from %v", sources)
	}
}

// Fewer and cheaper steps than training from the start, on every preset.
func TestAddVoiceCost(t *testing.T) {
	for _, preset := range gan.Presets() {
		c, err := DefaultConfig(preset)
		if err != nil {
			t.Fatal(err)
		}
		add := c.forAddedVoices(false)
		if err := add.Validate(); err != nil {
			t.Error(err)
		}
		whole := c.expected(c.stepCost(4, false, false), 0, "xla-cpu")
		part := add.expected(add.stepCost(5, false, false), 0, "xla-cpu")
		t.Logf("%s: %v to train, %v to add a voice", preset, whole.Round(1e9), part.Round(1e9))
		if 2*part > whole && preset != "tiny" {
			t.Errorf("%s: adding a voice takes %v, training %v", preset, part, whole)
		}
	}
}

// E's head of a new voice starts as the common one, F's as the mean of those there are.
func TestNewHead(t *testing.T) {
	cfg := microConfig(t)
	m := untrained.Model(cfg.GAN, 2, 3)
	cfg.Features = m.Features
	vars := mlx.NewVars()
	if _, err := startFrom(vars, cfg, m, speakersNamed("spk1", "new", "spk0")); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{".w", ".b"} {
		head, _, _ := vars.Get(mlx.GroupWeights, "sty.head"+part)
		if row := len(head) / 3; !slices.Equal(head[row:2*row], m.Tensor("sty.common"+part)) {
			t.Errorf("E's new head%s is not the common one", part)
		}
		head, _, _ = vars.Get(mlx.GroupWeights, "map.head"+part)
		row, old := len(head)/3, m.Tensor("map.head"+part)
		for i := range row {
			if want := (old[i] + old[row+i]) / 2; math.Abs(float64(head[row+i]-want)) > 1e-6 {
				t.Fatalf("F's new head%s is not the mean of the old", part)
			}
		}
	}
}
