package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/internal/run/runtest"
)

// speech writes recordings of made-up speakers: falling harmonics with vibrato in syllables, and bursts of noise between
// them, each speaker with a pitch and a colour of its own. It returns the folder with a folder per speaker, and hides
// the user's cache.
func speech(t testing.TB, names ...string) string {
	t.Helper()
	if t, ok := t.(*testing.T); ok {
		home := t.TempDir()
		t.Setenv("HOME", home)
		t.Setenv("XDG_CACHE_HOME", filepath.Join(home, "cache"))
	}
	dir := t.TempDir()
	addSpeech(t, dir, names...)
	return dir
}

func addSpeech(t testing.TB, dir string, names ...string) {
	t.Helper()
	const rate, seconds, files = 16000, 0.9, 4
	for _, name := range names {
		var seed uint64
		for _, c := range name {
			seed = 31*seed + uint64(c)
		}
		r := rand.New(rand.NewPCG(seed, 1))
		f0, fall := 90+130*r.Float64(), 0.6+0.8*r.Float64()
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		for file := range files {
			x := make([]float32, int(seconds*rate))
			offset, phase := r.Float64(), 0.0
			for i := range x {
				at := float64(i)/rate + offset
				hz := f0 * (1 + 0.05*math.Sin(2*math.Pi*1.5*at) + 0.02*math.Sin(2*math.Pi*5.5*at))
				phase += hz / rate
				syllable := math.Sin(2 * math.Pi * 2.5 * at)
				var v float64
				for k := 1; k <= 20; k++ {
					v += math.Sin(2*math.Pi*phase*float64(k)) / math.Pow(float64(k), fall)
				}
				v *= 0.08 * max(0, syllable)
				if syllable < -0.8 {
					v += 0.03 * r.NormFloat64()
				}
				x[i] = float32(v + 3e-4*r.NormFloat64())
			}
			path := filepath.Join(dir, name, fmt.Sprintf("%s%d.wav", name, file))
			if err := audio.WriteFile(path, audio.Clip{Samples: x, Rate: rate}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// microOptions is a run of nine tiny steps through all three phases.
func microOptions(t testing.TB, speakers string) Options {
	return Options{
		Options: run.Options{
			Names:    runtest.Dashed,
			Speakers: speakers,
			Preset:   "tiny",
			Device:   "go",
			RunDir:   filepath.Join(t.TempDir(), "run"),
			Version:  "test",
			Stderr:   io.Discard,
			Set: []string{
				"features.nMels=16", "gan.nMels=16", "gan.width=8", "gan.hidden=12", "gan.kernel=3", "gan.stemPast=2",
				"gan.stemFuture=2", "gan.encoderBlocks=1", "gan.decoderBlocks=1", "gan.bottleneck=4", "gan.styleDim=4",
				"gan.latentDim=3", "gan.mapWidth=6", "gan.mapLayers=2", "gan.bodyWidths=[2,3,3,4]",
				"steps=9", "batch=4", "cropFrames=12", "styleFrames=10", "warmUpShare=0.3333", "sourceShare=0.5",
				"rampSteps=1", "validEvery=4", "snapshotEvery=3", "logEvery=2",
			},
		},
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// measured are the metrics that no two runs have alike.
var measured = regexp.MustCompile(`,"(steps_per_second|wait_share|gpu_use|gpu_memory_gb|gpu_watts|rss_gb)":[^,}]*`)

// readSteady reads a log of metrics without those that are measured.
func readSteady(t testing.TB, path string) string {
	t.Helper()
	return measured.ReplaceAllString(read(t, path), "")
}

// files lists what lies below a folder.
func files(t testing.TB, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rest, _ := filepath.Rel(dir, path)
			found = append(found, filepath.ToSlash(rest))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestRun(t *testing.T) {
	o := microOptions(t, speech(t, "ann", "bob", "eve"))
	o.Last = true
	o.Output = filepath.Join(t.TempDir(), "my.safetensors")
	var said bytes.Buffer
	o.Stderr = &said
	if err := Run(context.Background(), o); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	m, err := gan.Load(o.Output)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range m.Speakers {
		names = append(names, s.Name)
	}
	if !slices.Equal(names, []string{"ann", "bob", "eve"}) || m.Trained.Steps != 9 || m.Config.Width != 8 || m.Features.NMels != 16 {
		t.Errorf("model: speakers %v, %+v, %+v", names, m.Trained, m.Config)
	}

	folder := run.Folder{Dir: o.RunDir}
	have := files(t, o.RunDir)
	for _, want := range []string{
		"config.json", "lint.txt", "metrics.jsonl", "losses.png", "report.html", "snapshots/best.safetensors",
		"snapshots/step-00000003.safetensors", "snapshots/step-00000006.safetensors", "snapshots/step-00000009.safetensors",
	} {
		if !slices.Contains(have, want) {
			t.Errorf("the run folder lacks %s: it holds %v", want, have)
		}
	}
	count := map[string]int{}
	for _, name := range have {
		if strings.HasPrefix(name, "samples/step-00000009/") {
			count[filepath.Ext(name)]++
			if filepath.Ext(name) == ".wav" {
				if _, err := audio.ReadFile(folder.Path(name)); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if count[".wav"] != sampleCount || count[".png"] != 2*sampleCount || len(count) != 2 {
		t.Errorf("samples: %v, want %d WAVs, each with a picture of the mels and one of the spectra", count, sampleCount)
	}
	for _, name := range have {
		if strings.HasSuffix(name, ".tmp") {
			t.Errorf("left behind: %s", name)
		}
	}

	// A line per step with the metrics of its phase, and a line per validation, the first of untrained networks.
	records, err := run.ReadMetrics(folder.Path("metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var steps, validated []int
	for _, m := range records {
		if _, ok := m.Metrics["valid_cycle"]; ok {
			validated = append(validated, m.Step)
			continue
		}
		steps = append(steps, m.Step)
		want := slices.Clone(warmUpMetrics)
		if m.Step >= 3 {
			want = append(slices.Clone(discriminatorMetrics), generatorMetrics...)
		}
		for _, name := range want {
			if v, ok := m.Metrics[name]; !ok || v-v != 0 {
				t.Errorf("step %d: %s is %v (%v)", m.Step, name, v, ok)
			}
		}
		if withSource := m.Step >= 6; (m.Metrics["source_c"] > 0) != withSource || (m.Metrics["source_g"] > 0) != withSource {
			t.Errorf("step %d: source classifier's losses are %g and %g", m.Step, m.Metrics["source_c"], m.Metrics["source_g"])
		}
		if m.Rate <= 0 {
			t.Errorf("step %d: rate %g", m.Step, m.Rate)
		}
		// The machine is measured where the log is written, its pace from the second step of a phase on.
		logged, paced := m.Step == 0 || m.Step%2 == 1, m.Step%2 == 1 && m.Step != 3
		_, memory := m.Metrics["rss_gb"]
		_, pace := m.Metrics["steps_per_second"]
		_, wait := m.Metrics["wait_share"]
		_, card := m.Metrics["gpu_use"]
		if memory != (logged && runtime.GOOS == "linux") || pace != paced || wait != paced || card {
			t.Errorf("step %d: measured %v", m.Step, m.Metrics)
		}
	}
	if !slices.Equal(steps, []int{0, 1, 2, 3, 4, 5, 6, 7, 8}) || !slices.Equal(validated, []int{0, 3, 7, 8}) {
		t.Errorf("lines for the steps %v, validations after %v", steps, validated)
	}
	events, err := filepath.Glob(folder.Path("events.out.tfevents.*"))
	if err != nil || len(events) == 0 || !strings.Contains(read(t, events[0]), "steps_per_second") {
		t.Errorf("TensorBoard is told nothing of the pace: %v, %v", events, err)
	}
	for _, want := range []string{"training on CPU, pure Go", "9 steps take about", "memory: about", "first step done", "held-out speech", "model: " + o.Output, "ann"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("standard error lacks %q:\n%s", want, said.String())
		}
	}

	// A finished run can be asked to go on: it has nothing to do, and the model stays what it is.
	before := read(t, o.Output)
	again := Options{Options: run.Options{Names: runtest.Dashed, RunDir: o.RunDir, Resume: true, Device: "go", Quiet: true, Version: "test", Last: true}}
	if err := Run(context.Background(), again); err != nil {
		t.Fatal(err)
	}
	if read(t, o.Output) != before {
		t.Error("going on with a finished run changed its model")
	}
	// And to make more steps.
	again.Steps = 11
	if err := Run(context.Background(), again); err != nil {
		t.Fatal(err)
	}
	if m, err := gan.Load(o.Output); err != nil || m.Trained.Steps != 11 {
		t.Errorf("with two more steps: %+v, %v", m, err)
	}
	// But not to be another run, or one that is over already: both are refused, and the run stays as it is.
	config := read(t, filepath.Join(o.RunDir, "config.json"))
	for _, c := range []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.Preset = "hq" }, "--preset hq: the run began with tiny"},
		{func(o *Options) { o.Seed = 99 }, "--seed 99: the run began with"},
		{func(o *Options) { o.Set = []string{"seed=99"} }, "--set seed 99: the run began with"},
		{func(o *Options) { o.Rate = 24000 }, "--rate 24000: the run began with 16000"},
		{func(o *Options) { o.Phones = "other" }, "--phones"},
		{func(o *Options) { o.Steps = 10 }, "--steps 10: the run has made 11 already"},
	} {
		o := again
		o.Steps = 0
		c.change(&o)
		if err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	if read(t, filepath.Join(o.RunDir, "config.json")) != config {
		t.Error("a refusal changed config.json")
	}
}

// stopAfter is the standard error of a run that is cancelled once certain words appear there.
type stopAfter struct {
	cancel context.CancelFunc
	after  string
}

func (s *stopAfter) Write(p []byte) (int, error) {
	if strings.Contains(string(p), s.after) {
		s.cancel()
	}
	return len(p), nil
}

// The heart of resuming: a run that is stopped and goes on, once or more often, is the same run to the last digit.
// uninterrupted is what a run of nine tiny steps comes to that nothing has stopped.
type uninterrupted struct{ metrics, model string }

func runThrough(t *testing.T, speakers string) uninterrupted {
	t.Helper()
	o := microOptions(t, speakers)
	if err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	return uninterrupted{readSteady(t, filepath.Join(o.RunDir, "metrics.jsonl")), read(t, filepath.Join(o.RunDir, "model.safetensors"))}
}

// compare wants a run in a folder to have come to the same, bit for bit.
func (u uninterrupted) compare(t *testing.T, runDir string) {
	t.Helper()
	if got := readSteady(t, filepath.Join(runDir, "metrics.jsonl")); got != u.metrics {
		t.Errorf("metrics differ:\n%s\nuninterrupted:\n%s", got, u.metrics)
	}
	if read(t, filepath.Join(runDir, "model.safetensors")) != u.model {
		t.Error("the models differ")
	}
}

func TestResumeIsExact(t *testing.T) {
	dir := speech(t, "ann", "bob")
	whole := runThrough(t, dir)

	t.Run("stopped by the user", func(t *testing.T) {
		o := microOptions(t, dir)
		stops := 0
		for ; ; stops++ {
			ctx, cancel := context.WithCancel(context.Background())
			o.Stderr = &stopAfter{cancel, "first step done"}
			err := Run(ctx, o)
			cancel()
			if err == nil {
				break
			}
			if !errors.Is(err, run.ErrStopped) {
				t.Fatal(err)
			}
			if stops > 9 {
				t.Fatal("the run does not come to its end")
			}
			steps := run.Folder{Dir: o.RunDir}.Snapshots().Steps()
			if len(steps) == 0 || steps[0] == 0 || steps[0] >= 9 {
				t.Fatalf("stopped: snapshots %v", steps)
			}
			if m, err := gan.Load(filepath.Join(o.RunDir, "model.safetensors")); err != nil || m.Trained.Steps != steps[0] {
				t.Fatalf("stopped after step %d: model %+v, %v", steps[0], m, err)
			}
			o = Options{Options: run.Options{Names: runtest.Dashed, RunDir: o.RunDir, Resume: true, Device: "go", Version: "test"}}
		}
		if stops < 2 {
			t.Errorf("stopped %d times only", stops)
		}
		whole.compare(t, o.RunDir)
	})

	// A run that is killed has metrics beyond its last snapshot; and the newest snapshot may be damaged by the disk.
	t.Run("killed, and the newest snapshot cut short", func(t *testing.T) {
		o := microOptions(t, dir)
		if err := Run(context.Background(), o); err != nil {
			t.Fatal(err)
		}
		folder := run.Folder{Dir: o.RunDir}
		if err := os.Remove(folder.Snapshots().Path(9)); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(folder.Snapshots().Path(6), 5000); err != nil {
			t.Fatal(err)
		}
		log := folder.Path("metrics.jsonl")
		half := whole.metrics[:len(whole.metrics)-40]
		if err := os.WriteFile(log, []byte(half), 0o600); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		if err := Run(context.Background(), Options{Options: run.Options{Names: runtest.Dashed, RunDir: o.RunDir, Resume: true, Device: "go", Stderr: &said, Version: "test"}}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(said.String(), "warning: ") || !strings.Contains(said.String(), "step-00000006") || !strings.Contains(said.String(), "going on after step 3") {
			t.Errorf("nothing is said of the broken snapshot:\n%s", said.String())
		}
		whole.compare(t, o.RunDir)
	})

	t.Run("another seed is another run", func(t *testing.T) {
		o := microOptions(t, dir)
		o.Seed = 2
		if err := Run(context.Background(), o); err != nil {
			t.Fatal(err)
		}
		if readSteady(t, filepath.Join(o.RunDir, "metrics.jsonl")) == whole.metrics {
			t.Error("the seed changes nothing")
		}
	})
}
