package features

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

func extractor(t testing.TB, cfg Config) *Extractor {
	t.Helper()
	e, err := NewExtractor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// sameFrames demands identical bits.
func sameFrames(t *testing.T, got, want Frames) {
	t.Helper()
	if got.NMels != want.NMels || !slices.Equal(got.LogMel, want.LogMel) {
		t.Errorf("log-mel differs (%d frames, want %d)", got.Len(), want.Len())
	}
	if !slices.Equal(got.F0, want.F0) {
		t.Errorf("F0 differs (%d frames, want %d)", len(got.F0), len(want.F0))
	}
	if !slices.Equal(got.LogEnergy, want.LogEnergy) {
		t.Errorf("energy differs (%d frames, want %d)", len(got.LogEnergy), len(want.LogEnergy))
	}
}

func TestAnyChunkingGivesTheSameBits(t *testing.T) {
	for _, cfg := range configs(t) {
		x := speech(t)[:cfg.SampleRate+123]
		want, err := Extract(cfg, x)
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.NumFrames(len(x)); want.Len() != got {
			t.Fatalf("%d frames, want %d", want.Len(), got)
		}
		e := extractor(t, cfg) // one for all cases: Flush must leave nothing behind
		for _, chunk := range []int{1, cfg.Hop - 1, cfg.Hop, cfg.Hop + 1, 997, len(x)} {
			t.Run(fmt.Sprintf("%d/%d", cfg.SampleRate, chunk), func(t *testing.T) {
				var got Frames
				for piece := range slices.Chunk(x, chunk) {
					e.Process(&got, piece)
				}
				e.Flush(&got)
				sameFrames(t, got, want)
			})
		}
	}
}

func TestReset(t *testing.T) {
	cfg := DefaultConfig()
	x := speech(t)[:8000]
	want, err := Extract(cfg, x)
	if err != nil {
		t.Fatal(err)
	}
	e := extractor(t, cfg)
	var got Frames
	e.Process(&got, speech(t)[20000:30001])
	e.Reset()
	got.Clear()
	e.Process(&got, x)
	e.Flush(&got)
	sameFrames(t, got, want)
}

// What is known after n samples must not change by what follows, and every frame must be known as soon as Latency says.
func TestCausality(t *testing.T) {
	for _, cfg := range configs(t) {
		x := speech(t)[:cfg.SampleRate]
		whole, err := Extract(cfg, x)
		if err != nil {
			t.Fatal(err)
		}
		e := extractor(t, cfg)
		for _, samples := range []int{0, 1, cfg.WinLength/2 - 1, cfg.WinLength / 2, cfg.Hop + cfg.WinLength/2 - 1, cfg.Hop + cfg.WinLength/2, 997, 7919, len(x)} {
			t.Run(fmt.Sprintf("%d/%d", cfg.SampleRate, samples), func(t *testing.T) {
				e.Reset()
				var got Frames
				e.Process(&got, x[:samples])
				want := 0
				if samples >= e.Latency() {
					want = 1 + (samples-e.Latency())/cfg.Hop
				}
				if got.Len() != want {
					t.Fatalf("%d frames, want %d", got.Len(), want)
				}
				sameFrames(t, got, whole.Slice(0, want))
			})
		}
	}
}

func TestShortSignals(t *testing.T) {
	for _, cfg := range configs(t) {
		for _, samples := range []int{0, 1, cfg.Hop - 1, cfg.Hop, cfg.WinLength} {
			f, err := Extract(cfg, noise(samples, 9))
			if err != nil {
				t.Fatal(err)
			}
			if want := cfg.NumFrames(samples); f.Len() != want || len(f.F0) != want || len(f.LogEnergy) != want {
				t.Errorf("%d samples: %d, %d and %d frames, want %d", samples, f.Len(), len(f.F0), len(f.LogEnergy), want)
			}
		}
	}
}

func TestSilence(t *testing.T) {
	cfg := DefaultConfig()
	f, err := Extract(cfg, make([]float32, cfg.SampleRate))
	if err != nil {
		t.Fatal(err)
	}
	for i := range f.Len() {
		if f.LogEnergy[i] != float32(math.Log(1e-5)) {
			t.Fatalf("frame %d: energy %g, want ln 1e-5", i, f.LogEnergy[i])
		}
		if f.F0[i] != 0 {
			t.Fatalf("frame %d: F0 %g, want 0", i, f.F0[i])
		}
		for m, v := range f.Mel(i) {
			if v != cfg.NormalizeMel(0) {
				t.Fatalf("frame %d, band %d: %g, want the floor", i, m, v)
			}
		}
	}
}

func TestLogEnergy(t *testing.T) {
	cfg := DefaultConfig()
	x := make([]float32, cfg.SampleRate)
	for i := range x {
		x[i] = -0.25
	}
	f, err := Extract(cfg, x)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range f.LogEnergy {
		// Half of the first frame lies before the signal.
		want := math.Log(0.25)
		switch at := i * cfg.Hop; {
		case at == 0:
			want = math.Log(0.25 * math.Sqrt(0.5))
		case at < cfg.WinLength/2 || at > len(x)-cfg.WinLength/2:
			continue
		}
		// The periodic window is not quite symmetric about the frame's centre.
		if math.Abs(float64(v)-want) > 5e-3 {
			t.Errorf("frame %d: %g, want %g", i, v, want)
		}
	}
}

func TestProcessDoesNotAllocate(t *testing.T) {
	cfg := DefaultConfig()
	e := extractor(t, cfg)
	x := speech(t)[20000:][:10*cfg.Hop]
	f := Frames{NMels: cfg.NMels}
	f.Grow(20)
	if n := testing.AllocsPerRun(20, func() { f.Clear(); e.Process(&f, x) }); n != 0 {
		t.Errorf("%g allocations, want 0", n)
	}
}

func TestProcessRefusesOtherFrames(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("frames of 40 bands are taken for frames of 80")
		}
	}()
	extractor(t, DefaultConfig()).Process(&Frames{NMels: 40}, nil)
}

