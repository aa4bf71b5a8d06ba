// Package phones reads speech as phones on a CPU: the phone network that "vc train phones" makes, its most probable
// sequence, and how far two sequences are apart.
package phones

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/nn"
	"github.com/starvc/vc/internal/safetensors"
)

// Network is a phone network: the form of a generator's encoder, with a linear layer to the phones behind it. It is
// immutable and may be shared.
type Network struct {
	cfg      gan.Config
	features features.Config
	steps    int

	stem       *nn.Linear // over StemPast+1+StemFuture frames
	blocks     []*nn.Block
	gain, bias []float32
	neck, head *nn.Linear
}

// Load reads a file that "vc train phones" made.
func Load(path string) (*Network, error) {
	f, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("phone network: %w", err)
	}
	n, err := Of(f)
	if err != nil {
		return nil, fmt.Errorf("phone network %s: %w", path, err)
	}
	return n, nil
}

// Read is Load for any source of bytes.
func Read(r io.Reader) (*Network, error) {
	f, err := safetensors.Read(r)
	if err != nil {
		return nil, fmt.Errorf("phone network: %w", err)
	}
	return Of(f)
}

// Of is Load for a file that has been read.
func Of(f *safetensors.File) (*Network, error) {
	h, err := HeaderOf(f)
	if err != nil {
		return nil, err
	}
	n := &Network{cfg: h.Encoder, features: h.Features, steps: h.Steps}
	if n.features.NMels != n.cfg.NMels {
		return nil, fmt.Errorf("features have %d mel bands, the network %d", n.features.NMels, n.cfg.NMels)
	}
	if !slices.Equal(h.Names, Names()) {
		return nil, fmt.Errorf("it knows the phones %v, this program %v: train it anew", h.Names, Names())
	}
	tensors, err := safetensors.Weights(f, Params(n.cfg), nil)
	if err != nil {
		return nil, err
	}
	n.pack(func(name string) []float32 { return tensors[name] })
	return n, nil
}

func (n *Network) pack(get func(name string) []float32) {
	c := n.cfg
	n.stem = nn.NewLinear(get("pho.stem.w"), get("pho.stem.b"), c.StemTaps()*c.NMels, c.Width)
	for i := range c.EncoderBlocks {
		n.blocks = append(n.blocks, nn.NewDilatedBlock(get, fmt.Sprintf("pho.enc.%d", i), c.Kernel, c.Width, c.Hidden, c.EncoderDilation(i)))
	}
	n.gain, n.bias = get("pho.neck.norm.gain"), get("pho.neck.norm.bias")
	n.neck = nn.NewLinear(get("pho.neck.down.w"), get("pho.neck.down.b"), c.Width, c.Bottleneck)
	n.head = nn.NewLinear(get("pho.head.w"), get("pho.head.b"), c.Bottleneck, corpus.PhoneCount)
}

// Features are what Forward takes.
func (n *Network) Features() features.Config { return n.features }

// Describe names the network in a few words.
func (n *Network) Describe() string {
	return fmt.Sprintf("%d blocks of %d channels, %d steps", n.cfg.EncoderBlocks, n.cfg.Width, n.steps)
}

// ReadClip is the most probable sequence of phones, without silence, of a recording of any rate.
func (n *Network) ReadClip(clip audio.Clip) ([]uint8, error) {
	r, err := n.Hear(clip)
	return r.Phones, err
}

// Reading is what was read in a recording.
type Reading struct {
	Phones  []uint8 // the most probable sequence, without silence
	Seconds float64 // of speech: what is no silence
}

// Rate is how many phones were spoken in a second of speech, 0 where there was none.
func (r Reading) Rate() float64 {
	if r.Seconds == 0 {
		return 0
	}
	return float64(len(r.Phones)) / r.Seconds
}

// Hear is ReadClip that also tells how long the phones took.
func (n *Network) Hear(clip audio.Clip) (Reading, error) {
	recording, err := features.Analyze(n.features, clip)
	if err != nil {
		return Reading{}, fmt.Errorf("phone network: %w", err)
	}
	spoken, speech := decodePath(n.Forward(recording.Frames.LogMel))
	return Reading{spoken, float64(speech*n.features.Hop) / float64(n.features.SampleRate)}, nil
}

// framesAtOnce is how many frames go through the network in one call.
const framesAtOnce = 64

// Forward gives the log-probabilities, [frames, corpus.PhoneCount], of normalised logMel [frames, nMels], with all of the
// network's look-ahead. Before and behind the recording lie zeros.
func (n *Network) Forward(logMel []float32) []float32 {
	var out []float32
	n.read(logMel, func(hidden []float32, frames int) {
		at := len(out)
		out = append(out, make([]float32, frames*corpus.PhoneCount)...)
		n.head.Forward(out[at:], hidden, frames)
	})
	for row := range slices.Chunk(out, corpus.PhoneCount) {
		logSoftmax(row)
	}
	return out
}

// Hidden gives the hidden layer, [frames, bottleneck], of the same: what a voice model takes for what is said.
func (n *Network) Hidden(logMel []float32) []float32 {
	var out []float32
	n.read(logMel, func(hidden []float32, _ int) { out = append(out, hidden...) })
	return out
}

// read takes logMel through the hidden layer, piece by piece: take is given [frames, bottleneck], which the next piece writes over.
func (n *Network) read(logMel []float32, take func(hidden []float32, frames int)) {
	c := n.cfg
	frames := len(logMel) / c.NMels
	if frames*c.NMels != len(logMel) {
		panic(fmt.Sprintf("phones: %d log-mels, want a multiple of %d", len(logMel), c.NMels))
	}
	padded := make([]float32, (c.StemPast+frames+c.StemFuture)*c.NMels)
	copy(padded[c.StemPast*c.NMels:], logMel)
	past := make([]nn.Window, len(n.blocks))
	var h, norm, hidden, neck []float32
	nn.NewArena(func(a *nn.Arena) {
		for i, b := range n.blocks {
			past[i] = b.Window(a, framesAtOnce)
		}
		h, norm = a.Take(framesAtOnce*c.Width), a.Take(framesAtOnce*c.Width)
		hidden, neck = a.Take(framesAtOnce*c.Hidden), a.Take(framesAtOnce*c.Bottleneck)
	})
	for at := 0; at < frames; at += framesAtOnce {
		k := min(framesAtOnce, frames-at)
		h := h[:k*c.Width]
		n.stem.ForwardStrided(h, c.Width, padded[at*c.NMels:], c.NMels, k)
		for i, b := range n.blocks {
			b.Forward(h, k, &past[i], norm, hidden)
		}
		nn.LayerNorm(h, h, n.gain, n.bias, k)
		n.neck.Forward(neck[:k*c.Bottleneck], h, k)
		take(neck[:k*c.Bottleneck], k)
	}
}

func logSoftmax(x []float32) {
	top := float64(slices.Max(x))
	var sum float64
	for _, v := range x {
		sum += math.Exp(float64(v) - top)
	}
	shift := float32(top + math.Log(sum))
	for i := range x {
		x[i] -= shift
	}
}
