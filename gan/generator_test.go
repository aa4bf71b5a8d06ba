package gan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

func generator(t testing.TB, m *Model, lookAhead int) *Generator {
	t.Helper()
	g, err := NewGenerator(m, lookAhead)
	if err != nil {
		t.Fatal(err)
	}
	g.SetStyle(m.Style(0))
	return g
}

// convert runs a whole recording in chunks of so many frames.
func convert(g *Generator, logMel, controls []float32, chunk int) []float32 {
	nMels := g.net.cfg.NMels
	var out []float32
	for t := 0; t < len(logMel)/nMels; t += chunk {
		end := min(t+chunk, len(logMel)/nMels)
		out = g.Process(out, logMel[t*nMels:end*nMels], controls[t*Controls:end*Controls])
	}
	return g.Flush(out)
}

func TestGeneratorEqualsEquations(t *testing.T) {
	for name, c := range map[string]Config{"odd": odd(), "image": oddImage(), "dilated": dilated(), "narrow": narrow(), "tiny": Tiny()} {
		m := random(c, 3, 5)
		logMel, controls := input(c, 1, 37)
		for lookAhead := range c.StemFuture + 1 {
			if name == "tiny" && lookAhead%4 != 0 {
				continue
			}
			g := generator(t, m, lookAhead)
			g.SetStyle(m.Style(1))
			want := direct{m}.generator(logMel, controls, m.Style(1), lookAhead)
			near(t, fmt.Sprintf("%s, look-ahead %d", name, lookAhead), convert(g, logMel, controls, 37), want, 2e-5)
			if g.Latency() != lookAhead {
				t.Errorf("latency %d, want %d", g.Latency(), lookAhead)
			}
		}
	}
}

func TestGeneratorChunks(t *testing.T) { eachDecoder(t, testGeneratorChunks) }

func testGeneratorChunks(t *testing.T, c Config) {
	m := random(c, 2, 6)
	for _, frames := range []int{0, 1, 2, 3, 150} {
		logMel, controls := input(c, 2, frames)
		for _, lookAhead := range []int{0, 1, c.StemFuture} {
			g := generator(t, m, lookAhead)
			want := convert(g, logMel, controls, max(frames, 1))
			if len(want) != frames*c.NMels {
				t.Fatalf("%d frames become %d numbers", frames, len(want))
			}
			for _, chunk := range []int{1, 2, 13, blockFrames - 1, blockFrames, blockFrames + 1} {
				// The same generator again: Flush must leave it fresh.
				if got := convert(g, logMel, controls, chunk); !slices.Equal(got, want) {
					t.Errorf("%d frames, look-ahead %d, chunks of %d: other bits", frames, lookAhead, chunk)
				}
			}
		}
	}
}

// TestGeneratorLooksNoFurther changes all behind a frame plus the look-ahead and expects the same output up to it.
func TestGeneratorLooksNoFurther(t *testing.T) { eachDecoder(t, testGeneratorLooksNoFurther) }

func testGeneratorLooksNoFurther(t *testing.T, c Config) {
	m := random(c, 2, 7)
	const frames, cut = 60, 41
	logMel, controls := input(c, 3, frames)
	for lookAhead := range c.StemFuture + 1 {
		g := generator(t, m, lookAhead)
		want := convert(g, logMel, controls, frames)
		got := g.Process(nil, logMel[:cut*c.NMels], controls[:cut*Controls])
		if len(got) != (cut-lookAhead)*c.NMels || !slices.Equal(got, want[:len(got)]) {
			t.Errorf("look-ahead %d: the output of %d frames is not the beginning of that of %d", lookAhead, cut, frames)
		}
		g.Reset()
		other := slices.Clone(logMel)
		other[(cut-1)*c.NMels] += 1 // within the look-ahead of the last of them
		if again := g.Process(nil, other[:cut*c.NMels], controls[:cut*Controls]); slices.Equal(again, got) {
			t.Errorf("look-ahead %d: the last frame is not looked at", lookAhead)
		}
	}
}

func TestGeneratorReset(t *testing.T) { eachDecoder(t, testGeneratorReset) }

func testGeneratorReset(t *testing.T, c Config) {
	m := random(c, 2, 8)
	logMel, controls := input(c, 4, 30)
	g := generator(t, m, 2)
	want := convert(g, logMel, controls, 30)
	g.Process(nil, logMel, controls)
	g.Reset()
	if got := convert(g, logMel, controls, 30); !slices.Equal(got, want) {
		t.Error("Reset leaves something of the stream before")
	}
}

func TestOffline(t *testing.T) { eachDecoder(t, testOffline) }

