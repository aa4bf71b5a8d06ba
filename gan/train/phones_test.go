package train

import (
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/internal/atomicfile"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/mlx/gannet"
	"github.com/starvc/vc/internal/phones"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/internal/run/runtest"
	"github.com/starvc/vc/internal/untrained"
)

// writePhones writes a phone network that fits c, and knows nothing.
func writePhones(t *testing.T, c Config) string {
	t.Helper()
	vars := mlx.NewVars()
	if err := gannet.Initialise(vars, phones.Params(c.GAN), 1); err != nil {
		t.Fatal(err)
	}
	weights := map[string][]float32{}
	for _, p := range phones.Params(c.GAN) {
		data, _, err := vars.Get(mlx.GroupWeights, p.Name)
		if err != nil {
			t.Fatal(err)
		}
		weights[p.Name] = data
	}
	path := filepath.Join(t.TempDir(), "phones.safetensors")
	err := atomicfile.Write(path, func(w io.Writer) error {
		return phones.Write(w, phones.Header{Encoder: c.GAN, Features: c.Features, Names: phones.Names()}, weights, false)
	})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A phone network goes into a run, and into G's encoder, if it has the encoder's form and hears the same.
func TestLoadPhones(t *testing.T) {
	cfg, err := DefaultConfig("tiny")
	if err != nil {
		t.Fatal(err)
	}
	cfg.GAN.Width, cfg.GAN.Hidden, cfg.GAN.EncoderBlocks, cfg.GAN.Bottleneck = 16, 32, 1, 8
	path := writePhones(t, cfg)
	vars := mlx.NewVars()
	if err := loadPhones(vars, cfg, path, true); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pho.stem.w", "gen.stem.w", "pho.neck.down.b", "gen.enc.0.up.w"} {
		if !vars.Has(mlx.GroupWeights, name) {
			t.Errorf("%s was not loaded", name)
		}
	}
	wide := cfg
	wide.GAN.Width = 32
	if err := loadPhones(mlx.NewVars(), wide, path, true); err == nil || !strings.Contains(err.Error(), "16 wide") {
		t.Errorf("another width: %v", err)
	}
	other := cfg
	other.Features.MelMean++
	if err := loadPhones(mlx.NewVars(), other, path, true); err == nil || !strings.Contains(err.Error(), "train it anew") {
		t.Errorf("other features: %v", err)
	}
}

// A new model's encoder takes over the dilations of the phone network whose weights it begins with.
func TestDilationsTakenOver(t *testing.T) {
	t.Parallel()
	c, err := DefaultConfig("tiny")
	if err != nil {
		t.Fatal(err)
	}
	c.GAN.EncoderDilations = []int{2, 5}
	path := writePhones(t, c)
	configured := func(o Options) (Config, error) {
		o.Speakers, o.Phones, o.RunDir = "nowhere", path, filepath.Join(t.TempDir(), "run")
		p := &pupil{o: o}
		err := p.Configure(&run.Run{Options: o.Options, Say: run.NewReporter(nil, true)})
		return p.req.Config, err
	}
	cfg, err := configured(Options{Options: run.Options{Names: runtest.Dashed, Preset: "tiny"}})
	if err != nil || !slices.Equal(cfg.GAN.EncoderDilations, []int{2, 5}) {
		t.Fatalf("dilations %v, %v", cfg.GAN.EncoderDilations, err)
	}
	if err := loadPhones(mlx.NewVars(), cfg, path, true); err != nil {
		t.Error(err)
	}
	for name, o := range map[string]struct {
		o    Options
		want string
	}{
		"other dilations": {Options{Options: run.Options{Names: runtest.Dashed, Preset: "tiny", Set: []string{"gan.encoderDilations=[1,2]"}}}, "gan.encoderDilations to the phone network"},
		"other preset":    {Options{Options: run.Options{Names: runtest.Dashed, Preset: "small"}}, "made for 96 wide, 2 blocks"},
	} {
		cfg, err := configured(o.o)
		if err != nil {
			t.Fatal(err)
		}
		if err := loadPhones(mlx.NewVars(), cfg, path, true); err == nil || !strings.Contains(err.Error(), o.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, o.want)
		}
	}
	// Weights of one shape, heard otherwise: no tensor would tell.
	plain := cfg
	plain.GAN.EncoderDilations = nil
	if err := loadPhones(mlx.NewVars(), plain, path, true); err == nil || !strings.Contains(err.Error(), "dilations [2 5]") {
		t.Errorf("a model without dilations: error %v", err)
	}
	m := untrained.Model(cfg.GAN, 1, 1)
	m.Features = plain.Features
	if _, err := startFrom(mlx.NewVars(), plain, m, nil); err == nil || !strings.Contains(err.Error(), "dilations [2 5]") {
		t.Errorf("--init with other dilations: error %v", err)
	}
}
