package vocoder

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
)

func sourceFilter(tb testing.TB, cfg features.Config, passes int) *SourceFilter {
	tb.Helper()
	s, err := NewPolishedSourceFilter(cfg, 1, passes)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// framesOf are the features of x.
func framesOf(tb testing.TB, cfg features.Config, x []float32) features.Frames {
	tb.Helper()
	f, err := features.Extract(cfg, x)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func TestSourceFilterChunking(t *testing.T) {
	cfg := features.DefaultConfig()
	f := framesOf(t, cfg, vowels(cfg.SampleRate, 9000))
	for _, passes := range []int{0, 2} {
		s := sourceFilter(t, cfg, passes)
		want := s.Flush(s.Process(nil, f.LogMel, f.F0))
		if len(want) != f.Len()*cfg.Hop {
			t.Errorf("%d samples after Flush, want %d", len(want), f.Len()*cfg.Hop)
		}
		for _, chunk := range []int{1, 2, 7, 13, f.Len()} {
			var got []float32
			for at := 0; at < f.Len(); at += chunk {
				part := f.Slice(at, min(at+chunk, f.Len()))
				got = s.Process(got, part.LogMel, part.F0)
				got = s.Process(got, nil, nil)
			}
			if got = s.Flush(got); !slices.Equal(got, want) {
				t.Errorf("%d passes: chunks of %d frames give other samples than all at once", passes, chunk)
			}
		}
		s.Process(nil, f.LogMel[:11*cfg.NMels], f.F0[:11])
		s.Reset()
		if got := s.Flush(s.Process(nil, f.LogMel, f.F0)); !slices.Equal(got, want) {
			t.Errorf("%d passes: other samples after Reset than in a new stream", passes)
		}
	}
}

func TestSourceFilterNoiseFollowsTheSeed(t *testing.T) {
	cfg := features.DefaultConfig()
	f := framesOf(t, cfg, vowels(cfg.SampleRate, 4000))
	made := map[uint64][]float32{}
	for _, seed := range []uint64{1, 2} {
		for range 2 {
			s, err := NewSourceFilter(cfg, seed)
			if err != nil {
				t.Fatal(err)
			}
			got := s.Flush(s.Process(nil, f.LogMel, f.F0))
			if made[seed] != nil && !slices.Equal(got, made[seed]) {
				t.Errorf("seed %d gave two different signals", seed)
			}
			made[seed] = got
		}
	}
	if slices.Equal(made[1], made[2]) {
		t.Error("two seeds gave the same signal")
	}
}

func TestSourceFilterIsCausal(t *testing.T) {
	for rate, cfg := range configs(t) {
		f := framesOf(t, cfg, vowels(cfg.SampleRate, 9000))
		for _, passes := range []int{0, 1, 3} {
			s := sourceFilter(t, cfg, passes)
			all := s.Flush(s.Process(nil, f.LogMel, f.F0))
			if want := cfg.WinLength/2 + passes*2*cfg.Hop; s.Latency() != want {
				t.Errorf("%s, %d passes: latency of %d samples, want %d", rate, passes, s.Latency(), want)
			}
			for frames := range f.Len() {
				s.Reset()
				got := s.Process(nil, f.LogMel[:frames*cfg.NMels], f.F0[:frames])
				if want := max(0, frames*cfg.Hop-s.Latency()); len(got) != want {
					t.Errorf("%s, %d passes: %d samples after %d frames, want %d", rate, passes, len(got), frames, want)
				}
				if !slices.Equal(got, all[:len(got)]) {
					t.Errorf("%s, %d passes: the first %d frames give other samples than with all", rate, passes, frames)
				}
			}
		}
	}
}

func TestSourceFilterDoesNotAllocate(t *testing.T) {
	cfg := features.DefaultConfig()
	f := framesOf(t, cfg, vowels(cfg.SampleRate, 3200))
	s := sourceFilter(t, cfg, 2)
	dst := make([]float32, 0, 4*f.Len()*cfg.Hop)
	if n := testing.AllocsPerRun(5, func() { dst = s.Process(dst[:0], f.LogMel, f.F0) }); n != 0 {
		t.Errorf("%g allocations per Process", n)
	}
	if n := testing.AllocsPerRun(5, func() { dst = s.Flush(s.Process(dst[:0], f.LogMel, f.F0)) }); n != 0 {
		t.Errorf("%g allocations per Process and Flush", n)
	}
}

// The closed form is the sum of all cosines up to half the sample rate.
func TestPulsesAreHarmonics(t *testing.T) {
	cfg := features.DefaultConfig()
	e := newExcitation(cfg, features.NewSTFT(cfg), 1)
	for _, f0 := range []float64{20, 101.3, 250, 3999} {
		e.reset()
		e.turnTo(f0)
		e.turn = 0.37
		e.pulses(f0, 0)
		half := cfg.WinLength / 2
		for i, got := range e.frame {
			var want float64
			u := 0.37 + f0*float64(i-half)/float64(cfg.SampleRate)
			for h := 1.0; h*f0 <= float64(cfg.SampleRate)/2; h++ {
				want += math.Cos(2 * math.Pi * h * u)
			}
			want *= 2 * math.Sqrt(f0/float64(cfg.SampleRate))
			if math.Abs(got-want) > 1e-6 {
				t.Fatalf("F0 %g Hz, sample %d: %g, want %g", f0, i, got, want)
			}
		}
	}
}

// level is the RMS of x in dB.
func level(x []float32) float64 {
	rms, _ := audio.Level(x)
	return rms
}

// Where voice and noise meet under a steady log-mel there is neither a click nor a hole: the largest step from sample to
// sample and the level stay what they are elsewhere.
func TestSourceFilterBorders(t *testing.T) {
	cfg := features.DefaultConfig()
	logMel := make([]float32, 0, 400*cfg.NMels)
	f0 := make([]float32, 400)
	for i := range f0 {
		for m := range cfg.NMels {
			logMel = append(logMel, 1-2.5*float32(m)/float32(cfg.NMels))
		}
		if i/40%2 == 1 {
			f0[i] = 120
		}
	}
	for _, passes := range []int{0, 2} {
		s := sourceFilter(t, cfg, passes)
		y := s.Flush(s.Process(nil, logMel, f0))
		step := func(from, to int) (largest float64) {
			for i := from; i < to; i++ {
				largest = max(largest, math.Abs(float64(y[i]-y[i-1])))
			}
			return largest
		}
		var inside, across float64
		for border := 40; border < 400; border += 40 {
			at := border * cfg.Hop
			inside = max(inside, step(at+8*cfg.Hop, at+32*cfg.Hop))
			across = max(across, step(at-3*cfg.Hop, at+3*cfg.Hop))
			middle := level(y[at-20*cfg.Hop : at-10*cfg.Hop])
			if d := level(y[at-cfg.Hop:at+cfg.Hop]) - middle; math.Abs(d) > 3 {
				t.Errorf("%d passes: level at the border of frame %d is off by %.1f dB", passes, border, d)
			}
		}
		if across > 1.2*inside {
			t.Errorf("%d passes: a step of %.3f at a border, elsewhere at most %.3f", passes, across, inside)
		}
	}
}

func TestSourceFilterHostileFrames(t *testing.T) {
	const frames = 80
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for rate, cfg := range configs(t) {
		loud := framesOf(t, cfg, vowels(cfg.SampleRate, (frames-1)*cfg.Hop)).LogMel
		mixed := slices.Clone(loud)
		for i := range mixed {
			mixed[i] = []float32{nan, inf, -inf, 3, 1e30}[i*7%5]
		}
		one := constant(frames*cfg.NMels, -1e6)
		for i := 3; i < len(one); i += cfg.NMels {
			one[i] = 1 // a single low band, where a high voice has no harmonic
		}
		mels := map[string][]float32{
			"speech": loud, "silence": constant(frames*cfg.NMels, cfg.NormalizeMel(0)), "NaN": constant(frames*cfg.NMels, nan),
			"infinite": constant(frames*cfg.NMels, inf), "mixed": mixed, "one band": one,
		}
		f0s := map[string][]float32{
			"voiced": constant(frames, 130), "unvoiced": make([]float32, frames), "NaN": constant(frames, nan),
			"infinite": constant(frames, inf), "negative": constant(frames, -100), "tiny": constant(frames, 1e-30), "high": constant(frames, 7900),
			"wild": slices.Repeat([]float32{50, 1000, 0, 3e38, 21, nan, 500, 60}, frames/8),
		}
		for mel, logMel := range mels {
			for pitch, f0 := range f0s {
				t.Run(rate+" "+mel+" "+pitch, func(t *testing.T) {
					s := sourceFilter(t, cfg, 1)
					y := s.Flush(s.Process(nil, logMel, f0))
					var sum, power float64
					for i, v := range y {
						if !(v >= -1 && v <= 1) {
							t.Fatalf("sample %d is %g", i, v)
						}
						sum += float64(v)
						power += float64(v) * float64(v)
					}
					if (mel == "silence" || mel == "NaN") && power != 0 {
						t.Errorf("silence came out at %.1f dBFS, want nothing", 10*math.Log10(power/float64(len(y))))
					}
					if mean := math.Abs(sum / float64(len(y))); mel == "speech" && mean > 3e-4 {
						t.Errorf("constant offset of %.1f dBFS, want -70 or less", 20*math.Log10(mean))
					}
				})
			}
		}
	}
}

func TestSourceFilterRefuses(t *testing.T) {
	broken := features.DefaultConfig()
	broken.Hop = 0
	narrow := features.DefaultConfig()
	narrow.NMels = 256
	for name, try := range map[string]func() error{
		"no hop":          func() error { _, err := NewSourceFilter(broken, 1); return err },
		"empty bands":     func() error { _, err := NewSourceFilter(narrow, 1); return err },
		"negative passes": func() error { _, err := NewPolishedSourceFilter(features.DefaultConfig(), 1, -1); return err },
		"absurd passes":   func() error { _, err := NewPolishedSourceFilter(features.DefaultConfig(), 1, 1e6); return err },
	} {
		if try() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The output has the pitch that was asked for, whatever the log-mel was made from: features of recordings, with their
// own F0 and with one that is a fifth higher, as in a conversion.
func TestSourceFilterKeepsThePitchOfClips(t *testing.T) {
	cfg := features.DefaultConfig()
	for name, x := range clips(t, cfg) {
		f := framesOf(t, cfg, x)
		for _, ratio := range []float32{1, 1.5} {
			wanted := slices.Clone(f.F0)
			for i := range wanted {
				wanted[i] *= ratio
			}
			for _, passes := range []int{0, 3} {
				t.Run(fmt.Sprintf("%s times %g, %d passes", name, ratio, passes), func(t *testing.T) {
					s := sourceFilter(t, cfg, passes)
					y := s.FlushTo(s.Process(nil, f.LogMel, wanted), len(x))
					tracker := features.NewF0Tracker(cfg)
					heard := tracker.Flush(tracker.Process(nil, y))
					var cents []float64
					missed := 0
					for i, hz := range wanted {
						if hz > 0 && heard[i] > 0 {
							cents = append(cents, math.Abs(1200*math.Log2(float64(heard[i]/hz))))
						} else if hz > 0 {
							missed++
						}
					}
					slices.Sort(cents)
					median, most := cents[len(cents)/2], cents[len(cents)*9/10]
					unheard := float64(missed) / float64(missed+len(cents))
					t.Logf("pitch off by %.1f cents, nine tenths within %.1f; %.1f %% unheard", median, most, 100*unheard)
					if median > 10 || most > 60 || unheard > 0.08 {
						t.Errorf("pitch off by %.1f cents, nine tenths within %.1f, %.1f %% unheard: want 6, 40 and 6 %% or less",
							median, most, 100*unheard)
					}
				})
			}
		}
	}
}

// The scores of a round trip of recordings: the mean difference of the log-mel.
func TestSourceFilterRoundTripOfClips(t *testing.T) {
	cfg := features.DefaultConfig()
	limits := map[int]float64{0: 0.24, 1: 0.22, 3: 0.2}
	for name, x := range clips(t, cfg) {
		f := framesOf(t, cfg, x)
		for passes, limit := range limits {
			t.Run(fmt.Sprintf("%s, %d passes", name, passes), func(t *testing.T) {
				s := sourceFilter(t, cfg, passes)
				y := s.FlushTo(s.Process(nil, f.LogMel, f.F0), len(x))
				got := melDistance(cfg, f.LogMel, logMels(t, cfg, y))
				t.Logf("log-mel off by %.3f, spectral convergence %.1f dB", got, convergence(cfg, x, y))
				if got > limit {
					t.Errorf("log-mel off by %.3f, want %.3f or less", got, limit)
				}
			})
		}
	}
}

// clips are the recordings that come with the source, by name.
func clips(t testing.TB, cfg features.Config) map[string][]float32 {
	t.Helper()
	paths, err := filepath.Glob("../testdata/clips/*.flac")
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Skip("no recordings in ../testdata/clips")
	}
	found := map[string][]float32{}
	for _, path := range paths {
		clip, err := audio.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found[filepath.Base(path)] = audio.Resample(clip.Samples, clip.Rate, cfg.SampleRate)
	}
	return found
}

func BenchmarkSourceFilter(b *testing.B) {
	cfg := features.DefaultConfig()
	x := vowels(cfg.SampleRate, 2*cfg.SampleRate)
	f := framesOf(b, cfg, x)
	for _, passes := range []int{0, 3} {
		b.Run(fmt.Sprintf("passes=%d", passes), func(b *testing.B) {
			s := sourceFilter(b, cfg, passes)
			dst := make([]float32, 0, 2*len(x))
			b.ReportAllocs()
			for b.Loop() {
				dst = s.Flush(s.Process(dst[:0], f.LogMel, f.F0))
			}
			reportRTF(b, cfg, len(x))
		})
	}
}
