package vocoder

import (
	"fmt"

	"github.com/starvc/vc/features"
)

// NetConfig sizes the neural vocoder: a causal ConvNeXt backbone at frame rate (Siuzdak, "Vocos", 2023) that filters an
// excitation of harmonics and noise in the frequency domain (Liu, Chen and Yu, "Neural homomorphic vocoder", 2020). Per
// frame it reads the log-mel that is wanted and those of the excitation's two parts, and gives each bin of each part a
// gain and a phase; the inverse STFT of their sum is the voice. It travels inside the model file.
type NetConfig struct {
	Features features.Config `json:"features"`

	Width  int `json:"width"`  // channels of the residual stream
	Hidden int `json:"hidden"` // channels inside a block
	Kernel int `json:"kernel"` // taps of a block's causal depthwise convolution, odd
	Blocks int `json:"blocks"`
}

// MaxLogGain bounds the network's log-gains g, in nepers: what counts is MaxLogGain * tanh(g / MaxLogGain).
const MaxLogGain = 5

// PitchInputs is how many numbers about F0 a frame has: the voiced flag and the standardised log-F0.
const PitchInputs = 2

// NetPresets are the sizes that a user can name.
func NetPresets() []string { return []string{"tiny", "base", "large"} }

// NetPreset returns the configuration of that name for a configuration of features: tiny is for tests, base has 1.6 million
// weights and 0.16 GMAC per second of audio, large 3.5 million and 0.35.
func NetPreset(name string, cfg features.Config) (NetConfig, error) {
	switch name {
	case "tiny":
		return NetConfig{Features: cfg, Width: 48, Hidden: 96, Kernel: 7, Blocks: 2}, nil
	case "base":
		return NetConfig{Features: cfg, Width: 192, Hidden: 576, Kernel: 7, Blocks: 6}, nil
	case "large":
		return NetConfig{Features: cfg, Width: 256, Hidden: 768, Kernel: 7, Blocks: 8}, nil
	}
	return NetConfig{}, fmt.Errorf("vocoder preset %q: unknown, known are %v", name, NetPresets())
}

// Validate names the first field that cannot work.
func (c NetConfig) Validate() error {
	if err := c.Features.Validate(); err != nil {
		return err
	}
	for _, f := range []struct {
		name      string
		value     int
		low, high int
	}{
		{"width", c.Width, 8, 4096},
		{"hidden", c.Hidden, 8, 16384},
		{"kernel", c.Kernel, 1, 63},
		{"blocks", c.Blocks, 1, 64},
	} {
		if f.value < f.low || f.value > f.high {
			return fmt.Errorf("vocoder config: %s is %d, want %d to %d", f.name, f.value, f.low, f.high)
		}
	}
	if c.Kernel%2 == 0 {
		return fmt.Errorf("vocoder config: kernel is %d, want an odd number", c.Kernel)
	}
	return nil
}

// Inputs is how many numbers the network reads per frame: the log-mel that is wanted, that of the harmonics, that of the noise,
// and what PitchInputs counts.
func (c NetConfig) Inputs() int { return 3*c.Features.NMels + PitchInputs }

// Outputs is how many numbers it gives per frame: for each bin the harmonics' log-gain, their phase, the noise's log-gain and
// its phase, a block of Bins after the other.
func (c NetConfig) Outputs() int { return 4 * c.Features.Bins() }

// Param names a weight and its shape. Linear layers are [in, out], depthwise kernels [tap, channel].
type Param struct {
	Name  string
	Shape []int
}

// Params lists the weights: the contract between the training graph and the forward on the CPU.
func (c NetConfig) Params() []Param {
	w := c.Width
	p := []Param{{"voc.stem.w", []int{c.Inputs(), w}}, {"voc.stem.b", []int{w}}}
	for i := range c.Blocks {
		b := fmt.Sprintf("voc.block.%d", i)
		p = append(p,
			Param{b + ".dw.w", []int{c.Kernel, w}}, Param{b + ".dw.b", []int{w}},
			Param{b + ".norm.gain", []int{w}}, Param{b + ".norm.bias", []int{w}},
			Param{b + ".up.w", []int{w, c.Hidden}}, Param{b + ".up.b", []int{c.Hidden}},
			Param{b + ".down.w", []int{c.Hidden, w}}, Param{b + ".down.b", []int{w}})
	}
	return append(p,
		Param{"voc.norm.gain", []int{w}}, Param{"voc.norm.bias", []int{w}},
		Param{"voc.head.w", []int{w, c.Outputs()}}, Param{"voc.head.b", []int{c.Outputs()}})
}

// MACs is the cost of one second of audio in multiplications with addition, without the Fourier transforms.
func (c NetConfig) MACs() float64 {
	frame := c.Inputs()*c.Width + c.Blocks*(c.Kernel*c.Width+2*c.Width*c.Hidden) + c.Width*c.Outputs()
	return float64(frame) * float64(c.Features.SampleRate) / float64(c.Features.Hop)
}
