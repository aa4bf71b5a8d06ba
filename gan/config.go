package gan

import (
	"fmt"
	"slices"
)

// Config sizes every network of the star: the generator G, the mapping network F, the style encoder E, the
// discriminator D and the source classifier C. It travels inside the model file. Look-ahead is not a part of it:
// a generator is trained for every look-ahead from 0 to StemFuture frames, and the caller chooses.
type Config struct {
	NMels int `json:"nMels"` // mel bands per frame

	// Generator (1-D over time).
	Width         int `json:"width"`         // channels of the residual stream
	Hidden        int `json:"hidden"`        // channels inside a block
	Kernel        int `json:"kernel"`        // taps of a block's causal depthwise convolution, odd
	StemPast      int `json:"stemPast"`      // past frames that the stem convolution sees
	StemFuture    int `json:"stemFuture"`    // future frames that it can see; the largest look-ahead
	EncoderBlocks int `json:"encoderBlocks"` // blocks before the bottleneck, LayerNorm
	DecoderBlocks int `json:"decoderBlocks"` // blocks after the bottleneck, AdaLN
	Bottleneck    int `json:"bottleneck"`    // channels that pass from encoder to decoder

	// EncoderDilations are the frames from one tap to the next of each encoder block's convolution (van den Oord et al. 2016,
	// WaveNet): a block with dilation d hears (Kernel-1)*d frames back, for the work of one without. Empty is 1 for all.
	EncoderDilations []int `json:"encoderDilations,omitempty"`

	// EncoderMels is how many of the mel bands, counted from the lowest, the encoder hears; 0 is all of them. One encoder then
	// serves features that have more bands above, such as those at 24000 Hz, which only the decoder, E, D and C see.
	EncoderMels int `json:"encoderMels,omitempty"`

	// With DecoderBands above 0 the decoder works on an image instead, frames by bands, of DecoderChannels channels: its
	// blocks see neighbouring bands as they see neighbouring frames. nMels must be a multiple of the bands. Width, Hidden
	// and Kernel are then the encoder's, but for Hidden/Width, which is the widening inside a block in both.
	DecoderBands    int `json:"decoderBands,omitempty"`
	DecoderChannels int `json:"decoderChannels,omitempty"` // channels of that image

	// Styles.
	StyleDim  int `json:"styleDim"`  // numbers in a style code
	LatentDim int `json:"latentDim"` // numbers in a latent code z ~ N(0, I)
	MapWidth  int `json:"mapWidth"`  // channels of the mapping network's shared layers
	MapLayers int `json:"mapLayers"` // shared layers of the mapping network

	// BodyWidths are the channels of the 2-D body that E, D and C share in form: the stem's, then one per
	// residual block, each of which halves time and mel by average pooling.
	BodyWidths []int `json:"bodyWidths"`
}

// Controls is the number of values per frame that join the bottleneck: log-F0, voiced flag, log-energy.
const Controls = 3

// Tiny is small enough for tests and for a first try on a CPU.
func Tiny() Config {
	return Config{
		NMels: 80, Width: 96, Hidden: 192, Kernel: 7, StemPast: 4, StemFuture: 4,
		EncoderBlocks: 2, DecoderBlocks: 3, Bottleneck: 32,
		StyleDim: 64, LatentDim: 16, MapWidth: 64, MapLayers: 3,
		BodyWidths: []int{4, 8, 16, 24, 32},
	}
}

// Small is what a CPU alone can train within an hour or two.
func Small() Config {
	return Config{
		NMels: 80, Width: 128, Hidden: 384, Kernel: 7, StemPast: 4, StemFuture: 4,
		EncoderBlocks: 3, DecoderBlocks: 4, Bottleneck: 48,
		StyleDim: 64, LatentDim: 16, MapWidth: 128, MapLayers: 3,
		BodyWidths: []int{8, 16, 32, 64, 64},
	}
}

