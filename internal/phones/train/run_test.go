package train

import (
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
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/mlx/mlxtest"
	"github.com/starvc/vc/internal/phones"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/internal/run/runtest"
)

// smallPhones is small enough for pure Go.
func smallPhones(t testing.TB) Config {
	t.Helper()
	c, err := DefaultConfig("tiny")
	if err != nil {
		t.Fatal(err)
	}
	c.GAN.Width, c.GAN.Hidden, c.GAN.EncoderBlocks, c.GAN.Bottleneck, c.GAN.Kernel = 16, 32, 1, 8, 3
	c.GAN.StemPast, c.GAN.StemFuture = 1, 2
	c.Batch, c.CropFrames, c.Steps, c.RampSteps = 8, 32, 60, 5
	return c
}

// chart is labelled frames without sound: phone p is a hump of the spectrum at a place of its own, 3 to 12 frames long.
func chart(c Config, frames, phones int, seed uint64) labelled {
	r := rand.New(rand.NewPCG(seed, 1))
	m := c.GAN.NMels
	u := labelled{frames: features.Frames{NMels: m, LogMel: make([]float32, frames*m), F0: make([]float32, frames), LogEnergy: make([]float32, frames)}}
	last := uint8(corpus.NoPhone)
	for len(u.phones) < frames {
		p := uint8(r.IntN(phones))
		if p == last {
			continue
		}
		last = p
		if p != corpus.Silence {
			u.spoken = append(u.spoken, p)
		}
		for range 3 + r.IntN(10) {
			if len(u.phones) < frames {
				u.phones = append(u.phones, p)
			}
		}
	}
	for t, p := range u.phones {
		for k := range m {
			distance := float64(k)/float64(m) - (float64(p)+0.5)/float64(phones)
			u.frames.LogMel[t*m+k] = float32(2*math.Exp(-50*distance*distance) - 1 + 0.1*r.NormFloat64())
		}
	}
	return u
}

func phoneEngine(t testing.TB, c Config) *engine {
	t.Helper()
	vars := mlx.NewVars()
	if err := prepare(vars, c); err != nil {
		t.Fatal(err)
	}
	return newEngine(c, mlxtest.OpenGo(t), false, vars)
}

func TestPhonesAreLearned(t *testing.T) {
	t.Parallel()
	c := smallPhones(t)
	c.WarpRange = 0.02 // a chart's phones are told apart by their place
	c.Dropout = 0.1
	speech := &phoneSpeech{speakers: []phoneSpeaker{{Name: "chart"}}}
	for i := range 4 {
		speech.train = append(speech.train, chart(c, 100+i, 4, uint64(i)))
	}
	speech.score = []labelled{chart(c, 700, 4, 99)}
	e := phoneEngine(t, c)
	batcher := newBatcher(c, speech.train)
	var first, last float32
	for step := range c.Steps {
		out, err := e.learnPhones(c, phoneInputs(c, batcher.at(step), step))
		if err != nil {
			t.Fatal(err)
		}
		v := out[0].Fetch()
		if v[0] != 1 || v[1] <= 0 {
			t.Fatalf("step %d: %v %v", step, out[0].Names, v)
		}
		if step == 0 {
			first = v[2]
		}
		last = v[2]
	}
	if last > first/2 {
		t.Errorf("loss went from %.2f to %.2f, want it to halve", first, last)
	}
	for lookAhead := range c.GAN.StemFuture + 1 {
		scores, err := e.scorePhones(c, speech, lookAhead)
		if err != nil {
			t.Fatal(err)
		}
		if s := scores[0]; s.Frames != 700 || s.Accuracy() < 0.85 || s.Spoken != len(speech.score[0].spoken) || s.ErrorRate() > 0.2 {
			t.Errorf("look-ahead %d: %+v, accuracy %.2f, errors %.2f", lookAhead, s, s.Accuracy(), s.ErrorRate())
		}
	}

	// The hidden layer is brought to scale and the output stays.
	read := func() (probabilities, hidden []float32) {
		err := e.readPhones(c, speech.train, c.GAN.StemFuture, func(_ int, p, h []float32) {
			probabilities, hidden = append(probabilities, p...), append(hidden, h...)
		})
		if err != nil {
			t.Fatal(err)
		}
		return probabilities, hidden
	}
	before, _ := read()
	if err := e.scaleHidden(c, speech.train); err != nil {
		t.Fatal(err)
	}
	after, hidden := read()
	for i := range before {
		if math.Abs(float64(before[i]-after[i])) > 1e-3 {
			t.Fatalf("log-probability %d went from %g to %g by scaling", i, before[i], after[i])
		}
	}
	mean, square := make([]float64, c.GAN.Bottleneck), 0.0
	rows := float64(len(hidden) / c.GAN.Bottleneck)
	for i, v := range hidden {
		mean[i%c.GAN.Bottleneck] += float64(v) / rows
		square += float64(v) * float64(v) / float64(len(hidden))
	}
	for i, v := range mean {
		if math.Abs(v) > 1e-3 {
			t.Errorf("channel %d has mean %g", i, v)
		}
	}
	if math.Abs(square-1) > 1e-2 {
		t.Errorf("the hidden layer has variance %g, want 1", square)
	}
}

