package vc

import (
	"math"
	"slices"
	"testing"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/untrained"
)

// tilted is a model of three voices that change nothing but the slope of the spectrum: dull, as it was, and bright. What
// it says is as clean as what it hears, so that a click would stand out.
func tilted(t *testing.T) *Model {
	t.Helper()
	echo := untrained.Echo(features.DefaultConfig())
	c, n := echo.Config, echo.Config.NMels
	speakers := []gan.SpeakerInfo{echo.Speakers[0], echo.Speakers[0], echo.Speakers[0]}
	tensors := map[string][]float32{}
	for _, p := range c.ModelParams(len(speakers)) {
		numbers := 1
		for _, d := range p.Shape {
			numbers *= d
		}
		tensors[p.Name] = make([]float32, numbers)
		copy(tensors[p.Name], echo.Tensor(p.Name))
	}
	for i := range speakers {
		speakers[i].Name = string(rune('a' + i))
		speakers[i].LogF0Mean += 0.2 * float64(i-1)
		tensors["speakers.style"][i*c.StyleDim] = float32(i - 1)
	}
	// The style's first number becomes a bias of the normalisation, passes the GELU where that is straight, and is added
	// to the bands with a slope, as two opposite channels each.
	const straight = 20
	tensors["gen.dec.0.ada.w"][c.Width] = 1
	tensors["gen.dec.0.up.w"][0] = 1
	tensors["gen.dec.0.up.b"][0] = straight
	for m := range n {
		slope := 0.4 * (2*float32(m)/float32(n) - 1)
		tensors["gen.dec.0.down.w"][m], tensors["gen.dec.0.down.w"][n+m] = slope, -slope
		tensors["gen.dec.0.down.b"][m], tensors["gen.dec.0.down.b"][n+m] = -straight*slope, straight*slope
	}
	m, err := gan.NewModel(echo.Features, c, speakers, gan.Trained{}, tensors)
	if err != nil {
		t.Fatal(err)
	}
	return New(m)
}

// steady is a buzz without pauses, so that every jump in it is one of its own.
func steady(rate, samples int) []float32 {
	x := make([]float32, samples)
	phase := 0.0
	for i := range x {
		t := float64(i) / float64(rate)
		phase += (130 + 10*math.Sin(3*t)) / float64(rate)
		for k := 1.0; k < 20; k++ {
			x[i] += float32(0.05 / k * math.Sin(2*math.Pi*k*phase))
		}
	}
	return x
}

// largestJump is the largest step from one sample to the next, from sample a to sample b.
func largestJump(y []float32, a, b int) float64 {
	worst := 0.0
	for i := max(1, a); i < min(b, len(y)); i++ {
		worst = math.Max(worst, math.Abs(float64(y[i]-y[i-1])))
	}
	return worst
}

// A change of voice or pitch in mid-stream makes no step that is larger than those which the voices make themselves.
func TestChangesMakeNoClick(t *testing.T) {
	const rate, every = 16000, 4111 // samples from one change to the next
	m := tilted(t)
	x := steady(rate, 6*rate)
	run := func(change func(s *Stream, k int)) []float32 {
		s, err := m.NewStream(m.SpeakerVoice(0), m.StreamOptions(rate))
		if err != nil {
			t.Fatal(err)
		}
		var y []float32
		k := 0
		for piece := range slices.Chunk(x, every) {
			if k > 0 {
				change(s, k)
			}
			y = s.Process(y, piece)
			k++
		}
		return s.Flush(y)
	}
	// Each voice by itself, and pitches at both ends of what is to come.
	allowed := 0.0
	var voices [][]float32
	for speaker := range m.networks.Speakers {
		for _, semitones := range []float64{-4, 0, 4} {
			y := run(func(s *Stream, k int) {
				if k == 1 {
					s.SetVoice(m.SpeakerVoice(speaker))
					if err := s.SetPitch(semitones); err != nil {
						t.Fatal(err)
					}
					if err := s.SetFormant(semitones); err != nil {
						t.Fatal(err)
					}
				}
			})
			allowed = math.Max(allowed, largestJump(y, 2*every, len(y)))
			voices = append(voices, y)
		}
	}
	// The measure must be able to notice a click: here from each voice to the next, with nothing between.
	spliced := 0.0
	for i := 2 * every; i < len(x); i += every {
		a, b := voices[i/every%len(voices)], voices[(i/every+1)%len(voices)]
		spliced = math.Max(spliced, math.Abs(float64(b[i]-a[i-1])))
	}
	if spliced < 1.3*allowed {
		t.Fatalf("voices cut together make steps of %.4f, themselves %.4f: the test is blind", spliced, allowed)
	}
	for name, change := range map[string]func(s *Stream, k int){
		"voice": func(s *Stream, k int) { s.SetVoice(m.SpeakerVoice(k % len(m.networks.Speakers))) },
		"pitch": func(s *Stream, k int) {
			if err := s.SetPitch(float64(k%3*4 - 4)); err != nil {
				t.Fatal(err)
			}
		},
		"formant": func(s *Stream, k int) {
			if err := s.SetFormant(float64(k%3*4 - 4)); err != nil {
				t.Fatal(err)
			}
		},
		"speaker by name": func(s *Stream, k int) {
			if err := s.SetVoice(m.SpeakerVoice(k % len(m.networks.Speakers))); err != nil {
				t.Fatal(err)
			}
		},
	} {
		y := run(change)
		if len(y) != len(x) {
			t.Errorf("%s: %d samples, want %d", name, len(y), len(x))
		}
		got := largestJump(y, 2*every, len(y))
		t.Logf("%s: steps of %.4f at most, the voices make %.4f", name, got, allowed)
		if got > 1.2*allowed {
			t.Errorf("%s: a step of %.4f, the voices themselves make %.4f", name, got, allowed)
		}
	}
}

