package train

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/device"
	"github.com/starvc/vc/internal/mlx"
)

func randomBatch(cfg Config, speakers, step int) *corpus.Batch {
	r := rand.New(rand.NewPCG(7, uint64(step)))
	floats := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		return v
	}
	b, t, s, m := cfg.Batch, cfg.CropFrames, cfg.StyleFrames, cfg.GAN.NMels
	batch := &corpus.Batch{
		Step: step, LookAhead: step % (cfg.GAN.StemFuture + 1),
		X: floats(b * t * m), F0: make([]float32, b*t), LogEnergy: floats(b * t), Same: floats(b * s * m),
		Ref: floats(b * s * m), Ref2: floats(b * s * m), Z1: floats(b * cfg.GAN.LatentDim), Z2: floats(b * cfg.GAN.LatentDim),
		Noise: floats(b * t * m), AugGain: floats(b), AugMask: floats(b * t * m),
	}
	for i := range batch.F0 {
		if i%3 > 0 {
			batch.F0[i] = 100 + 100*r.Float32()
		}
	}
	for i := range b {
		batch.Y = append(batch.Y, int32(i%speakers))
		batch.Target = append(batch.Target, int32((i+1)%speakers))
		batch.AugShift = append(batch.AugShift, int32(i%3-1))
	}
	return batch
}

func testEngine(t testing.TB, cfg Config, where string, native bool, speakers int) *engine {
	t.Helper()
	d, err := device.Find(where)
	if err != nil {
		t.Fatal(err)
	}
	backend, err := mlx.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(backend.Finalize)
	vars := mlx.NewVars()
	if err := prepare(vars, cfg, speakers); err != nil {
		t.Fatal(err)
	}
	infos := make([]corpus.SpeakerInfo, speakers)
	for i := range infos {
		infos[i] = corpus.SpeakerInfo{Name: string(rune('a' + i)), LogF0Mean: 4.7 + 0.3*float64(i), LogF0Std: 0.2}
	}
	return newEngine(cfg, backend, native, vars, infos, false)
}

// microConfig has every part of the networks in a size whose steps take milliseconds: residual blocks with and without a
// skip convolution, and a stem that looks both ways.
func microConfig(t testing.TB) Config {
	t.Helper()
	c, err := DefaultConfig("tiny")
	if err != nil {
		t.Fatal(err)
	}
	c.GAN = gan.Config{
		NMels: 16, Width: 8, Hidden: 12, Kernel: 3, StemPast: 2, StemFuture: 2,
		EncoderBlocks: 1, DecoderBlocks: 1, Bottleneck: 4,
		StyleDim: 4, LatentDim: 3, MapWidth: 6, MapLayers: 2,
		BodyWidths: []int{2, 3, 3, 4},
	}
	c.Features.NMels = c.GAN.NMels
	c.Steps, c.Batch, c.CropFrames, c.StyleFrames = 9, 4, 12, 10
	c.WarmUpShare, c.SourceShare = 1.0/3, 0.5 // steps 0-2 warm up, 3-5 are the star's, from 6 on with C
	c.RampSteps = 1
	c.FreezeShare, c.EncoderShare = 0.5, 1
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

// BenchmarkStep times the three kinds of step. VC_PRESET (tiny), VC_DEVICE (go) and VC_NATIVE choose what.
func BenchmarkStep(b *testing.B) {
	preset, device := os.Getenv("VC_PRESET"), os.Getenv("VC_DEVICE")
	if preset == "" {
		preset = "tiny"
	}
	if device == "" {
		device = "go"
	}
	cfg, err := DefaultConfig(preset)
	if err != nil {
		b.Fatal(err)
	}
	for _, phase := range []struct {
		name string
		step int
	}{{"warm-up", 0}, {"star", cfg.WarmUpSteps()}, {"star with source classifier", cfg.sourceStep()}} {
		b.Run(phase.name, func(b *testing.B) {
			e := testEngine(b, cfg, device, os.Getenv("VC_NATIVE") != "", 4)
			batch := randomBatch(cfg, 4, phase.step)
			step := func() {
				rs, err := e.step(batch)
				if err != nil {
					b.Fatal(err)
				}
				for _, r := range rs {
					r.Fetch() // waits for the device
				}
			}
			step() // compiles
			for b.Loop() {
				step()
			}
			audio := float64(cfg.Batch*cfg.CropFrames*cfg.Features.Hop) / float64(cfg.Features.SampleRate)
			b.ReportMetric(audio*float64(b.N)/b.Elapsed().Seconds(), "audio-s/s")
		})
	}
}

// step makes one step of training on the spot. A run makes ready beside the step before, see load.
func (e *engine) step(batch *corpus.Batch) ([]results, error) {
	in, err := e.ready(batch)
	if err != nil {
		return nil, err
	}
	return e.make(in)
}
