package train

import (
	"testing"
	"time"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/mlx/mlxtest"
	"github.com/starvc/vc/internal/run"
)

// The multiply-adds of one clip of microConfig, 20 frames that give 17 hops of 160 samples, by hand.
func TestCostByHand(t *testing.T) {
	c := microConfig(t)
	n := samples(c.Net.Features, c.CropFrames)
	if n != 2720 {
		t.Fatalf("%d samples", n)
	}
	voice := voiceCost(c.Net, c.CropFrames)
	spectra := spectraCost(c.Net.Features, n)
	resolved := resolutionsCost(c.DiscWidth, n, true)
	for _, x := range []struct {
		what      string
		got, want float64
	}{
		// Stem of 242 numbers, three taps, up to 16 and down, head of four times 257, each for a width of 12.
		{"network", voice.learned.MACs, 20 * (242*12 + 3*12 + 2*12*16 + 12*1028)},
		// A spectrum of 257 bins in two parts to three hops of sound.
		{"inverse STFT", voice.fixed.MACs, 20 * 2 * 257 * 480},
		// 15 frames of 400 samples and their 80 mels, and the five resolutions.
		{"spectra", spectra.fixed.MACs, 15*400*2*257 + 15*257*80 + 7*1024*2*513 + 18*512*2*257 + 39*256*2*129 + 82*128*2*65 + 167*64*2*33},
		// Rows of two: 1360, then means over three leave 453, 151 and 50; channels 1, 2, 4, 4 and the verdict.
		{"period of 2", layersCost(c.DiscWidth, periodLayers, n/2, 2, true).MACs, 2 * (1360*5*1*1 + 453*5*1*2 + 151*5*2*4 + 50*5*4*4 + 50*3*4)},
		{"spectra of the discriminators", resolved.fixed.MACs, 7*1024*2*513 + 18*512*2*257 + 39*256*2*129},
		// 7, 18 and 39 frames of 512, 256 and 128 bands, which means over two halve.
		{"resolutions", resolved.learned.MACs, (7*512+18*256+39*128)*15*1*1 + (7*256+18*128+39*64)*15*1*2 + (7*128+18*64+39*32)*15*2*4 +
			(7*64+18*32+39*16)*9*4*4 + (7*32+18*16+39*8)*9*4},
	} {
		if x.got != x.want {
			t.Errorf("%s: %g, want %g", x.what, x.got, x.want)
		}
	}
}

// What is counted is what the graphs are made of.
func TestCostOfTheGraphs(t *testing.T) {
	c, err := DefaultConfig("tiny")
	if err != nil {
		t.Fatal(err)
	}
	c.Batch, c.CropFrames = 1, 20
	vars := mlx.NewVars()
	if err := prepare(vars, c); err != nil {
		t.Fatal(err)
	}
	e := newEngine(c, mlxtest.OpenGo(t), false, vars)
	u := sung(c.Net.Features, 40, 1)
	in, err := e.tensorsOf(drawn(newBatcher(c, []utterance{u}), 0))
	if err != nil {
		t.Fatal(err)
	}
	counted := func(name string, build func([]*Node) []*Node) (operations float64) {
		out, err := e.steps.Call(name, func(in []*Node) []*Node {
			out := build(in)
			operations = mlxtest.Products(out[0])
			return out
		}, in...)
		if err != nil {
			t.Fatal(err)
		}
		out.MustFinalizeAll()
		return operations
	}
	for _, x := range []struct {
		what      string
		got, want float64
	}{
		{"spectral", c.stepCost(false, false).products, counted("spectral", e.spectralStep)},
		{"adversarial", c.stepCost(true, false).products + c.stepCost(true, false).convolutions,
			counted("discriminators", e.discriminatorStep) + counted("vocoder", e.generatorStep)},
	} {
		t.Logf("%s: %g counted, %g in the graph", x.what, x.got, x.want)
		if x.got < x.want || x.got > 1.05*x.want { // the first layers' inputs want no gradient
			t.Errorf("%s: %g operations, the graph has %g", x.what, x.got, x.want)
		}
	}
}

// Larger networks, batches and phases take more, and pure Go much longer.
func TestExpectations(t *testing.T) {
	last := run.Cost{}
	for _, preset := range []string{"tiny", "base", "large"} {
		c, err := DefaultConfig(preset)
		if err != nil {
			t.Fatal(err)
		}
		whole, slow := c.expect(0, true, "xla-cpu"), c.expect(0, false, "go")
		if whole.Time <= last.Time || whole.Bytes <= last.Bytes {
			t.Errorf("%s: %+v after %+v", preset, whole, last)
		}
		if preset != "tiny" && slow.Time < 8*whole.Time {
			t.Errorf("%s: %v in pure Go, %v through XLA", preset, slow.Time, whole.Time)
		}
		alone := c
		alone.SpectralShare = 1
		if spectral := alone.expect(0, true, "xla-cpu"); spectral.Time >= whole.Time || spectral.Bytes >= whole.Bytes || spectral.Host >= whole.Host {
			t.Errorf("%s: the spectral losses alone: %+v, with discriminators %+v", preset, spectral, whole)
		}
		if half := c.expect(c.Steps/2, true, "xla-cpu"); half.Time >= whole.Time {
			t.Errorf("%s: the second half: %+v, all %+v", preset, half, whole)
		}
		if r := c.adversarialCost(true, "xla-cpu"); r < 2 || r > 12 {
			t.Errorf("%s: a step with discriminators costs %g without", preset, r)
		}
		t.Logf("%s: %v through XLA, %v in pure Go, %.2f GB", preset, whole.Time.Round(time.Second), slow.Time.Round(time.Second), whole.Bytes/1e9)
		last = whole
	}
}
