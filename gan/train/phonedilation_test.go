package train

import (
	"github.com/starvc/vc/internal/run"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/mlx"
)

// A new model's encoder takes over the dilations of the phone network whose weights it begins with.
func TestDilationsTakenOver(t *testing.T) {
	t.Parallel()
	c, err := DefaultPhoneConfig("tiny")
	if err != nil {
		t.Fatal(err)
	}
	c.GAN.EncoderDilations = []int{2, 5}
	path := filepath.Join(t.TempDir(), "phones.safetensors")
	if err := phoneEngine(t, c).savePhones(phoneRequest{Config: c}, path, 1, "test"); err != nil {
		t.Fatal(err)
	}
	configured := func(o Options) (Config, error) {
		o.Speakers, o.Phones, o.RunDir = "nowhere", path, filepath.Join(t.TempDir(), "run")
		p := &pupil{o: o}
		err := p.Configure(&run.Run{Options: o.Options, Say: run.NewReporter(nil, true)})
		return p.req.Config, err
	}
	cfg, err := configured(Options{Options: run.Options{Preset: "tiny"}})
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
		"other dilations": {Options{Options: run.Options{Preset: "tiny", Set: []string{"gan.encoderDilations=[1,2]"}}}, "gan.encoderDilations to the phone network"},
		"other preset":    {Options{Options: run.Options{Preset: "small"}}, "made for 96 wide, 2 blocks"},
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
	m := gan.Random(cfg.GAN, 1, 1)
	m.Features = plain.Features
	if _, err := startFrom(mlx.NewVars(), plain, m, nil); err == nil || !strings.Contains(err.Error(), "dilations [2 5]") {
		t.Errorf("--init with other dilations: error %v", err)
	}
}
