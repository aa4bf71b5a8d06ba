package features

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	for _, cfg := range configs(t) {
		if err := cfg.Validate(); err != nil {
			t.Error(err)
		}
		if cfg.SampleRate != 100*cfg.Hop {
			t.Errorf("%d samples per second and a hop of %d are not 100 frames per second", cfg.SampleRate, cfg.Hop)
		}
	}
	if first, _ := ConfigForRate(16000); first != DefaultConfig() {
		t.Error("the configuration at 16000 is not the default")
	}
	for _, rate := range []int{0, -1, 22050, 48000} {
		if _, err := ConfigForRate(rate); err == nil {
			t.Errorf("no error at a rate of %d", rate)
		}
	}
	for name, change := range map[string]func(*Config){
		"sampleRate": func(c *Config) { c.SampleRate = 0 },
		"nFFT":       func(c *Config) { c.NFFT = 398 },
		"winLength":  func(c *Config) { c.WinLength = 401 },
		"hop":        func(c *Config) { c.Hop = 201 },
		"nMels":      func(c *Config) { c.NMels = 1 << 30 },
		"fMinHz":     func(c *Config) { c.FMinHz = 9000 },
		"fMaxHz":     func(c *Config) { c.FMaxHz = 8001 },
		"logFloor":   func(c *Config) { c.LogFloor = 0 },
		"melMean":    func(c *Config) { c.MelMean = math.NaN() },
		"melScale":   func(c *Config) { c.MelScale = math.Inf(1) },
		"f0MinHz":    func(c *Config) { c.F0MinHz = math.NaN() },
		"f0MaxHz":    func(c *Config) { c.F0MaxHz = 9000 },
	} {
		t.Run(name, func(t *testing.T) {
			c := DefaultConfig()
			change(&c)
			err := c.Validate()
			if err == nil || !strings.HasPrefix(err.Error(), "features: "+name+" ") {
				t.Errorf("error %v, want one that names %s", err, name)
			}
			if _, err := NewExtractor(c); err == nil {
				t.Error("NewExtractor takes it")
			}
		})
	}
}

func TestConfigAsJSON(t *testing.T) {
	text, err := json.Marshal(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"sampleRate":16000,"nFFT":512,"winLength":400,"hop":160,"nMels":80,"fMinHz":0,"fMaxHz":8000,` +
		`"logFloor":0.00001,"melMean":-6,"melScale":2,"f0MinHz":50,"f0MaxHz":1000}`
	if string(text) != want {
		t.Errorf("%s, want %s", text, want)
	}
	var back Config
	if err := json.Unmarshal(text, &back); err != nil || back != DefaultConfig() {
		t.Errorf("%v, %v, want the default", back, err)
	}
}

func TestNumFrames(t *testing.T) {
	for samples, want := range map[int]int{0: 1, 1: 1, 159: 1, 160: 2, 161: 2, 16000: 101} {
		if got := DefaultConfig().NumFrames(samples); got != want {
			t.Errorf("%d samples: %d frames, want %d", samples, got, want)
		}
	}
}
