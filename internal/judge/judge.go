// Package judge tells how alike two recordings sound as voices, whatever is said in them.
//
// A small network reads log-mel frames, and the means and deviations over time of what it finds become an embedding of
// fixed length (Snyder et al. 2018, x-vectors). It was trained to tell speakers apart (see judge/train) and takes no part
// in the training of a voice model: a voice model that is measured by what it was trained with always looks good. The
// cosine of two embeddings is the similarity, 1 for the same voice. How far the similarity can be relied on stands in the
// file: the equal error rate on speakers that the network never heard.
package judge

import (
	"fmt"
	"math"
	"slices"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/nn"
)

// Config is the form of the network. Frames enter in pairs, so that it runs at 50 steps a second.
type Config struct {
	Features  features.Config `json:"features"`
	Width     int             `json:"width"`     // channels between the blocks
	Hidden    int             `json:"hidden"`    // channels inside a block
	Kernel    int             `json:"kernel"`    // taps of a block's causal convolution, in steps
	StemTaps  int             `json:"stemTaps"`  // of the first convolution, in steps, causal
	Blocks    int             `json:"blocks"`    //
	Embedding int             `json:"embedding"` // numbers in an embedding
	ActiveDB  float64         `json:"activeDB"`  // frames this far below the loud ones are silence and not heard
}

// DefaultConfig has 280 thousand weights.
func DefaultConfig() Config {
	return Config{Features: features.DefaultConfig(), Width: 128, Hidden: 256, Kernel: 7, StemTaps: 3, Blocks: 3, Embedding: 64, ActiveDB: 35}
}

// Validate names the first field that cannot work.
func (c Config) Validate() error {
	if err := c.Features.Validate(); err != nil {
		return err
	}
	for _, f := range []struct {
		name      string
		value     int
		low, high int
	}{
		{"width", c.Width, 4, 2048}, {"hidden", c.Hidden, 4, 8192}, {"kernel", c.Kernel, 1, 63}, {"stemTaps", c.StemTaps, 1, 63},
		{"blocks", c.Blocks, 1, 32}, {"embedding", c.Embedding, 2, 1024},
	} {
		if f.value < f.low || f.value > f.high {
			return fmt.Errorf("judge config: %s is %d, want %d to %d", f.name, f.value, f.low, f.high)
		}
	}
	if !(c.ActiveDB > 0 && c.ActiveDB < 200) {
		return fmt.Errorf("judge config: activeDB is %g, want 0 to 200", c.ActiveDB)
	}
	return nil
}

// Param names a weight and its shape.
type Param struct {
	Name  string
	Shape []int
}

// Params lists the weights: the contract between the training graph and the CPU forward.
func (c Config) Params() []Param {
	w := c.Width
	p := []Param{{"jud.stem.w", []int{c.StemTaps, 2 * c.Features.NMels, w}}, {"jud.stem.b", []int{w}}}
	for i := range c.Blocks {
		b := fmt.Sprintf("jud.enc.%d", i)
		p = append(p,
			Param{b + ".dw.w", []int{c.Kernel, w}}, Param{b + ".dw.b", []int{w}},
			Param{b + ".norm.gain", []int{w}}, Param{b + ".norm.bias", []int{w}},
			Param{b + ".up.w", []int{w, c.Hidden}}, Param{b + ".up.b", []int{c.Hidden}},
			Param{b + ".down.w", []int{c.Hidden, w}}, Param{b + ".down.b", []int{w}})
	}
	return append(p,
		Param{"jud.norm.gain", []int{w}}, Param{"jud.norm.bias", []int{w}},
		Param{"jud.embed.w", []int{2 * w, c.Embedding}}, Param{"jud.embed.b", []int{c.Embedding}})
}

// Judge is the network, ready to hear. It is immutable and may be shared.
type Judge struct {
	cfg       Config
	trained   Trained
	stem      *nn.Linear
	blocks    []*nn.Block
	gain      []float32
	bias      []float32
	embedding *nn.Linear
}

// New packs weights by name; every one of Config.Params must be there with as many numbers as its shape holds.
func New(c Config, trained Trained, tensors map[string][]float32) (*Judge, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	for _, p := range c.Params() {
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		if len(tensors[p.Name]) != n {
			return nil, fmt.Errorf("judge: tensor %q: %d numbers, want %d for shape %v", p.Name, len(tensors[p.Name]), n, p.Shape)
		}
		for _, v := range tensors[p.Name] {
			if v-v != 0 {
				return nil, fmt.Errorf("judge: tensor %q: %g", p.Name, v)
			}
		}
	}
	get := func(name string) []float32 { return tensors[name] }
	j := &Judge{
		cfg: c, trained: trained,
		stem: nn.NewLinear(get("jud.stem.w"), get("jud.stem.b"), c.StemTaps*2*c.Features.NMels, c.Width),
		gain: get("jud.norm.gain"), bias: get("jud.norm.bias"),
		embedding: nn.NewLinear(get("jud.embed.w"), get("jud.embed.b"), 2*c.Width, c.Embedding),
	}
	for i := range c.Blocks {
		j.blocks = append(j.blocks, nn.NewBlock(get, fmt.Sprintf("jud.enc.%d", i), c.Kernel, c.Width, c.Hidden))
	}
	return j, nil
}