// Changes take effect at the same sample however the input is cut around them, as long as the cut at the change stays.
func TestChangesAnyChunking(t *testing.T) {
	const rate, at = 16000, 5003
	m := model(t)
	x := steady(rate, 12000)
	s, err := m.NewStream(m.SpeakerVoice(0), m.StreamOptions(rate))
	if err != nil {
		t.Fatal(err)
	}
	var want []float32
	for _, chunk := range []int{len(x), 1, 159, 160, 161, 997} {
		s.SetVoice(m.SpeakerVoice(0))
		if err := s.SetFormant(0); err != nil {
			t.Fatal(err)
		}
		s.Reset()
		if err := s.SetPitch(0); err != nil {
			t.Fatal(err)
		}
		var y []float32
		for _, part := range [][]float32{x[:at], x[at:]} {
			for piece := range slices.Chunk(part, chunk) {
				y = s.Process(y, piece)
			}
			s.SetVoice(m.SpeakerVoice(2))
			if err := s.SetPitch(-3); err != nil {
				t.Fatal(err)
			}
			if err := s.SetFormant(2); err != nil {
				t.Fatal(err)
			}
		}
		y = s.Flush(y)
		if want == nil {
			want = y
		} else if !slices.Equal(y, want) {
			t.Errorf("chunks of %d samples give another output", chunk)
		}
	}
}

// The whole way, resampling included, with changes and with each vocoder that a stream can have.
func TestStreamsDoNotAllocate(t *testing.T) {
	m := withNet(t, model(t))
	for _, rate := range []int{16000, 44100, 48000} {
		for _, v := range LiveVocoders() {
			for _, ms := range []int{10, 20, 40} {
				o := m.StreamOptions(rate)
				o.Vocoder, o.VocoderPasses = v, 1
				s, err := m.NewStream(m.SpeakerVoice(0), o)
				if err != nil {
					t.Fatal(err)
				}
				x := vowel(rate, rate*ms/1000)
				y := make([]float32, 0, rate)
				voices := [2]Voice{m.SpeakerVoice(1), m.SpeakerVoice(2)}
				k := 0
				if n := testing.AllocsPerRun(60, func() {
					k++
					s.SetVoice(voices[k%2])
					if err := s.SetPitch(float64(k % 5)); err != nil {
						t.Fatal(err)
					}
					if err := s.SetFormant(float64(k % 7)); err != nil {
						t.Fatal(err)
					}
					y = s.Process(y[:0], x)
				}); n != 0 {
					t.Errorf("%d Hz, %s, %d ms: %g allocations per chunk", rate, v, ms, n)
				}
			}
		}
	}
}

// A stream gives as many samples as it got, however few.
func TestStreamShortInputs(t *testing.T) {
	for _, rate := range []int{16000, 44100, 48000} {
		s := stream(t, rate, rate, 2)
		for _, n := range []int{0, 1, 2, 159, 160, 400, 401, 1000, 4096, 4097} {
			if y := s.Flush(s.Process(nil, vowel(rate, n))); len(y) != n || !allFinite(y) {
				t.Errorf("%d Hz: %d samples gave %d", rate, n, len(y))
			}
		}
	}
}
