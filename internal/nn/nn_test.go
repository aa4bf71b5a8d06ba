package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func noise(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func near(t *testing.T, name string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", name, len(got), len(want))
	}
	for i, v := range got {
		if d := math.Abs(float64(v) - want[i]); !(d <= tolerance*max(1, math.Abs(want[i]))) {
			t.Fatalf("%s: number %d is %g, want %g", name, i, v, want[i])
		}
	}
}

func TestArena(t *testing.T) {
	var a, b []float32
	build := func(arena *Arena) { a, b = arena.Take(5), arena.Take(17) }
	arena := NewArena(build)
	if len(a) != 5 || len(b) != 17 || cap(a) != 5 || arena.Len() != 3*cacheLine {
		t.Errorf("pieces of %d (room for %d) and %d in an arena of %d", len(a), cap(a), len(b), arena.Len())
	}
	a[4], b[16] = 1, 1
	arena.Reset()
	if a[4] != 0 || b[16] != 0 {
		t.Error("Reset leaves numbers")
	}
	defer func() {
		if recover() == nil {
			t.Error("an arena gives more than it has")
		}
	}()
	arena.Take(1)
}

func TestLinear(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct{ in, out, frames int }{{1, 1, 1}, {3, 5, 2}, {80, 33, 7}, {64, 128, 17}} {
		for _, biased := range []bool{true, false} {
			w, x := noise(r, c.in*c.out), noise(r, c.in*c.frames)
			bias := make([]float32, c.out)
			l := NewLinear(w, nil, c.in, c.out)
			if biased {
				bias = noise(r, c.out)
				l = NewLinear(w, bias, c.in, c.out)
			}
			want := make([]float64, c.frames*c.out)
			for f := range c.frames {
				for o := range c.out {
					want[f*c.out+o] = float64(bias[o])
					for i := range c.in {
						want[f*c.out+o] += float64(x[f*c.in+i]) * float64(w[i*c.out+o])
					}
				}
			}
			got := make([]float32, len(want))
			l.Forward(got, x, c.frames)
			near(t, fmt.Sprint(c, biased), got, want, 1e-4)
			if l.In() != c.in || l.Out() != c.out {
				t.Errorf("%v: %d to %d", c, l.In(), l.Out())
			}
		}
	}
}

// TestLinearStrided is the stem: a convolution over frames, its rows overlapping.
func TestLinearStrided(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	const taps, in, out, frames = 4, 6, 9, 11
	w, bias, x := noise(r, taps*in*out), noise(r, out), noise(r, (taps-1+frames)*in)
	want := make([]float64, frames*(out+2))
	for f := range frames {
		for o := range out {
			v := float64(bias[o])
			for k := range taps {
				for i := range in {
					v += float64(x[(f+k)*in+i]) * float64(w[(k*in+i)*out+o])
				}
			}
			want[f*(out+2)+o] = v
		}
	}
	got := make([]float32, len(want))
	NewLinear(w, bias, taps*in, out).ForwardStrided(got, out+2, x, in, frames)
	near(t, "strided", got, want, 1e-5)
}

func TestDepthwise(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	const frames = 29
	for _, c := range []struct{ taps, width int }{{1, 4}, {3, 1}, {7, 24}, {5, 33}} {
		w, bias, x := noise(r, c.taps*c.width), noise(r, c.width), noise(r, frames*c.width)
		want := make([]float64, frames*c.width)
		for f := range frames {
			for ch := range c.width {
				v := float64(bias[ch])
				for k := range c.taps {
					if from := f - (c.taps - 1) + k; from >= 0 {
						v += float64(x[from*c.width+ch]) * float64(w[k*c.width+ch])
					}
				}
				want[f*c.width+ch] = v
			}
		}
		d := NewDepthwise(w, bias, c.taps, c.width)
		var whole []float32
		for _, chunk := range []int{frames, 1, 2, 7} {
			var win Window
			NewArena(func(a *Arena) { win = d.Window(a, chunk) })
			for range 2 { // the second time after Reset
				win.Reset()
				got := slices.Clone(x)
				for part := range slices.Chunk(got, chunk*c.width) {
					d.Forward(part, part, len(part)/c.width, &win)
				}
				near(t, fmt.Sprint(c, chunk), got, want, 1e-5)
				if whole == nil {
					whole = got
				} else if !slices.Equal(got, whole) {
					t.Errorf("%v: chunks of %d give other bits", c, chunk)
				}
			}
		}
	}
}