// Config is the form of the network, and the features that it hears.
func (j *Judge) Config() Config { return j.cfg }

// Trained says how it was trained and how well it tells speakers apart.
func (j *Judge) Trained() Trained { return j.trained }

// MinFrames is the least of speech, silence aside, that gives an embedding: half a second is little for a voice, and below
// it nothing can be said.
const MinFrames = 50

// EmbedClip is Embed of a recording of any rate and level.
func (j *Judge) EmbedClip(clip audio.Clip) ([]float32, error) {
	recording, err := features.Analyze(j.cfg.Features, clip)
	if err != nil {
		return nil, fmt.Errorf("judge: %w", err)
	}
	return j.Embed(recording.Frames)
}

// Embed makes the embedding, [embedding], of length 1, of frames with the judge's features, which must have LogEnergy. It
// is an error if there are fewer than MinFrames that are no silence.
func (j *Judge) Embed(f features.Frames) ([]float32, error) {
	x := Hear(j.cfg, f)
	if n := len(x) / j.cfg.Features.NMels; n < MinFrames {
		return nil, fmt.Errorf("judge: %d frames of speech, want at least %d (half a second)", n, MinFrames)
	}
	return j.Forward(x), nil
}

// Hear is what the network is given of a recording, [frames, nMels]: the frames that are no silence, an even number of
// them, less their mean over time and bands, so that the level does not count.
func Hear(c Config, f features.Frames) []float32 {
	if f.Len() == 0 {
		return nil
	}
	energies := slices.Clone(f.LogEnergy)
	slices.Sort(energies)
	least := energies[len(energies)*95/100] - float32(c.ActiveDB*math.Ln10/20)
	var x []float32
	for t, e := range f.LogEnergy {
		if e >= least {
			x = append(x, f.Mel(t)...)
		}
	}
	x = x[:len(x)/(2*f.NMels)*2*f.NMels]
	Level(x)
	return x
}

// Level subtracts the mean of x from it.
func Level(x []float32) {
	var sum float64
	for _, v := range x {
		sum += float64(v)
	}
	mean := float32(sum / float64(max(len(x), 1)))
	for i := range x {
		x[i] -= mean
	}
}

// stepsAtOnce is how many steps go through the network in one call.
const stepsAtOnce = 64

// Forward is the network itself: x is what Hear gives, or a part of it, an even number of frames.
func (j *Judge) Forward(x []float32) []float32 {
	c := j.cfg
	row := 2 * c.Features.NMels
	if len(x) == 0 || len(x)%row != 0 {
		panic(fmt.Sprintf("judge: %d numbers, want pairs of frames of %d", len(x), row/2))
	}
	var stem nn.Window
	var h, norm, hidden []float32
	past := make([]nn.Window, len(j.blocks))
	nn.NewArena(func(a *nn.Arena) {
		stem = nn.NewWindow(a, c.StemTaps-1, stepsAtOnce, row)
		for i, b := range j.blocks {
			past[i] = b.Window(a, stepsAtOnce)
		}
		h, norm, hidden = a.Take(stepsAtOnce*c.Width), a.Take(stepsAtOnce*c.Width), a.Take(stepsAtOnce*c.Hidden)
	})
	sum, squares := make([]float64, c.Width), make([]float64, c.Width)
	for part := range slices.Chunk(x, stepsAtOnce*row) {
		n := len(part) / row
		h := h[:n*c.Width]
		j.stem.ForwardStrided(h, c.Width, stem.Push(part, n), row, n)
		stem.Drop(n)
		for i, b := range j.blocks {
			b.Forward(h, n, &past[i], norm, hidden)
		}
		nn.LayerNorm(h, h, j.gain, j.bias, n)
		for i, v := range h {
			sum[i%c.Width] += float64(v)
			squares[i%c.Width] += float64(v) * float64(v)
		}
	}
	steps := float64(len(x) / row)
	pooled := make([]float32, 2*c.Width)
	for i := range c.Width {
		mean := sum[i] / steps
		pooled[i] = float32(mean)
		pooled[c.Width+i] = float32(math.Sqrt(max(0, squares[i]/steps-mean*mean) + PoolEpsilon))
	}
	e := make([]float32, c.Embedding)
	j.embedding.Forward(e, pooled, 1)
	return unit(e)
}

// PoolEpsilon is added to the variance over time.
const PoolEpsilon = 1e-4

// unit brings v to length 1, in place.
func unit(v []float32) []float32 {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	scale := float32(1 / math.Sqrt(max(sum, 1e-12)))
	for i := range v {
		v[i] *= scale
	}
	return v
}

// Similarity is the cosine of two embeddings or means of such, -1 to 1.
func Similarity(a, b []float32) float64 {
	var ab, aa, bb float64
	for i, v := range a {
		ab += float64(v) * float64(b[i])
		aa += float64(v) * float64(v)
		bb += float64(b[i]) * float64(b[i])
	}
	return ab / math.Sqrt(max(aa*bb, 1e-24))
}

// Enrol is the embedding of a voice of which there are several recordings: the mean of theirs, of length 1. It is nil
// for none.
func Enrol(embeddings [][]float32) []float32 {
	if len(embeddings) == 0 {
		return nil
	}
	mean := make([]float32, len(embeddings[0]))
	for _, e := range embeddings {
		for i, v := range e {
			mean[i] += v
		}
	}
	return unit(mean)
}