// Every frame is read with all its past and future, wherever the windows lie.
func TestPhonesAreReadInWindows(t *testing.T) {
	t.Parallel()
	c := smallPhones(t)
	e := phoneEngine(t, c)
	whole := chart(c, 3*shortestRead+17, 5, 3)
	const from, to = 61, 2*shortestRead + 5
	part := labelled{frames: whole.frames.Slice(from, to)}
	got := map[int][]float32{}
	err := e.readPhones(c, []labelled{whole, part, chart(c, 1, 2, 1)}, c.GAN.StemFuture, func(i int, p, _ []float32) {
		got[i] = append([]float32(nil), p...)
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, frames := range []int{whole.frames.Len(), to - from, 1} {
		if len(got[i]) != frames*corpus.PhoneCount {
			t.Fatalf("utterance %d: %d values, want %d frames", i, len(got[i]), frames)
		}
	}
	k := corpus.PhoneCount
	for f := c.phonePast(); f < to-from-c.GAN.StemFuture; f++ {
		for p := range k {
			if a, b := got[0][(from+f)*k+p], got[1][f*k+p]; math.Abs(float64(a-b)) > 1e-4 {
				t.Fatalf("frame %d phone %d: %g in the whole, %g in the part", f, p, a, b)
			}
		}
	}
}

// writePhoneSpeech makes recordings and labels: noise-like hiss for S, a low hum for M, and silence, in turn.
func writePhoneSpeech(t testing.TB, speakers ...string) (recordings, labels string) {
	t.Helper()
	recordings, labels = t.TempDir(), t.TempDir()
	const rate = 16000
	for i, name := range speakers {
		r := rand.New(rand.NewPCG(uint64(i), 5))
		table := "utt\tstart_s\tend_s\tphone\n"
		for u := range 4 {
			var x []float32
			for len(x) < rate*3/2 {
				phone := []string{"SIL", "S", "M"}[r.IntN(3)]
				start := float64(len(x)) / rate
				for range 800 + r.IntN(1600) {
					v := 0.0
					switch at := float64(len(x)) / rate; phone {
					case "S":
						v = 0.2 * r.NormFloat64()
					case "M":
						for h := range 4 {
							v += 0.1 * math.Sin(2*math.Pi*float64(100+30*i)*float64(h+1)*at)
						}
					}
					x = append(x, float32(v+0.001*r.NormFloat64()))
				}
				table += fmt.Sprintf("u%d\t%.4f\t%.4f\t%s\n", u, start, float64(len(x))/rate, phone)
			}
			path := filepath.Join(recordings, name, fmt.Sprintf("u%d.wav", u))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := audio.WriteFile(path, audio.Clip{Samples: x, Rate: rate}); err != nil {
				t.Fatal(err)
			}
		}
		if name == "mute" {
			continue
		}
		if err := os.WriteFile(filepath.Join(labels, name+".tsv"), []byte(table), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return recordings, labels
}

func TestTrainPhones(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	recordings, labels := writePhoneSpeech(t, "ann", "bob", "eve", "mute")
	out := t.TempDir()
	var told strings.Builder
	o := Options{
		Options: run.Options{
			Names:    runtest.Dashed,
			Speakers: recordings,
			Preset:   "tiny",
			Steps:    60,
			Batch:    8,
			Set: []string{
				"gan.width=16", "gan.hidden=32", "gan.encoderBlocks=1", "gan.bottleneck=8", "cropFrames=32", "rampSteps=5", "scoreEvery=30",
				"noiseShare=0.2",
			},
			Output: filepath.Join(out, "phones.safetensors"),
			RunDir: filepath.Join(out, "run"),
			Device: "go",
			Stderr: &told,
		},
		Labels:  labels,
		HoldOut: []string{"eve"},
	}
	if err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"not used: mute", "step 30: on other speakers", "  eve  ", "  all  ", "phone network: ", "phones.safetensors, of step "} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, &told)
		}
	}
	records, err := run.ReadMetrics(filepath.Join(out, "run", "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	last := records[len(records)-1]
	if right := last.Metrics["valid_frames_right_eve"]; len(records) != 60+2 || right < 0.6 || right != last.Metrics["valid_frames_right"] {
		t.Errorf("%d records, the last %+v", len(records), last)
	}
	if logged := records[9].Metrics; !(logged["steps_per_second"] > 0) || !(logged["wait_share"] >= 0) || records[8].Metrics["steps_per_second"] != 0 {
		t.Errorf("the pace of the tenth step: %v, of the ninth %v", logged, records[8].Metrics)
	}

	n, err := phones.Load(o.Output)
	if err != nil || !strings.HasPrefix(n.Describe(), "1 blocks of 16 channels, ") {
		t.Errorf("%+v, %v", n, err)
	}

	t.Run("float16, stopped, no one held out, a run folder of its own", func(t *testing.T) {
		t.Chdir(t.TempDir())
		ctx, cancel := context.WithCancel(context.Background())
		o := o
		o.HoldOut, o.Half, o.RunDir, o.Output = nil, true, "", filepath.Join(out, "half.safetensors")
		told := runtest.Stopper{After: "first step done", Stop: cancel}
		o.Stderr = &told
		if err := Run(ctx, o); !errors.Is(err, run.ErrStopped) {
			t.Fatalf("error %v, want ErrStopped", err)
		}
		if !strings.Contains(told.String(), "SAME speakers") || !strings.Contains(told.String(), "stopped after step 1 of 60") {
			t.Errorf("told:\n%s", told.String())
		}
		if _, err := phones.Load(o.Output); err != nil {
			t.Error(err)
		}
		runs, err := filepath.Glob(filepath.Join("runs", "phones-*"))
		if err != nil || len(runs) != 1 || !slices.Equal((run.Folder{Dir: runs[0]}).Snapshots().Steps(), []int{1}) || !strings.Contains(told.String(), "--run "+runs[0]+" --resume") {
			t.Errorf("run folders %v, %v, told:\n%s", runs, err, told.String())
		}
	})
	t.Run("goes on from a network, which teaches itself", func(t *testing.T) { goesOn(t, o) })
	for name, c := range map[string]struct {
		change func(*Options)
		fault  string
	}{
		"no network to go on from":   {func(o *Options) { o.Init = filepath.Join(out, "nothing") }, "--init: "},
		"another size than --init's": {func(o *Options) { o.Init, o.Preset = filepath.Join(out, "phones.safetensors"), "small" }, "--preset small does not fit the network of --init"},
		"another form than --init's": {func(o *Options) {
			o.Init, o.Preset, o.Set = filepath.Join(out, "phones.safetensors"), "", []string{"gan.width=24"}
		}, "--init: a network keeps its form"},
		"nobody to teach":  {func(o *Options) { o.Teacher = "self" }, "--teacher self: a network that begins with nothing has nothing to teach: add --init base"},
		"held out unknown": {func(o *Options) { o.HoldOut = []string{"zoe"} }, `--hold-out: "zoe"`},
		"all held out":     {func(o *Options) { o.HoldOut = []string{"ann", "bob", "eve"} }, "no speaker is left"},
		"run folder used":  {func(o *Options) { o.RunDir = out }, "is not empty"},
		"no labels":        {func(o *Options) { o.Labels = out }, "SPEAKER.tsv"},
		"setting unknown":  {func(o *Options) { o.Set = []string{"wrap=1"} }, `unknown field "wrap"`},
		"bands above 8 kHz": {func(o *Options) {
			o.Set = []string{"features.sampleRate=24000", "features.nFFT=1024", "features.winLength=600", "features.hop=240", "features.fMaxHz=12000"}
		}, "fMaxHz is 12000, want at most 8000"},
		"transform":        {func(o *Options) { o.Set = []string{"features.nFFT=500"} }, "a power of two"},
		"shares":           {func(o *Options) { o.Set = []string{"babbleShare=1.5"} }, "babbleShare is 1.5"},
		"compared unknown": {func(o *Options) { o.Compare = filepath.Join(out, "nothing") }, "--compare: "},
		"setting absurd":   {func(o *Options) { o.Set = []string{"dropout=2"} }, "dropout is 2"},
		"preset unknown":   {func(o *Options) { o.Preset = "huge" }, "huge"},
		"output a folder":  {func(o *Options) { o.Output = out }, "is a folder"},
	} {
		t.Run(name, func(t *testing.T) {
			o := o
			o.RunDir, o.Output = "", filepath.Join(out, "refused.safetensors")
			c.change(&o)
			if err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("error %v, want one with %q", err, c.fault)
			}
		})
	}
}

// goesOn trains the network of a run further, stopped and resumed, with its own hidden layer on clean speech as what to hear in noise.
func goesOn(t *testing.T, o Options) {
	first := o.Output
	o.Init, o.Teacher, o.Preset, o.Steps = first, "self", "", 6
	o.RunDir, o.Output = filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "on.safetensors")
	o.Set = []string{"cropFrames=32", "rampSteps=2", "learningRate=0.001", "cleanShare=1", "speedRange=0", "warpRange=0", "maskShare=0", "levelShare=0"}
	var told strings.Builder
	ctx, cancel := context.WithCancel(context.Background())
	stopper := runtest.Stopper{After: "first step done", Stop: cancel}
	o.Stderr = &stopper
	if err := Run(ctx, o); !errors.Is(err, run.ErrStopped) {
		t.Fatalf("error %v, want ErrStopped", err)
	}
	for _, c := range []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.Init = first }, "--init starts a new run and --resume goes on with an old one"},
	} {
		again := Options{Options: run.Options{Names: runtest.Dashed, RunDir: o.RunDir, Resume: true, Device: "go", Quiet: true}}
		c.change(&again)
		if err := Run(context.Background(), again); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	again := Options{Options: run.Options{Names: runtest.Dashed, RunDir: o.RunDir, Resume: true, Device: "go", Stderr: &told}}
	if err := Run(context.Background(), again); err != nil {
		t.Fatal(err)
	}
	was, err := openNetwork(first)
	if err != nil {
		t.Fatal(err)
	}
	is, err := openNetwork(o.Output)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(was.GAN, is.GAN) {
		t.Errorf("form %+v, want %+v", is.GAN, was.GAN)
	}
	var apart, size float64
	for name, w := range was.weights {
		for i, v := range w {
			d := float64(is.weights[name][i] - v)
			apart, size = apart+d*d, size+float64(v)*float64(v)
		}
	}
	if share := math.Sqrt(apart / size); !(share > 0 && share < 0.05) {
		t.Errorf("six small steps moved the weights by %g of their size", share)
	}
	records, err := run.ReadMetrics(filepath.Join(o.RunDir, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	// But for the look-ahead, which crops have less of, it begins as what it is taught: a fresh layer would be about 1 away.
	if begun := records[0].Metrics["teacher"]; !(begun > 0 && begun < 0.2) {
		t.Errorf("distance from the teacher at first: %g", begun)
	}
}