func testOffline(t *testing.T, c Config) {
	m := random(c, 2, 9)
	g := generator(t, m, 3)
	busy, controlsOfBusy := input(c, 5, 10)
	g.Process(nil, busy, controlsOfBusy) // a stream in the middle must not matter
	for _, frames := range []int{0, 1, minPieceFrames, 2*minPieceFrames + 1, 1500} {
		logMel, controls := input(c, 6, frames)
		want := convert(generator(t, m, 3), logMel, controls, max(1, frames))
		for _, threads := range []int{0, 1, 2, 3, 16} {
			got, err := g.Offline(context.Background(), logMel, controls, threads)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d frames on %d threads: other bits than the stream", frames, threads)
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	logMel, controls := input(c, 6, 1000)
	if _, err := g.Offline(ctx, logMel, controls, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that it was cancelled", err)
	}
}

// TestForks runs streams of different styles over the same weights at once.
func TestForks(t *testing.T) { eachDecoder(t, testForks) }

func testForks(t *testing.T, c Config) {
	m := random(c, 4, 10)
	logMel, controls := input(c, 7, 50)
	root := generator(t, m, 1)
	var wait sync.WaitGroup
	for y := range m.Speakers {
		g := root.Fork()
		g.SetStyle(m.Style(y))
		wait.Go(func() {
			got := convert(g, logMel, controls, 3)
			near(t, m.Speakers[y].Name, got, direct{m}.generator(logMel, controls, m.Style(y), 1), 2e-5)
		})
	}
	wait.Wait()
}

func TestFade(t *testing.T) { eachDecoder(t, testFade) }

func testFade(t *testing.T, c Config) {
	m := random(c, 3, 11)
	const frames, start, length = 90, 20, 25
	logMel, controls := input(c, 8, frames)
	run := func(chunk int) []float32 {
		g := generator(t, m, 2)
		out := g.Process(nil, logMel[:start*c.NMels], controls[:start*Controls])
		g.FadeStyle(m.Style(1), length)
		return append(out, convert(g, logMel[start*c.NMels:], controls[start*Controls:], chunk)...)
	}
	want := run(frames)
	for _, chunk := range []int{1, 2, 13, length} {
		if !slices.Equal(run(chunk), want) {
			t.Errorf("a fade in chunks of %d gives other bits", chunk)
		}
	}
	// Before the fade all is the old style, and once it is over, and its traces are out of the memory, the new one.
	old := convert(generator(t, m, 2), logMel, controls, frames)
	before := (start - 2) * c.NMels // output frames until the fade begins
	if !slices.Equal(want[:before], old[:before]) {
		t.Error("the fade changes what came before it")
	}
	g := generator(t, m, 2)
	g.SetStyle(m.Style(1))
	final := convert(g, logMel, controls, frames)
	after := (start - 2 + length + c.decoderPast()) * c.NMels
	if after >= len(final) || !slices.Equal(want[after:], final[after:]) {
		t.Error("the fade does not arrive at the new style")
	}
	// In between the style is what linear mixing gives.
	g = generator(t, m, 2)
	g.FadeStyle(m.Style(1), 4)
	got := g.Process(nil, logMel[:3*c.NMels], controls[:3*Controls]) // one frame of output, a quarter of the way
	mixed := make([]float32, c.StyleDim)
	for i := range mixed {
		mixed[i] = 0.75*m.Style(0)[i] + 0.25*m.Style(1)[i]
	}
	direct := direct{m}.generator(logMel[:3*c.NMels], controls[:3*Controls], mixed, 2)
	near(t, "a quarter of the way", got, direct[:c.NMels], 2e-5)
}

func TestGeneratorRefuses(t *testing.T) {
	c := odd()
	m := random(c, 1, 12)
	for _, lookAhead := range []int{-1, c.StemFuture + 1} {
		if _, err := NewGenerator(m, lookAhead); err == nil {
			t.Errorf("look-ahead %d is accepted", lookAhead)
		}
	}
	for name, f := range map[string]func(g *Generator){
		"no style":         func(g *Generator) { g.Process(nil, nil, nil) },
		"no style, at end": func(g *Generator) { g.Flush(nil) },
		"half a frame":     func(g *Generator) { g.SetStyle(m.Style(0)); g.Process(nil, make([]float32, c.NMels-1), nil) },
		"short controls":   func(g *Generator) { g.SetStyle(m.Style(0)); g.Process(nil, make([]float32, c.NMels), nil) },
		"short style":      func(g *Generator) { g.SetStyle(nil) },
	} {
		g, err := NewGenerator(m, 0)
		if err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f(g)
		}()
	}
}

func TestGeneratorAllocations(t *testing.T) { eachDecoder(t, testGeneratorAllocations) }

func testGeneratorAllocations(t *testing.T, c Config) {
	m := random(c, 2, 13)
	g := generator(t, m, 2)
	logMel, controls := input(c, 9, 70)
	dst := make([]float32, 0, 70*c.NMels)
	if n := testing.AllocsPerRun(20, func() {
		g.Process(dst, logMel[:2*c.NMels], controls[:2*Controls])
		g.Process(dst, logMel, controls)
		g.SetStyle(m.Style(1))
		g.FadeStyle(m.Style(0), 5)
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
	if n := testing.AllocsPerRun(20, func() { g.Flush(dst) }); n != 0 {
		t.Errorf("%g allocations in Flush", n)
	}
}

func BenchmarkGenerator(b *testing.B) {
	for _, preset := range []string{"tiny", "live"} {
		c, err := Preset(preset)
		if err != nil {
			b.Fatal(err)
		}
		m := random(c, 2, 1)
		for _, frames := range []int{1, 2, 100} {
			b.Run(fmt.Sprintf("%s/%dms", preset, 10*frames), func(b *testing.B) {
				g := generator(b, m, 2)
				logMel, controls := input(c, 10, frames)
				dst := make([]float32, 0, frames*c.NMels)
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
