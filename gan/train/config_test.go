package train

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/gan"
)

func TestPresetsAreValid(t *testing.T) {
	for _, preset := range gan.Presets() {
		c, err := DefaultConfig(preset)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", preset, err)
		}
		if c.Preset != preset {
			t.Errorf("preset %s says it is %q", preset, c.Preset)
		}
	}
	if _, err := DefaultConfig("huge"); err == nil || !strings.Contains(err.Error(), `"huge"`) {
		t.Errorf("unknown preset: error %v", err)
	}
}

func TestApplySet(t *testing.T) {
	for _, c := range []struct {
		set  string
		want func(c *Config) // what it must change, and nothing else
		err  string
	}{
		{set: "steps=7", want: func(c *Config) { c.Steps = 7 }},
		{set: "learningRate=1e-3", want: func(c *Config) { c.LearningRate = 1e-3 }},
		{set: "loss.cycle=2.5", want: func(c *Config) { c.Loss.Cycle = 2.5 }},
		{set: "gan.styleDim=16", want: func(c *Config) { c.GAN.StyleDim = 16 }},
		{set: "gan.bodyWidths=[2,3]", want: func(c *Config) { c.GAN.BodyWidths = []int{2, 3} }},
		{set: "features.melMean=-4.5", want: func(c *Config) { c.Features.MelMean = -4.5 }},
		{set: "bfloat16=true", want: func(c *Config) { c.BFloat16 = true }},
		{set: "seed=18446744073709551615", want: func(c *Config) { c.Seed = math.MaxUint64 }},
		{set: "preset=my own", want: func(c *Config) { c.Preset = "my own" }},
		{set: `loss={"cycle":3,"r1":0.5}`, want: func(c *Config) { c.Loss.Cycle, c.Loss.R1 = 3, 0.5 }},
		{set: "steps", err: "want name=value"},
		{set: "=5", err: "want name=value"},
		{set: "", err: "want name=value"},
		{set: "stepps=5", err: "stepps"},
		{set: "loss.cicle=5", err: "cicle"},
		{set: "loss.cycle.x=5", err: "setting loss.cycle.x=5"},
		{set: "steps=many", err: "setting steps=many"},
		{set: "steps=", err: "setting steps="},
		{set: "steps=2.5", err: "setting steps=2.5"},
		{set: "steps=1e99", err: "setting steps=1e99"},
		{set: "seed=-1", err: "setting seed=-1"},
		{set: "learningRate=NaN", err: "setting learningRate=NaN"},
		{set: "learningRate=1e999", err: "setting learningRate=1e999"},
		{set: "learningRate=0.1,", err: "setting learningRate=0.1,"},
		{set: `a"b=5`, err: "setting"},
	} {
		got, want := microConfig(t), microConfig(t)
		err := got.ApplySet(c.set)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: error %v, want one with %q", c.set, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", c.set, err)
			continue
		}
		c.want(&want)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q gives %+v, want %+v", c.set, got, want)
		}
	}
}

// Two configurations of the same preset must not share memory: setting one's list must leave the other's alone.
func TestConfigsAreIndependent(t *testing.T) {
	a, _ := DefaultConfig("tiny")
	b, _ := DefaultConfig("tiny")
	before := slices.Clone(b.GAN.BodyWidths)
	if err := a.ApplySet("gan.bodyWidths=[9,9]"); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(b.GAN.BodyWidths, before) || gan.Tiny().BodyWidths[0] == 9 {
		t.Error("setting one configuration changed another")
	}
}

