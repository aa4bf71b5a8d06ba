package train

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/starvc/vc/internal/untrained"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/mlx/mlxtest"
)

// leastGain is by how much conversion must be faster than the same weights on the training engine's pure Go backend.
const leastGain = 8

// TestConversionBeatsTheEngine runs the generator of preset live over 20 s of sound: as a graph on the engine's pure Go
// backend, and as a file is converted. Both get one core and are measured turn by turn, best of several rounds each. It
// takes a minute, and runs only where VC_COMPARE is set:
//
//	VC_COMPARE=1 go test -run TestConversionBeatsTheEngine -v ./gan/train
func TestConversionBeatsTheEngine(t *testing.T) {
	if os.Getenv("VC_COMPARE") == "" {
		t.Skip("set VC_COMPARE=1 to measure")
	}
	const seconds, rounds = 20, 5
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	cfg := gan.Live()
	m := untrained.Model(cfg, 2, 1)
	rate := m.Features.SampleRate
	frames := m.Features.NumFrames(seconds * rate)
	r := rand.New(rand.NewPCG(1, 2))
	x, controls, style := normals(r, frames*cfg.NMels), normals(r, frames*gan.Controls), m.Style(1)
	clip := audio.Clip{Rate: rate, Samples: make([]float32, seconds*rate)}
	for i := range clip.Samples {
		clip.Samples[i] = float32(0.3*math.Sin(float64(i)*0.05) + 0.1*r.NormFloat64())
	}

	vars := loadModel(t, m)
	exec, err := model.NewExec(mlxtest.OpenGo(t), vars.Store(), func(_ *model.Scope, in []*Node) *Node {
		n := networks{cfg: cfg, net: mlx.Net{Weights: vars.Lookup(in[0].Graph(), mlx.GroupWeights)}}
		return n.generate(in[0], in[1], in[2], in[3])
	})
	if err != nil {
		t.Fatal(err)
	}
	f := feed{cfg: Config{GAN: cfg}, batch: &corpus.Batch{LookAhead: cfg.StemFuture}}
	in := []any{
		tensors.FromFlatDataAndDimensions(x, 1, frames, cfg.NMels), tensors.FromFlatDataAndDimensions(controls, 1, frames, gan.Controls),
		tensors.FromFlatDataAndDimensions(style, 1, cfg.StyleDim), f.taps(),
	}
	g, err := gan.NewGenerator(m, cfg.StemFuture)
	if err != nil {
		t.Fatal(err)
	}
	g.SetStyle(style)
	whole := vc.New(m)

	var byEngine, byUs []float32
	runs := []struct {
		name string
		run  func() error
	}{
		{"generator on the engine", func() error {
			out, err := exec.Call(in...)
			if err == nil {
				byEngine = tensors.MustCopyFlatData[float32](out[0])
			}
			return err
		}},
		{"generator", func() (err error) {
			byUs, err = g.Offline(context.Background(), x, controls, 1)
			return err
		}},
		{"file, from samples to samples", func() error {
			_, err := whole.Convert(context.Background(), clip, whole.SpeakerVoice(1), vc.Options{Threads: 1})
			return err
		}},
	}
	best := make([]time.Duration, len(runs))
	for round := range 1 + rounds { // the first one compiles the graph and does not count
		for i, r := range runs {
			start := time.Now()
			if err := r.run(); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); round == 1 || round > 1 && took < best[i] {
				best[i] = took
			}
		}
	}
	near(t, "log-mel", byUs, byEngine)
	for i, r := range runs {
		t.Logf("%-30s rtf %.4f, %.1f times as fast as the engine's generator", r.name, best[i].Seconds()/seconds, best[0].Seconds()/best[i].Seconds())
	}
	if gain := best[0].Seconds() / best[1].Seconds(); gain < leastGain {
		t.Errorf("the generator is %.1f times as fast as on the engine, want %d times", gain, leastGain)
	}
	// The engine has no vocoder: the file's time holds all that a file needs, and is still measured against its generator.
	if gain := best[0].Seconds() / best[2].Seconds(); gain < leastGain {
		t.Errorf("a file is converted %.1f times as fast as the engine runs its generator, want %d times", gain, leastGain)
	}
}