func TestDilatedDepthwise(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 2))
	const frames = 61
	for _, c := range []struct{ taps, width, dilation int }{{1, 4, 5}, {3, 1, 2}, {7, 24, 8}, {5, 33, 3}, {3, 16, 1}} {
		w, bias, x := noise(r, c.taps*c.width), noise(r, c.width), noise(r, frames*c.width)
		want := make([]float64, frames*c.width)
		for f := range frames {
			for ch := range c.width {
				v := float64(bias[ch])
				for k := range c.taps {
					if from := f - (c.taps-1-k)*c.dilation; from >= 0 {
						v += float64(x[from*c.width+ch]) * float64(w[k*c.width+ch])
					}
				}
				want[f*c.width+ch] = v
			}
		}
		d := NewDilatedDepthwise(w, bias, c.taps, c.width, c.dilation)
		var whole []float32
		for _, chunk := range []int{frames, 1, 2, 7, 8, 9} {
			var win Window
			NewArena(func(a *Arena) { win = d.Window(a, chunk) })
			for range 2 { // the second time after Reset
				win.Reset()
				got := slices.Clone(x)
				for part := range slices.Chunk(got, chunk*c.width) {
					d.Forward(part, part, len(part)/c.width, &win)
				}
				near(t, fmt.Sprint(c, chunk), got, want, 1e-5)
				if whole == nil {
					whole = got
				} else if !slices.Equal(got, whole) {
					t.Errorf("%v: chunks of %d give other bits", c, chunk)
				}
			}
		}
		if c.dilation == 1 {
			var win Window
			plain := NewDepthwise(w, bias, c.taps, c.width)
			NewArena(func(a *Arena) { win = plain.Window(a, frames) })
			got := make([]float32, len(x))
			plain.Forward(got, x, frames, &win)
			if !slices.Equal(got, whole) {
				t.Error("a dilation of 1 gives other bits than none")
			}
		}
	}
}

func TestActivations(t *testing.T) {
	x := []float32{-2, -0.5, 0, 0.25, 3}
	y := slices.Clone(x)
	LeakyReLU(y, x, 0.2)
	near(t, "leaky", y, []float64{-0.4, -0.1, 0, 0.25, 3}, 1e-7)
	y = slices.Clone(x)
	ReLU(y)
	near(t, "relu", y, []float64{0, 0, 0, 0.25, 3}, 0)
	y = slices.Clone(x)
	GELU(y)
	want := make([]float64, len(x))
	for i, v := range x {
		v := float64(v)
		want[i] = 0.5 * v * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v)))
	}
	near(t, "gelu", y, want, 1e-6)
}

func TestLayerNorm(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 1))
	const width, frames = 21, 5
	x, gain, bias := noise(r, width*frames), noise(r, width), noise(r, width)
	want := make([]float64, len(x))
	for f := range frames {
		row := x[f*width : (f+1)*width]
		var mean, variance float64
		for _, v := range row {
			mean += float64(v) / width
		}
		for _, v := range row {
			variance += (float64(v) - mean) * (float64(v) - mean) / width
		}
		for i, v := range row {
			want[f*width+i] = (float64(v)-mean)/math.Sqrt(variance+1e-5)*float64(gain[i]) + float64(bias[i])
		}
	}
	LayerNorm(x, x, gain, bias, frames)
	near(t, "norm", x, want, 1e-5)
}