// Medium is the largest that a CPU can train in an afternoon: half the work of Live.
func Medium() Config {
	return Config{
		NMels: 80, Width: 192, Hidden: 576, Kernel: 7, StemPast: 4, StemFuture: 4,
		EncoderBlocks: 5, DecoderBlocks: 6, Bottleneck: 96,
		StyleDim: 64, LatentDim: 16, MapWidth: 192, MapLayers: 3,
		BodyWidths: []int{16, 32, 64, 128, 128},
	}
}

// Live is the preset for live use: 6 million weights in G, 0.6 GMAC per second of audio.
func Live() Config {
	return Config{
		NMels: 80, Width: 256, Hidden: 768, Kernel: 7, StemPast: 4, StemFuture: 4,
		EncoderBlocks: 6, DecoderBlocks: 8, Bottleneck: 128,
		StyleDim: 64, LatentDim: 16, MapWidth: 256, MapLayers: 3,
		BodyWidths: []int{32, 64, 128, 256, 256},
	}
}

// HQ is the wider preset for files and for machines with time to spare.
func HQ() Config {
	c := Live()
	c.Width, c.Hidden, c.StemFuture = 384, 1152, 8
	return c
}

// Presets are the configurations that a user can name.
func Presets() []string { return []string{"tiny", "small", "medium", "live", "hq"} }

// Preset returns the configuration of that name.
func Preset(name string) (Config, error) {
	switch name {
	case "tiny":
		return Tiny(), nil
	case "small":
		return Small(), nil
	case "medium":
		return Medium(), nil
	case "live":
		return Live(), nil
	case "hq":
		return HQ(), nil
	}
	return Config{}, fmt.Errorf("preset %q: unknown, known are %v", name, Presets())
}

// Validate names the first field that cannot work.
func (c Config) Validate() error {
	for _, f := range []struct {
		name      string
		value     int
		low, high int
	}{
		{"nMels", c.NMels, 16, 256},
		{"width", c.Width, 8, 4096},
		{"hidden", c.Hidden, 8, 16384},
		{"kernel", c.Kernel, 1, 63},
		{"stemPast", c.StemPast, 0, 64},
		{"stemFuture", c.StemFuture, 0, 64},
		{"encoderBlocks", c.EncoderBlocks, 1, 64},
		{"decoderBlocks", c.DecoderBlocks, 1, 64},
		{"bottleneck", c.Bottleneck, 1, 4096},
		{"styleDim", c.StyleDim, 1, 1024},
		{"latentDim", c.LatentDim, 1, 1024},
		{"mapWidth", c.MapWidth, 1, 4096},
		{"mapLayers", c.MapLayers, 1, 16},
	} {
		if f.value < f.low || f.value > f.high {
			return fmt.Errorf("gan config: %s is %d, want %d to %d", f.name, f.value, f.low, f.high)
		}
	}
	if c.Kernel%2 == 0 {
		return fmt.Errorf("gan config: kernel is %d, want an odd number", c.Kernel)
	}
	if n := len(c.EncoderDilations); n != 0 && n != c.EncoderBlocks {
		return fmt.Errorf("gan config: encoderDilations has %d entries for %d encoder blocks, want one each, or none", n, c.EncoderBlocks)
	}
	for i, d := range c.EncoderDilations {
		if d < 1 || d > maxDilation {
			return fmt.Errorf("gan config: encoderDilations[%d] is %d, want 1 to %d", i, d, maxDilation)
		}
	}
	if c.EncoderMels < 0 || c.EncoderMels > c.NMels {
		return fmt.Errorf("gan config: encoderMels is %d, want 0 to nMels, %d", c.EncoderMels, c.NMels)
	}
	if err := c.validateImage(); err != nil {
		return err
	}
	if n := len(c.BodyWidths); n < 2 || n > 7 {
		return fmt.Errorf("gan config: bodyWidths has %d entries, want 2 to 7", n)
	}
	for i, w := range c.BodyWidths {
		if w < 1 || w > 4096 {
			return fmt.Errorf("gan config: bodyWidths[%d] is %d, want 1 to 4096", i, w)
		}
	}
	if c.NMels>>(len(c.BodyWidths)-1) < 1 {
		return fmt.Errorf("gan config: %d residual blocks halve %d mels to nothing", len(c.BodyWidths)-1, c.NMels)
	}
	return nil
}