func TestApplyFile(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, text string
		want       func(c *Config)
		err        string
	}{
		{name: "part", text: `{"steps": 11, "loss": {"style": 4}}`, want: func(c *Config) { c.Steps, c.Loss.Style = 11, 4 }},
		{name: "nothing", text: `{}`, want: func(*Config) {}},
		{name: "unknown", text: `{"stepps": 11}`, err: "stepps"},
		{name: "type", text: `{"steps": "11"}`, err: "steps"},
		{name: "cut", text: `{"steps": 11`, err: "config file"},
		{name: "empty", text: ``, err: "config file"},
		{name: "list", text: `[1]`, err: "config file"},
	} {
		path := filepath.Join(dir, c.name+".json")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, want := microConfig(t), microConfig(t)
		err := got.ApplyFile(path)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: error %v, want one with %q and the path", c.name, err, c.err)
			}
			continue
		}
		c.want(&want)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", c.name, got, err, want)
		}
	}
	c := microConfig(t)
	if err := c.ApplyFile(filepath.Join(dir, "missing.json")); err == nil || !strings.Contains(err.Error(), "missing.json") {
		t.Errorf("missing file: error %v", err)
	}
	// A whole configuration, as config.json of a run holds it, comes back as it was.
	whole, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "whole.json")
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	back, _ := DefaultConfig("live")
	if err := back.ApplyFile(path); err != nil || !reflect.DeepEqual(back, c) {
		t.Errorf("a whole configuration comes back as %+v, %v", back, err)
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		field string
		spoil func(c *Config)
	}{
		{"steps", func(c *Config) { c.Steps = 0 }},
		{"warmUpShare", func(c *Config) { c.WarmUpShare = 1.1 }},
		{"warmUpShare", func(c *Config) { c.WarmUpShare = math.NaN() }},
		{"sourceShare", func(c *Config) { c.SourceShare = -0.1 }},
		{"batch", func(c *Config) { c.Batch = 0 }},
		{"batch", func(c *Config) { c.Batch = 5 }},
		{"cropFrames", func(c *Config) { c.CropFrames = c.GAN.MinStyleFrames() - 1 }},
		{"styleFrames", func(c *Config) { c.StyleFrames = c.GAN.MinStyleFrames() - 1 }},
		{"learningRate", func(c *Config) { c.LearningRate = -1 }},
		{"learningRate", func(c *Config) { c.LearningRate = math.Inf(1) }},
		{"mapRate", func(c *Config) { c.MapRate = 2 }},
		{"warmUpRate", func(c *Config) { c.WarmUpRate = math.NaN() }},
		{"rampSteps", func(c *Config) { c.RampSteps = -1 }},
		{"decayShare", func(c *Config) { c.DecayShare = 2 }},
		{"weightDecay", func(c *Config) { c.WeightDecay = -1 }},
		{"clip", func(c *Config) { c.Clip = -1 }},
		{"ema", func(c *Config) { c.EMA = 1.5 }},
		{"r1Sigma", func(c *Config) { c.R1Sigma = 0 }},
		{"warpRange", func(c *Config) { c.WarpRange = 1 }},
		{"tiltRange", func(c *Config) { c.TiltRange = -1 }},
		{"freezeShare", func(c *Config) { c.FreezeShare = 2 }},
		{"validFraction", func(c *Config) { c.ValidFraction = 0.9 }},
		{"snapshotEvery", func(c *Config) { c.SnapshotEvery = 0 }},
		{"keepSnapshots", func(c *Config) { c.KeepSnapshots = 0 }},
		{"logEvery", func(c *Config) { c.LogEvery = 0 }},
		{"nMels", func(c *Config) { c.GAN.NMels++ }},
		{"kernel", func(c *Config) { c.GAN.Kernel = 4 }},
		{"bodyWidths", func(c *Config) { c.GAN.BodyWidths = nil }},
		{"hop", func(c *Config) { c.Features.Hop = 0 }},
	} {
		cfg := microConfig(t)
		c.spoil(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(c.field)) {
			t.Errorf("%s spoilt: error %v, want one that names it", c.field, err)
		}
	}
}

