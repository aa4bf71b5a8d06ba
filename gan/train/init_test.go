package train

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/starvc/vc/internal/untrained"

	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/mlx/gannet"
)

func TestInitialise(t *testing.T) {
	cfg := microConfig(t)
	cfg.GAN.Width, cfg.GAN.Hidden = 32, 64 // enough numbers to measure a deviation
	params := cfg.GAN.GeneratorParams()
	vars := mlx.NewVars()
	if err := gannet.Initialise(vars, params, 1); err != nil {
		t.Fatal(err)
	}
	weight := func(v *mlx.Vars, name string) []float32 {
		t.Helper()
		data, _, err := v.Get(mlx.GroupWeights, name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	deviation := func(v []float32) float64 {
		var sum float64
		for _, x := range v {
			sum += float64(x) * float64(x)
		}
		return math.Sqrt(sum / float64(len(v)))
	}
	for name, want := range map[string]float64{
		"gen.enc.0.up.w":   math.Sqrt(1.0 / 32),
		"gen.enc.0.down.w": 0.3 / math.Sqrt(64),
		"gen.neck.down.w":  math.Sqrt(1.0 / 32),
		"gen.stem.w":       math.Sqrt(1.0 / (5 * 16)),
	} {
		if got := deviation(weight(vars, name)); math.Abs(got/want-1) > 0.15 {
			t.Errorf("%s has the deviation %g, want %g", name, got, want)
		}
	}
	for _, v := range weight(vars, "gen.out.norm.gain") {
		if v != 1 {
			t.Errorf("a gain starts at %g", v)
		}
	}
	for _, name := range []string{"gen.out.b", "gen.out.norm.bias", "gen.dec.0.ada.b"} {
		if v := weight(vars, name); slices.Max(v) != 0 || slices.Min(v) != 0 {
			t.Errorf("%s does not start at 0", name)
		}
	}
	taps := weight(vars, "gen.enc.0.dw.w") // [3, 32]: the present frame passes
	for c := range 32 {
		if math.Abs(float64(taps[2*32+c]-1)) > 0.5 || math.Abs(float64(taps[c])) > 0.5 {
			t.Errorf("channel %d starts with the taps %g %g %g", c, taps[c], taps[32+c], taps[64+c])
		}
	}

	// A weight's first value depends on the seed and its name, not on what else there is.
	alone, other := mlx.NewVars(), mlx.NewVars()
	last := params[len(params)-2:]
	if err := gannet.Initialise(alone, last, 1); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(weight(alone, "gen.out.w"), weight(vars, "gen.out.w")) {
		t.Error("gen.out.w depends on the other weights")
	}
	if err := gannet.Initialise(other, last, 2); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(weight(other, "gen.out.w"), weight(vars, "gen.out.w")) {
		t.Error("gen.out.w does not depend on the seed")
	}
	if slices.Equal(weight(vars, "gen.enc.0.up.w"), weight(vars, "gen.dec.0.up.w")) {
		t.Error("two weights of one shape start alike")
	}
	// What is there stays.
	if err := gannet.Initialise(other, params, 1); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(weight(other, "gen.out.w"), weight(vars, "gen.out.w")) {
		t.Error("a weight that was there was set anew")
	}
}

func speakersNamed(names ...string) []corpus.SpeakerInfo {
	var s []corpus.SpeakerInfo
	for _, n := range names {
		s = append(s, corpus.SpeakerInfo{Name: n, LogF0Mean: 5, LogF0Std: 0.2, Seconds: 10})
	}
	return s
}

func TestStartFrom(t *testing.T) {
	cfg := microConfig(t)
	m := untrained.Model(cfg.GAN, 2, 3) // spk0, spk1
	cfg.Features = m.Features
	vars := mlx.NewVars()
	// The known ones in another order, and a new one between them.
	fresh, err := startFrom(vars, cfg, m, speakersNamed("spk1", "new", "spk0"))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(fresh, []string{"new"}) {
		t.Errorf("new voices are %v", fresh)
	}
	for _, p := range cfg.GAN.ModelParams(3) {
		if p.Name == "speakers.style" {
			continue
		}
		got, shape, err := vars.Get(mlx.GroupWeights, p.Name)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(shape, p.Shape) {
			t.Errorf("%s has shape %v, want %v", p.Name, shape, p.Shape)
		}
		old := m.Tensor(p.Name)
		if !p.PerSpeaker() {
			if !slices.Equal(got, old) {
				t.Errorf("%s is not the model's", p.Name)
			}
			continue
		}
		row := len(old) / 2
		for i, from := range []int{1, -1, 0} {
			if from >= 0 && !slices.Equal(got[i*row:(i+1)*row], old[from*row:(from+1)*row]) {
				t.Errorf("%s: row %d is not the model's row %d", p.Name, i, from)
			}
		}
	}
	if vars.Has(mlx.GroupWeights, "disc.stem.w") {
		t.Error("a model has no discriminator to start from")
	}
	if err := prepare(vars, cfg, 3); err != nil { // adds what a model lacks
		t.Fatal(err)
	}
	for _, name := range []string{"gen.out.w", "map.head.w"} {
		w, _, _ := vars.Get(mlx.GroupWeights, name)
		average, _, err := vars.Get(mlx.GroupEMA, name)
		if err != nil || !slices.Equal(w, average) {
			t.Errorf("the average of %s does not start at the model's weights (%v)", name, err)
		}
	}

	for name, spoil := range map[string]func(c *Config){
		"features": func(c *Config) { c.Features.MelMean++ },
		"width":    func(c *Config) { c.GAN.Width *= 2 },
		"styleDim": func(c *Config) { c.GAN.StyleDim++ },
		"blocks":   func(c *Config) { c.GAN.DecoderBlocks++ },
	} {
		other := cfg
		spoil(&other)
		if _, err := startFrom(mlx.NewVars(), other, m, speakersNamed("spk0", "spk1")); err == nil || !strings.Contains(err.Error(), "train with the model's") {
			t.Errorf("another %s: error %v, want one that names a way out", name, err)
		}
	}
}

func TestMatches(t *testing.T) {
	cfg := microConfig(t)
	vars := mlx.NewVars()
	if err := prepare(vars, cfg, 2); err != nil {
		t.Fatal(err)
	}
	if err := matches(vars, cfg, 2); err != nil {
		t.Errorf("its own variables: %v", err)
	}
	if err := matches(vars, cfg, 3); err == nil || !strings.Contains(err.Error(), "shape") {
		t.Errorf("a speaker more: error %v, want one about a shape", err)
	}
	for name, spoil := range map[string]func(c *Config){
		"width":  func(c *Config) { c.GAN.Width *= 2 },
		"blocks": func(c *Config) { c.GAN.EncoderBlocks++ },
		"taps":   func(c *Config) { c.GAN.StemFuture++ },
	} {
		other := cfg
		spoil(&other)
		if err := matches(vars, other, 2); err == nil || !strings.HasPrefix(err.Error(), "snapshot:") {
			t.Errorf("another %s: error %v", name, err)
		}
	}
}

func TestFeed(t *testing.T) {
	cfg := microConfig(t)
	cfg.Batch, cfg.CropFrames = 2, 3
	speakers := []corpus.SpeakerInfo{{Name: "low", LogF0Mean: math.Log(100), LogF0Std: 0.1}, {Name: "high", LogF0Mean: math.Log(200), LogF0Std: 0.2}}
	batch := &corpus.Batch{
		LookAhead: 1, Y: []int32{0, 1}, F0: []float32{100, 0, 110, 200, 100, 0}, LogEnergy: []float32{-5, -3, -7, -5, -5, -5},
	}
	f := feed{cfg: cfg, speakers: speakers, batch: batch}
	flat := func(x *tensors.Tensor) []float32 { return tensors.MustCopyFlatData[float32](x) }
	feature := func(hz float64) float64 { return (math.Log(hz) - math.Log(150)) / 0.5 }
	same := func(what string, got []float32, want []float64) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
		for i := range want {
			if math.Abs(float64(got[i])-want[i]) > 1e-4 {
				t.Errorf("%s: %v, want %v", what, got, want)
				return
			}
		}
	}
	own := flat(f.controls(batch.Y))
	same("own controls", own, []float64{
		feature(100), 1, 0, 0, 0, 1, feature(110), 1, -1,
		feature(200), 1, 0, feature(100), 1, 0, 0, 0, 0,
	})
	// Means 100 and 200, spreads 0.1 and 0.2: 110 Hz is ln 1.1 above its mean, so twice that above the other's.
	same("moved controls", flat(f.controls([]int32{1, 0})), []float64{
		feature(200), 1, 0, 0, 0, 1, feature(200 * 1.1 * 1.1), 1, -1,
		feature(100), 1, 0, feature(100 * math.Sqrt(0.5)), 1, 0, 0, 0, 0,
	})
	if batch.F0[0] != 100 || batch.F0[2] != 110 {
		t.Errorf("the batch's pitch was changed to %v", batch.F0)
	}
	same("taps", flat(f.taps()), []float64{1, 1, 1, 1, 0})
	same("one hot", flat(f.oneHot([]int32{1, 0})), []float64{0, 1, 1, 0})
}
