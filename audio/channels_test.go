package audio

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
)

// surround is a WAV of floats with the places of its channels.
func surround(mask Layout, rate int, frames ...[]float32) []byte {
	channels := len(frames[0])
	format := chunk("fmt ", slices.Concat(fmtBody(tagExtensible, channels, rate, 32),
		le(uint16(22), uint16(32), uint32(mask), uint16(tagFloat)), []byte(extensibleTail)))
	return riffFile(format, chunk("data", le(slices.Concat(frames...))))
}

func TestChannelsByPlace(t *testing.T) {
	const at51 = frontLeft | frontRight | frontCentre | lowFrequency | sideLeft | sideRight
	const front = 1 / (1 + 2*attenuated) // of a front channel in its side; the other side has nothing of it
	tests := []struct {
		name  string
		mask  Layout
		frame []float32
		want  float64
		warn  string
	}{
		{"5.1 left", at51, []float32{1, 0, 0, 0, 0, 0}, front / 2, "6 channels were mixed by their places, without the low-frequency channel"},
		{"5.1 right", at51, []float32{0, 1, 0, 0, 0, 0}, front / 2, "without"},
		{"5.1 centre", at51, []float32{0, 0, 1, 0, 0, 0}, front * attenuated, "without"},
		{"5.1 low", at51, []float32{0, 0, 0, 1, 0, 0}, 0, "without"},
		{"5.1 side", at51, []float32{0, 0, 0, 0, 0, 1}, front * attenuated / 2, "without"},
		{"5.1 all", at51, []float32{1, 1, 1, 1, 1, 1}, 1, "without"},
		{"quad", frontLeft | frontRight | backLeft | backRight, []float32{1, 1, 1, 1}, 1, "4 channels were mixed by their places"},
		{"5 with a mask of 4", frontLeft | frontRight | backLeft | backRight, []float32{1, 1, 1, 1, -1.5}, 0.5,
			"5 channels, whose places are not known, were averaged"},
		{"5 without a mask", 0, []float32{1, 1, 1, 1, -1.5}, 0.5, "5 channels, whose places are not known, were averaged"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := surround(tt.mask, 48000, tt.frame)
			got, err := Decode(bytes.NewReader(file))
			if err != nil || len(got.Samples) != 1 || math.Abs(float64(got.Samples[0])-tt.want) > 1e-6 {
				t.Errorf("%v, error %v, want %g", got.Samples, err, tt.want)
			}
			if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], tt.warn) {
				t.Errorf("warnings %q, want %q", got.Warnings, tt.warn)
			}
			// A stream is mixed by the same weights.
			w, err := NewWAVReader(bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			if mixed := weighted(tt.frame, w.MonoWeights()); math.Abs(float64(mixed)-tt.want) > 1e-6 {
				t.Errorf("a stream gives %g, want %g", mixed, tt.want)
			}
		})
	}
}

func TestSides(t *testing.T) {
	const rate = 8000
	a, b := tone(rate, 300, rate), tone(rate, 470, rate)
	scaled := func(x []float32, by float32) []float32 {
		y := make([]float32, len(x))
		for i, v := range x {
			y[i] = by * v
		}
		return y
	}
	average := func(x, y []float32) []float32 {
		z := make([]float32, len(x))
		for i := range x {
			z[i] = (x[i] + y[i]) / 2
		}
		return z
	}
	offset := slices.Repeat([]float32{0.01}, rate)
	tests := []struct {
		name              string
		left, right, want []float32
		warn              string
	}{
		{"two voices", a, b, average(a, b), ""},
		{"the same", a, a, a, ""},
		{"one quieter", a, scaled(a, 0.05), average(a, scaled(a, 0.05)), ""},
		{"right silent", a, make([]float32, rate), a, "the right side is silent: the left side alone was used"},
		{"left silent", make([]float32, rate), a, a, "the left side is silent: the right side alone was used"},
		{"left all but silent", scaled(b, 0.005), a, a, "the left side is silent"},
		{"right nothing but an offset", a, offset, a, "the right side is silent"},
		{"both silent", make([]float32, rate), make([]float32, rate), make([]float32, rate), ""},
		{"inverted", a, scaled(a, -1), a, "left and right cancel each other (their average keeps 0.0 % of the sound): the left side alone was used"},
		{"inverted and louder", scaled(a, 0.5), scaled(a, -0.6), scaled(a, -0.6), "the right side alone"},
		{"inverted in part", a, average(scaled(a, -1), b), average(a, average(scaled(a, -1), b)), ""},
		{"too short to tell", a[:100], make([]float32, 100), scaled(a[:100], 0.5), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			whole := &wholeSound{}
			to := &receiver{most: MaxSamples, take: whole.take}
			sink := newChannelSink(rate, 2, 0, to)
			x := make([]float32, 0, 2*rate)
			for i := range tt.left {
				x = append(x, tt.left[i], tt.right[i])
			}
			for c := range slices.Chunk(x, 2*97) {
				if err := sink.add(c); err != nil {
					t.Fatal(err)
				}
			}
			got, err := sink.clip()
			if err != nil {
				t.Fatal(err)
			}
			got.Samples = whole.mix(to.mono)
			if !slices.Equal(got.Samples, tt.want) {
				t.Error("other samples")
			}
			if tt.warn == "" && got.Warnings != nil || tt.warn != "" && (len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], tt.warn)) {
				t.Errorf("warnings %q, want %q", got.Warnings, tt.warn)
			}
		})
	}
}
