package vocoder

import (
	"fmt"
	"slices"
	"testing"

	"github.com/starvc/vc/features"
)

func TestRTISIChunking(t *testing.T) {
	cfg := features.DefaultConfig()
	logMel := logMels(t, cfg, vowels(cfg.SampleRate, 9000))
	r, err := NewRTISI(cfg, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	want := r.Flush(r.Process(nil, logMel))
	frames := len(logMel) / cfg.NMels
	if len(want) != frames*cfg.Hop {
		t.Errorf("%d samples after Flush, want %d", len(want), frames*cfg.Hop)
	}
	for _, chunk := range []int{1, 2, 7, 13, frames} {
		t.Run(fmt.Sprintf("%d frames", chunk), func(t *testing.T) {
			var got []float32
			for part := range slices.Chunk(logMel, chunk*cfg.NMels) {
				got = r.Process(got, part)
				got = r.Process(got, nil)
			}
			if got = r.Flush(got); !slices.Equal(got, want) {
				t.Error("other samples than all frames at once")
			}
		})
	}
	t.Run("after Reset", func(t *testing.T) {
		r.Process(nil, logMel[:11*cfg.NMels])
		r.Reset()
		if got := r.Flush(r.Process(nil, logMel)); !slices.Equal(got, want) {
			t.Error("other samples than a new stream")
		}
	})
}

func TestRTISIIsCausal(t *testing.T) {
	cfg := features.DefaultConfig()
	logMel := logMels(t, cfg, vowels(cfg.SampleRate, 9000))
	for _, lookAhead := range []int{0, 1, 4} {
		r, err := NewRTISI(cfg, lookAhead, 2)
		if err != nil {
			t.Fatal(err)
		}
		if want := lookAhead*cfg.Hop + cfg.WinLength/2; r.Latency() != want {
			t.Errorf("look-ahead %d: latency %d samples, want %d", lookAhead, r.Latency(), want)
		}
		all := r.Flush(r.Process(nil, logMel))
		for frames := range len(logMel) / cfg.NMels {
			r.Reset()
			got := r.Process(nil, logMel[:frames*cfg.NMels])
			if want := max(0, frames*cfg.Hop-r.Latency()); len(got) != want {
				t.Errorf("look-ahead %d: %d samples after %d frames, want %d", lookAhead, len(got), frames, want)
			}
			if !slices.Equal(got, all[:len(got)]) {
				t.Errorf("look-ahead %d: the first %d frames gave other samples than with all", lookAhead, frames)
			}
		}
	}
}

// A click must come out where it went in: no delay but the one that is stated.
func TestRTISIIsAligned(t *testing.T) {
	cfg := features.DefaultConfig()
	for _, at := range []int{0, 2000, 3333} {
		x := make([]float32, 8000)
		x[at] = 0.9
		for name, synthesize := range synthesizers(t, cfg) {
			y := synthesize(logMels(t, cfg, x), len(x))
			peak := 0
			for i, v := range y {
				if v*v > y[peak]*y[peak] {
					peak = i
				}
			}
			if d := peak - at; d < -cfg.Hop/2 || d > cfg.Hop/2 {
				t.Errorf("%s: click at sample %d came out at %d", name, at, peak)
			}
		}
	}
}

func TestRTISIDoesNotAllocate(t *testing.T) {
	cfg := features.DefaultConfig()
	logMel := logMels(t, cfg, vowels(cfg.SampleRate, 3200))
	r, err := NewRTISI(cfg, 2, 4)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]float32, 0, 4*len(logMel)/cfg.NMels*cfg.Hop)
	if n := testing.AllocsPerRun(5, func() { dst = r.Process(dst[:0], logMel) }); n != 0 {
		t.Errorf("%g allocations per Process", n)
	}
	if n := testing.AllocsPerRun(5, func() { dst = r.Flush(r.Process(dst[:0], logMel)) }); n != 0 {
		t.Errorf("%g allocations per Process and Flush", n)
	}
}

func BenchmarkRTISI(b *testing.B) {
	cfg := features.DefaultConfig()
	x := vowels(cfg.SampleRate, 2*cfg.SampleRate)
	logMel := logMels(b, cfg, x)
	for _, effort := range []struct{ lookAhead, iterations int }{{0, 8}, {2, 4}, {3, 8}} {
		b.Run(fmt.Sprintf("lookAhead=%d/iterations=%d", effort.lookAhead, effort.iterations), func(b *testing.B) {
			r, err := NewRTISI(cfg, effort.lookAhead, effort.iterations)
			if err != nil {
				b.Fatal(err)
			}
			dst := make([]float32, 0, 2*len(x))
			b.ReportAllocs()
			for b.Loop() {
				dst = r.Flush(r.Process(dst[:0], logMel))
			}
			reportRTF(b, cfg, len(x))
		})
	}
}

func BenchmarkGriffinLim(b *testing.B) {
	cfg := features.DefaultConfig()
	x := vowels(cfg.SampleRate, 2*cfg.SampleRate)
	logMel := logMels(b, cfg, x)
	for _, iterations := range []int{32, 60} {
		b.Run(fmt.Sprintf("iterations=%d", iterations), func(b *testing.B) {
			g, err := NewGriffinLim(cfg, iterations)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				g.Synthesize(logMel, len(x))
			}
			reportRTF(b, cfg, len(x))
		})
	}
}

// reportRTF reports processing time over audio time.
func reportRTF(b *testing.B, cfg features.Config, samples int) {
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/(float64(samples)/float64(cfg.SampleRate)), "RTF")
}
