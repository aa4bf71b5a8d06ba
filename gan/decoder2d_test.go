package gan

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// oddImage is odd with a decoder over bands.
func oddImage() Config {
	c := odd()
	c.DecoderBands, c.DecoderChannels = 5, 7
	return c
}

// eachDecoder runs a test for both forms of the decoder.
func eachDecoder(t *testing.T, test func(t *testing.T, c Config)) {
	t.Run("frames", func(t *testing.T) { test(t, odd()) })
	t.Run("image", func(t *testing.T) { test(t, oddImage()) })
	t.Run("dilated", func(t *testing.T) { test(t, dilated()) })
}

// decodeImage computes the decoder over bands from h, [frames][bands*channels], as it leaves the bottleneck.
func (d direct) decodeImage(h [][]float64, style []float64) []float64 {
	c := d.m.Config
	channels := c.DecoderChannels
	p := each(len(h), c.DecoderBands, channels, func(t, b, ch int) float64 { return h[t][b*channels+ch] })
	for i := range c.DecoderBlocks {
		name := fmt.Sprintf("gen.dec.%d", i)
		ada := d.linear(style, name+".ada", 2*channels)
		next := each(len(p), c.DecoderBands, channels, func(t, b, o int) float64 {
			v := d.get(name+".conv.b", o)
			for dt := range 3 {
				for db := range 3 {
					ft, fb := t+dt-2, b+db-1
					if ft < 0 || fb < 0 || fb >= c.DecoderBands {
						continue
					}
					for i := range channels {
						v += p[ft][fb][i] * d.get(name+".conv.w", ((dt*3+db)*channels+i)*channels+o)
					}
				}
			}
			return v
		})
		for t := range p {
			for b := range p[t] {
				n := normalise(next[t][b])
				for ch := range n {
					n[ch] = n[ch]*(1+ada[ch]) + ada[channels+ch]
				}
				next[t][b] = d.feedForward(p[t][b], n, name, c.Hidden*channels/c.Width)
			}
		}
		p = next
	}
	var out []float64
	for t := range p {
		for _, row := range p[t] {
			out = append(out, d.linear(d.layerNorm(row, "gen.out.norm"), "gen.out", c.NMels/c.DecoderBands)...)
		}
	}
	return out
}

func TestImageDecoderConfig(t *testing.T) {
	for _, c := range []struct {
		name            string
		bands, channels int
		want            string // part of the error; empty for none
	}{
		{"none", 0, 0, ""},
		{"four mels a band", 20, 16, ""},
		{"a mel a band", 80, 2, ""},
		{"no divisor", 30, 16, "divisor of nMels, 80"},
		{"negative", -20, 16, "decoderBands is -20"},
		{"no channels", 20, 0, "decoderChannels is 0"},
		{"too many channels", 20, 513, "decoderChannels is 513"},
		{"channels alone", 0, 16, "set decoderBands too"},
	} {
		cfg := Tiny()
		cfg.DecoderBands, cfg.DecoderChannels = c.bands, c.channels
		switch err := cfg.Validate(); {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

// BenchmarkDecoders compares G with a decoder over frames and one over frames and bands.
func BenchmarkDecoders(b *testing.B) {
	flat := Medium()
	flat.DecoderBlocks = 4
	image := flat
	image.DecoderBands, image.DecoderChannels = 20, 16
	for _, form := range []struct {
		name string
		c    Config
	}{{"frames", flat}, {"image", image}} {
		for _, frames := range []int{2, 100} {
			b.Run(fmt.Sprintf("%s/%dms", form.name, 10*frames), func(b *testing.B) {
				g := generator(b, random(form.c, 2, 1), 2)
				logMel, controls := input(form.c, 10, frames)
				dst := make([]float32, 0, frames*form.c.NMels)
				b.ReportAllocs()
				for b.Loop() {
					g.Process(dst, logMel, controls)
				}
				audio := time.Duration(frames) * 10 * time.Millisecond
				b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/audio.Seconds(), "RTF")
			})
		}
	}
}