// The schedules are functions of the step alone: any order of asking gives the same.
func TestSchedules(t *testing.T) {
	c := microConfig(t)
	c.Steps, c.WarmUpShare, c.SourceShare, c.RampSteps, c.DecayShare = 100, 0.4, 0.5, 5, 0.2
	c.WarmUpRate, c.LearningRate, c.MapRate, c.EMA, c.FreezeShare = 0.5, 0.25, 0.1, 0.9, 0.5
	c.Loss.Diversity, c.Loss.SourceG, c.Loss.SourceC, c.JudgeRate = 2, 3, 4, 3
	if c.WarmUpSteps() != 40 || c.sourceStep() != 70 {
		t.Fatalf("warm-up of %d steps, source classifier at %d, want 40 and 70", c.WarmUpSteps(), c.sourceStep())
	}
	for _, s := range []struct {
		step int
		want schedule
	}{
		{0, schedule{Rate: 0.1, EncoderRate: 0.1, EMA: 0.1}},
		{4, schedule{Rate: 0.5, EncoderRate: 0.5, EMA: 5.0 / 14}},
		{39, schedule{Rate: 0.5, EncoderRate: 0.5, EMA: 40.0 / 49}},
		{40, schedule{Rate: 0.05, EncoderRate: 0.05, EMA: 41.0 / 50, Diversity: 2}},
		{69, schedule{Rate: 0.25, EncoderRate: 0.25, EMA: 70.0 / 79, Diversity: 2 * 31.0 / 60}},
		{70, schedule{Rate: 0.25, EncoderRate: 0.25, EMA: 71.0 / 80, Diversity: 1, SourceG: 3, SourceC: 4}},
		{80, schedule{Rate: 0.25, EncoderRate: 0.25, EMA: 0.9, Diversity: 2 * 20.0 / 60, SourceG: 3, SourceC: 4}},
		{90, schedule{Rate: 0.25 * 0.55, EncoderRate: 0.25 * 0.55, EMA: 0.9, Diversity: 2 * 10.0 / 60, SourceG: 3, SourceC: 4}},
		{99, schedule{Rate: 0.25 * 0.145, EncoderRate: 0.25 * 0.145, EMA: 0.9, Diversity: 2 * 1.0 / 60, SourceG: 3, SourceC: 4}},
	} {
		got := c.schedule(s.step, false)
		s.want.MapRate, s.want.JudgeRate = s.want.Rate*c.MapRate, 3*s.want.Rate
		if s.step < c.WarmUpSteps() {
			s.want.Diversity = got.Diversity // has no part in the warm-up
		}
		for i, v := range s.want.values() {
			if math.Abs(float64(got.values()[i]-v)) > 1e-6 {
				t.Errorf("step %d: %+v, want %+v", s.step, got, s.want)
				break
			}
		}
		if again := c.schedule(s.step, false); again != got {
			t.Errorf("step %d: asked again %+v, was %+v", s.step, again, got)
		}
	}
	for _, s := range []struct {
		step int
		part float64 // of the rate, which an encoder from P gets
	}{{0, 0}, {19, 0}, {20, 1.0 / float64(c.RampSteps)}, {21, 2.0 / float64(c.RampSteps)}, {39, 1}, {40, 1}, {99, 1}} {
		got := c.schedule(s.step, true)
		if math.Abs(got.EncoderRate-s.part*got.Rate) > 1e-9 {
			t.Errorf("step %d: an encoder from P has the rate %g, want %g of %g", s.step, got.EncoderRate, s.part, got.Rate)
		}
	}
}

func TestScheduleEdges(t *testing.T) {
	for name, change := range map[string]func(c *Config){
		"no warm-up":        func(c *Config) { c.WarmUpShare = 0 },
		"warm-up alone":     func(c *Config) { c.WarmUpShare = 1 },
		"one step":          func(c *Config) { c.Steps = 1 },
		"no ramp":           func(c *Config) { c.RampSteps = 0 },
		"ramp without end":  func(c *Config) { c.RampSteps = 1e8 },
		"decay all the way": func(c *Config) { c.DecayShare = 1 },
		"hardly any decay":  func(c *Config) { c.DecayShare = 1e-300 },
		"no decay":          func(c *Config) { c.DecayShare = 0 },
		"source at once":    func(c *Config) { c.SourceShare = 0 },
		"source never":      func(c *Config) { c.SourceShare = 1 },
	} {
		c := microConfig(t)
		change(&c)
		if err := c.Validate(); err != nil {
			t.Fatal(name, err)
		}
		for step := range c.Steps {
			s := c.schedule(step, true)
			for i, v := range s.values() {
				if v-v != 0 || v < 0 {
					t.Errorf("%s: step %d: value %d is %g", name, step, i, v)
				}
			}
			if s.Rate > math.Max(c.LearningRate, c.WarmUpRate) || s.Rate == 0 {
				t.Errorf("%s: step %d: rate %g", name, step, s.Rate)
			}
		}
	}
}