func TestConv3x3(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 1))
	for _, c := range []struct{ frames, bands, in, out int }{{1, 1, 1, 1}, {2, 1, 3, 2}, {1, 2, 2, 3}, {6, 5, 1, 4}, {5, 7, 4, 6}} {
		w, bias := noise(r, 9*c.in*c.out), noise(r, c.out)
		x := NewImage(c.frames, c.bands, c.in)
		copy(x.Data, noise(r, len(x.Data)))
		want := make([]float64, c.frames*c.bands*c.out)
		for t := range c.frames {
			for b := range c.bands {
				for o := range c.out {
					v := float64(bias[o])
					for dt := range 3 {
						for db := range 3 {
							ft, fb := t+dt-1, b+db-1
							if ft < 0 || ft >= c.frames || fb < 0 || fb >= c.bands {
								continue
							}
							for i := range c.in {
								v += float64(x.Data[(ft*c.bands+fb)*c.in+i]) * float64(w[((dt*3+db)*c.in+i)*c.out+o])
							}
						}
					}
					want[(t*c.bands+b)*c.out+o] = v
				}
			}
		}
		y := NewConv3x3(w, bias, c.in, c.out).Forward(x)
		if y.Frames != c.frames || y.Bands != c.bands || y.Channels != c.out {
			t.Fatalf("%v: output of %d by %d by %d", c, y.Frames, y.Bands, y.Channels)
		}
		near(t, fmt.Sprint(c), y.Data, want, 1e-5)
	}
}

// A causal frame is what the symmetric convolution has one frame earlier.
func TestConv3x3Causal(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	const frames, bands, in, out = 8, 5, 3, 4
	conv := NewConv3x3(noise(r, 9*in*out), noise(r, out), in, out)
	x := noise(r, frames*bands*in)
	shifted := NewImage(frames+1, bands, in)
	copy(shifted.Data[bands*in:], x)
	want := conv.Forward(shifted).Data[:frames*bands*out]
	for _, chunk := range []int{1, 3, frames} {
		var win Window
		NewArena(func(a *Arena) { win = conv.Window(a, bands, chunk) })
		patches, got := make([]float32, conv.Patches(bands)), make([]float32, frames*bands*out)
		for at := 0; at < frames; at += chunk {
			n := min(chunk, frames-at)
			view := win.Push(x[at*bands*in:], n)
			for f := range n {
				conv.ForwardCausal(got[(at+f)*bands*out:][:bands*out], view[f*bands*in:(f+3)*bands*in], patches, bands)
			}
			win.Drop(n)
		}
		if !slices.Equal(got, want) {
			t.Errorf("chunks of %d: other bits than the symmetric convolution of the past", chunk)
		}
	}
}

func TestHalvePool(t *testing.T) {
	x := NewImage(5, 3, 2)
	for i := range x.Data {
		x.Data[i] = float32(i)
	}
	y := HalvePool(x) // the fifth frame and the third band are dropped
	if y.Frames != 2 || y.Bands != 1 || y.Channels != 2 {
		t.Fatalf("output of %d by %d by %d", y.Frames, y.Bands, y.Channels)
	}
	near(t, "pool", y.Data, []float64{(0 + 2 + 6 + 8) / 4., (1 + 3 + 7 + 9) / 4., (12 + 14 + 18 + 20) / 4., (13 + 15 + 19 + 21) / 4.}, 0)
}

func TestPointwise(t *testing.T) {
	x := &Image{Frames: 1, Bands: 2, Channels: 2, Data: []float32{1, 2, 3, 4}}
	y := Pointwise(NewLinear([]float32{1, 10}, []float32{0.5}, 2, 1), x)
	near(t, "pointwise", y.Data, []float64{21.5, 43.5}, 0)
}

func TestNoAllocations(t *testing.T) {
	const width, frames = 32, 4
	r := rand.New(rand.NewPCG(6, 1))
	l := NewLinear(noise(r, width*width), noise(r, width), width, width)
	d := NewDepthwise(noise(r, 7*width), noise(r, width), 7, width)
	gain, bias, x, y := noise(r, width), noise(r, width), noise(r, width*frames), make([]float32, width*frames)
	apart := NewDilatedDepthwise(noise(r, 7*width), noise(r, width), 7, width, 3)
	var win, wide Window
	NewArena(func(a *Arena) { win, wide = d.Window(a, frames), apart.Window(a, frames) })
	n := testing.AllocsPerRun(100, func() {
		d.Forward(y, x, frames, &win)
		apart.Forward(y, y, frames, &wide)
		LayerNorm(y, y, gain, bias, frames)
		l.Forward(x, y, frames)
		GELU(x)
		Add(y, x)
	})
	if n != 0 {
		t.Errorf("%g allocations", n)
	}
}