// maxDilation keeps a damaged model file from asking for absurd amounts of memory.
const maxDilation = 64

// EncoderDilation is how many frames lie between the taps of encoder block i.
func (c Config) EncoderDilation(i int) int {
	if len(c.EncoderDilations) == 0 {
		return 1
	}
	return c.EncoderDilations[i]
}

// EncoderPast is how many frames before a frame the encoder hears.
func (c Config) EncoderPast() int {
	past := c.StemPast
	for i := range c.EncoderBlocks {
		past += (c.Kernel - 1) * c.EncoderDilation(i)
	}
	return past
}

// HeardMels is how many mel bands, counted from the lowest, the encoder hears.
func (c Config) HeardMels() int {
	if c.EncoderMels == 0 {
		return c.NMels
	}
	return c.EncoderMels
}

// StemTaps is the length of the stem convolution.
func (c Config) StemTaps() int { return c.StemPast + 1 + c.StemFuture }

// BodyBlocks is the number of residual blocks in the 2-D body.
func (c Config) BodyBlocks() int { return len(c.BodyWidths) - 1 }

// BodyBands is the number of mel bands left after the 2-D body.
func (c Config) BodyBands() int { return c.NMels >> c.BodyBlocks() }

// MinStyleFrames is the fewest frames that E, D and C can take.
func (c Config) MinStyleFrames() int { return 1 << c.BodyBlocks() }

// Param names a weight and its shape. Kernels are stored [time, mel, in, out] (2-D), [tap, in, out] (stem),
// [tap, channel] (depthwise); linear layers are [in, out].
type Param struct {
	Name  string
	Shape []int
}

// PerSpeaker tells whether a model's weight has a row for each speaker: its first axis is that of the speakers.
func (p Param) PerSpeaker() bool {
	switch p.Name {
	case storedStyles, "map.head.w", "map.head.b", "sty.head.w", "sty.head.b":
		return true
	}
	return false
}

// GeneratorParams lists G's weights: the contract between the training graph and the CPU forward.
func (c Config) GeneratorParams() []Param {
	w := c.Width
	p := []Param{
		{"gen.stem.w", []int{c.StemTaps(), c.HeardMels(), w}}, {"gen.stem.b", []int{w}},
	}
	linears := func(prefix string, w, hidden int) []Param {
		return []Param{
			{prefix + ".up.w", []int{w, hidden}}, {prefix + ".up.b", []int{hidden}},
			{prefix + ".down.w", []int{hidden, w}}, {prefix + ".down.b", []int{w}},
		}
	}
	for i := range c.EncoderBlocks {
		prefix := fmt.Sprintf("gen.enc.%d", i)
		p = append(p,
			Param{prefix + ".dw.w", []int{c.Kernel, w}}, Param{prefix + ".dw.b", []int{w}},
			Param{prefix + ".norm.gain", []int{w}}, Param{prefix + ".norm.bias", []int{w}})
		p = append(p, linears(prefix, w, c.Hidden)...)
	}
	bands, channels := c.decoderBands(), c.decoderChannels()
	p = append(p,
		Param{"gen.neck.norm.gain", []int{w}}, Param{"gen.neck.norm.bias", []int{w}},
		Param{"gen.neck.down.w", []int{w, c.Bottleneck}}, Param{"gen.neck.down.b", []int{c.Bottleneck}},
		Param{"gen.neck.up.w", []int{c.Bottleneck + Controls, bands * channels}}, Param{"gen.neck.up.b", []int{bands * channels}})
	for i := range c.DecoderBlocks {
		prefix := fmt.Sprintf("gen.dec.%d", i)
		if c.DecoderBands > 0 {
			p = append(p, Param{prefix + ".conv.w", []int{3, 3, channels, channels}}, Param{prefix + ".conv.b", []int{channels}})
		} else {
			p = append(p, Param{prefix + ".dw.w", []int{c.Kernel, channels}}, Param{prefix + ".dw.b", []int{channels}})
		}
		p = append(p, Param{prefix + ".ada.w", []int{c.StyleDim, 2 * channels}}, Param{prefix + ".ada.b", []int{2 * channels}})
		p = append(p, linears(prefix, channels, c.decoderHidden())...)
	}
	return append(p,
		Param{"gen.out.norm.gain", []int{channels}}, Param{"gen.out.norm.bias", []int{channels}},
		Param{"gen.out.w", []int{channels, c.NMels / bands}}, Param{"gen.out.b", []int{c.NMels / bands}})
}

