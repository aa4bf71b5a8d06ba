package vocoder

import (
	"fmt"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/nn"
	"github.com/starvc/vc/internal/safetensors"
	"github.com/starvc/vc/internal/simd"
)

// Net is the weights of a neural vocoder, packed for this processor. It is immutable and may be shared; NewStream makes
// streams over it.
type Net struct {
	cfg     NetConfig
	trained map[string]string
	tensors map[string][]float32

	stem               *nn.Linear
	blocks             []*nn.Block
	headGain, headBias []float32
	head               *nn.Linear
}

// NewNet makes a network of the weights of cfg.Params by name, row-major, and of whatever text trained holds about how they came
// about, which may be nil; both are kept and must not change. It is an error if cfg is not valid, if a weight is missing, unknown,
// of the wrong length or not finite, and if the points of the Fourier transform are no power of two, nor three times one.
func NewNet(cfg NetConfig, trained map[string]string, tensors map[string][]float32) (*Net, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if points := cfg.Features.NFFT; !simd.CanFFT(points) {
		return nil, fmt.Errorf("vocoder config: nFFT is %d, want a power of two or three times one, from 8 on", points)
	}
	if _, err := NewNetSource(cfg.Features, 0); err != nil {
		return nil, err // which NewStream could not return
	}
	if err := safetensors.CheckWeights(cfg.Params(), tensors); err != nil {
		return nil, err
	}
	linear := func(name string, in, out int) *nn.Linear {
		return nn.NewLinear(tensors[name+".w"], tensors[name+".b"], in, out)
	}
	n := &Net{cfg: cfg, trained: trained, tensors: tensors, stem: linear("voc.stem", cfg.Inputs(), cfg.Width)}
	for i := range cfg.Blocks {
		n.blocks = append(n.blocks, nn.NewBlock(func(name string) []float32 { return tensors[name] }, fmt.Sprintf("voc.block.%d", i),
			cfg.Kernel, cfg.Width, cfg.Hidden))
	}
	n.headGain, n.headBias = tensors["voc.norm.gain"], tensors["voc.norm.bias"]
	n.head = linear("voc.head", cfg.Width, cfg.Outputs())
	return n, nil
}

// Config is what the network was made with.
func (n *Net) Config() NetConfig { return n.cfg }

// Features is the configuration of the frames that the network understands.
func (n *Net) Features() features.Config { return n.cfg.Features }

// Tensor gives a weight by its name in NetConfig.Params, row-major, not to be changed; nil if there is none.
func (n *Net) Tensor(name string) []float32 { return n.tensors[name] }

// Trained is what its file says about how the network came about; nil if nothing. It must not be changed.
func (n *Net) Trained() map[string]string { return n.trained }

// netState is what a stream through the network remembers, and its scratch memory.
type netState struct {
	past            []nn.Window // a block each
	h, norm, hidden []float32
}

func (n *Net) newState(a *nn.Arena, room int) netState {
	c := n.cfg
	s := netState{past: make([]nn.Window, len(n.blocks))}
	for i, b := range n.blocks {
		s.past[i] = b.Window(a, room)
	}
	s.h, s.norm, s.hidden = a.Take(room*c.Width), a.Take(room*c.Width), a.Take(room*c.Hidden)
	return s
}

func (s *netState) reset() {
	for i := range s.past {
		s.past[i].Reset()
	}
}

// forward computes out, [frames, Outputs], of in, [frames, Inputs]. Each row comes out the same however many go together.
func (n *Net) forward(out, in []float32, frames int, s *netState) {
	w := n.cfg.Width
	h, norm := s.h[:frames*w], s.norm[:frames*w]
	n.stem.Forward(h, in, frames)
	for i, b := range n.blocks {
		b.Forward(h, frames, &s.past[i], norm, s.hidden)
	}
	nn.LayerNorm(norm, h, n.headGain, n.headBias, frames)
	n.head.Forward(out, norm, frames)
}