func TestSlice(t *testing.T) {
	f, err := Extract(DefaultConfig(), noise(1600, 4))
	if err != nil {
		t.Fatal(err)
	}
	after := f.LogEnergy[5]
	s := f.Slice(2, 5)
	if s.Len() != 3 || &s.LogMel[0] != &f.LogMel[2*f.NMels] || s.F0[0] != f.F0[2] || s.LogEnergy[2] != f.LogEnergy[4] {
		t.Error("the slice is not frames 2 to 5")
	}
	s.LogEnergy = append(s.LogEnergy, 1)
	if f.LogEnergy[5] != after {
		t.Error("appending to the slice overwrote the frames")
	}
	if got := (Frames{NMels: 2, LogMel: make([]float32, 8)}).Slice(1, 3); got.Len() != 2 || got.F0 != nil {
		t.Errorf("a slice without F0 is %v", got)
	}
	if n := (Frames{}).Len(); n != 0 {
		t.Errorf("no frames are %d", n)
	}
}

// The RTF is processing time divided by the time the audio lasts.
func reportRTF(b *testing.B, samples, rate int) {
	audio := float64(samples) / float64(rate) * float64(b.N)
	b.ReportMetric(b.Elapsed().Seconds()/audio, "RTF")
}

func BenchmarkExtractor(b *testing.B) {
	for _, cfg := range configs(b) {
		x := speech(b)[:2*cfg.SampleRate]
		e := extractor(b, cfg)
		f := Frames{NMels: cfg.NMels}
		f.Grow(cfg.NumFrames(len(x)))
		b.Run(fmt.Sprintf("all/%d", cfg.SampleRate), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f.Clear()
				e.Process(&f, x)
				e.Flush(&f)
			}
			reportRTF(b, len(x), cfg.SampleRate)
		})
		b.Run(fmt.Sprintf("mel/%d", cfg.SampleRate), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f.Clear()
				e.push(&f, x)
			}
			reportRTF(b, len(x), cfg.SampleRate)
		})
	}
}

func BenchmarkSTFT(b *testing.B) {
	cfg := DefaultConfig()
	s := NewSTFT(cfg)
	x := noise(2*cfg.SampleRate, 6)
	spec := s.Analyze(x)
	b.Run("analyze", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.AnalyzeTo(spec, x)
		}
		reportRTF(b, len(x), cfg.SampleRate)
	})
	b.Run("synthesize", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.SynthesizeTo(x, spec)
		}
		reportRTF(b, len(x), cfg.SampleRate)
	})
}