// MappingParams lists F's weights for a number of speakers.
func (c Config) MappingParams(speakers int) []Param {
	var p []Param
	in := c.LatentDim
	for i := range c.MapLayers {
		prefix := fmt.Sprintf("map.shared.%d", i)
		p = append(p, Param{prefix + ".w", []int{in, c.MapWidth}}, Param{prefix + ".b", []int{c.MapWidth}})
		in = c.MapWidth
	}
	return append(p,
		Param{"map.head.w", []int{speakers, in, c.StyleDim}}, Param{"map.head.b", []int{speakers, c.StyleDim}})
}

// bodyParams lists the weights of the 2-D body that E, D and C share in form.
func (c Config) bodyParams(prefix string) []Param {
	p := []Param{
		{prefix + ".stem.w", []int{3, 3, 1, c.BodyWidths[0]}}, {prefix + ".stem.b", []int{c.BodyWidths[0]}},
	}
	for i := range c.BodyBlocks() {
		in, out := c.BodyWidths[i], c.BodyWidths[i+1]
		b := fmt.Sprintf("%s.block.%d", prefix, i)
		p = append(p,
			Param{b + ".conv1.w", []int{3, 3, in, in}}, Param{b + ".conv1.b", []int{in}},
			Param{b + ".conv2.w", []int{3, 3, in, out}}, Param{b + ".conv2.b", []int{out}})
		if in != out {
			p = append(p, Param{b + ".skip.w", []int{1, 1, in, out}})
		}
	}
	last := c.BodyWidths[c.BodyBlocks()]
	return append(p, Param{prefix + ".join.w", []int{c.BodyBands() * last, last}}, Param{prefix + ".join.b", []int{last}})
}

// StyleParams lists E's weights for a number of speakers: one head each, and one common to all.
func (c Config) StyleParams(speakers int) []Param {
	last := c.BodyWidths[c.BodyBlocks()]
	return append(c.bodyParams("sty"),
		Param{"sty.head.w", []int{speakers, last, c.StyleDim}}, Param{"sty.head.b", []int{speakers, c.StyleDim}},
		Param{"sty.common.w", []int{last, c.StyleDim}}, Param{"sty.common.b", []int{c.StyleDim}})
}

// DiscriminatorParams lists D's weights (prefix "disc") or C's (prefix "cls"): one logit per speaker.
func (c Config) DiscriminatorParams(prefix string, speakers int) []Param {
	last := c.BodyWidths[c.BodyBlocks()]
	return append(c.bodyParams(prefix),
		Param{prefix + ".head.w", []int{last, speakers}}, Param{prefix + ".head.b", []int{speakers}})
}

// ModelParams lists what a model file holds: G, F, E and the speakers' stored styles.
func (c Config) ModelParams(speakers int) []Param {
	return slices.Concat(c.GeneratorParams(), c.MappingParams(speakers), c.StyleParams(speakers),
		[]Param{{storedStyles, []int{speakers, c.StyleDim}}})
}
