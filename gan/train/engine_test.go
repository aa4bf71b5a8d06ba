package train

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/corpus"
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

func testEngine(t testing.TB, cfg Config, device string, native bool, speakers int) *engine {
	t.Helper()
	d, err := mlx.FindDevice(device)
	if err != nil {
		t.Fatal(err)
	}
	backend, err := d.Open()
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

func TestSpeed(t *testing.T) {
	preset := os.Getenv("VC_PRESET")
	if preset == "" {
		t.Skip("set VC_PRESET and VC_DEVICE to time the training steps")
	}
	cfg, err := DefaultConfig(preset)
	if err != nil {
		t.Fatal(err)
	}
	for _, native := range []bool{os.Getenv("VC_NATIVE") != ""} {
		e := testEngine(t, cfg, os.Getenv("VC_DEVICE"), native, 4)
		for _, from := range []int{0, cfg.WarmUpSteps(), cfg.sourceStep()} {
			for i := range 4 {
				start := time.Now()
				rs, err := e.step(randomBatch(cfg, 4, from+i))
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range rs {
					t.Log(native, r.names, r.fetch())
				}
				t.Logf("native %v step %d: %v", native, from+i, time.Since(start))
			}
		}
	}
	_ = gan.Controls
}
