package mlx

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// The direct versions: loops over every index, nothing shared with the layers.

func directLinear(x, w, b array) array {
	in, out := w.dims[0], w.dims[1]
	y := zeroArray(append(append([]int{}, x.dims[:len(x.dims)-1]...), out)...)
	for row := range len(x.v) / in {
		for o := range out {
			sum := b.v[o]
			for i := range in {
				sum += x.v[row*in+i] * w.v[i*out+o]
			}
			y.v[row*out+o] = sum
		}
	}
	return y
}

func directTimeConv(x, w, b, mask array, past int) array {
	taps, in, out := w.dims[0], w.dims[1], w.dims[2]
	y := zeroArray(x.dims[0], x.dims[1], out)
	for n := range x.dims[0] {
		for t := range x.dims[1] {
			for o := range out {
				sum := b.v[o]
				for k := range taps {
					from := t + k - past
					if from < 0 || from >= x.dims[1] {
						continue
					}
					for i := range in {
						sum += mask.v[k] * x.at(n, from, i) * w.at(k, i, o)
					}
				}
				y.v[y.offset(n, t, o)] = sum
			}
		}
	}
	return y
}

func directDepthwise(x, w, b array, dilation int) array {
	taps := w.dims[0]
	y := zeroArray(x.dims...)
	for n := range x.dims[0] {
		for t := range x.dims[1] {
			for c := range x.dims[2] {
				sum := b.v[c]
				for k := range taps {
					if from := t - (taps-1-k)*dilation; from >= 0 {
						sum += x.at(n, from, c) * w.at(k, c)
					}
				}
				y.v[y.offset(n, t, c)] = sum
			}
		}
	}
	return y
}

func directStandardize(x array) array {
	channels := x.dims[len(x.dims)-1]
	y := zeroArray(x.dims...)
	for row := range len(x.v) / channels {
		v := x.v[row*channels : (row+1)*channels]
		var mean, variance float64
		for _, a := range v {
			mean += a / float64(channels)
		}
		for _, a := range v {
			variance += (a - mean) * (a - mean) / float64(channels)
		}
		for c, a := range v {
			y.v[row*channels+c] = (a - mean) / math.Sqrt(variance+1e-5)
		}
	}
	return y
}

func directLayerNorm(x, gain, bias array) array {
	y := directStandardize(x)
	for i := range y.v {
		c := i % len(gain.v)
		y.v[i] = y.v[i]*gain.v[c] + bias.v[c]
	}
	return y
}

func directAdaLN(x, style, w, b array) array {
	y, affine := directStandardize(x), directLinear(style, w, b)
	frames, channels := x.dims[1], x.dims[2]
	for i := range y.v {
		n, c := i/(frames*channels), i%channels
		y.v[i] = y.v[i]*(1+affine.at(n, c)) + affine.at(n, channels+c)
	}
	return y
}

func directConv2D(x, w, b array) array {
	kt, km, in, out := w.dims[0], w.dims[1], w.dims[2], w.dims[3]
	y := zeroArray(x.dims[0], x.dims[1], x.dims[2], out)
	for n := range x.dims[0] {
		for t := range x.dims[1] {
			for m := range x.dims[2] {
				for o := range out {
					var sum float64
					if b.v != nil {
						sum = b.v[o]
					}
					for i := range kt {
						for j := range km {
							s, u := t+i-kt/2, m+j-km/2
							if s < 0 || s >= x.dims[1] || u < 0 || u >= x.dims[2] {
								continue
							}
							for c := range in {
								sum += x.at(n, s, u, c) * w.at(i, j, c, o)
							}
						}
					}
					y.v[y.offset(n, t, m, o)] = sum
				}
			}
		}
	}
	return y
}

func directAvgPool(x array) array {
	y := zeroArray(x.dims[0], x.dims[1]/2, x.dims[2]/2, x.dims[3])
	for n := range y.dims[0] {
		for t := range y.dims[1] {
			for m := range y.dims[2] {
				for c := range y.dims[3] {
					y.v[y.offset(n, t, m, c)] = (x.at(n, 2*t, 2*m, c) + x.at(n, 2*t+1, 2*m, c) +
						x.at(n, 2*t, 2*m+1, c) + x.at(n, 2*t+1, 2*m+1, c)) / 4
				}
			}
		}
	}
	return y
}

func directSelectHead(v, oneHot, w, b array) array {
	y := zeroArray(v.dims[0], w.dims[2])
	for n := range v.dims[0] {
		speaker := 0
		for oneHot.at(n, speaker) == 0 {
			speaker++
		}
		for o := range w.dims[2] {
			sum := b.at(speaker, o)
			for i := range w.dims[1] {
				sum += v.at(n, i) * w.at(speaker, i, o)
			}
			y.v[y.offset(n, o)] = sum
		}
	}
	return y
}

func directly(f func(float64) float64) func(map[string]array) array {
	return func(in map[string]array) array {
		y := zeroArray(in["x"].dims...)
		for i, v := range in["x"].v {
			y.v[i] = f(v)
		}
		return y
	}
}

func layerCases() []layerCase {
	r := rand.New(rand.NewPCG(3, 5))
	n := func(dims ...int) array { return normal(r, dims...) }
	oneHot := func(speakers int, y ...int) array {
		a := zeroArray(len(y), speakers)
		for i, s := range y {
			a.v[i*speakers+s] = 1
		}
		return a
	}
	var cases []layerCase
	for _, dims := range [][]int{{3, 4}, {2, 3, 4}, {2, 2, 3, 4}} {
		cases = append(cases, layerCase{
			name:   "Linear rank " + string(rune('0'+len(dims))),
			inputs: map[string]array{"x": n(dims...), "l.w": n(4, 5), "l.b": n(5)},
			build:  func(net Net, in func(string) *Node) *Node { return net.Linear(in("x"), "l") },
			direct: func(in map[string]array) array { return directLinear(in["x"], in["l.w"], in["l.b"]) },
		})
	}
	for _, c := range []struct {
		name         string
		past, future int
		mask         []float64
	}{
		{"all taps", 2, 1, []float64{1, 1, 1, 1}},
		{"masked", 2, 2, []float64{1, 1, 1, 1, 0}},
		{"no mask", 1, 2, nil},
		{"causal", 3, 0, nil},
		{"longer than the signal", 7, 6, nil},
	} {
		mask := array{[]int{c.past + 1 + c.future}, c.mask}
		inputs := map[string]array{"x": n(2, 5, 3), "c.w": n(c.past+1+c.future, 3, 2), "c.b": n(2)}
		if c.mask != nil {
			inputs["mask"] = mask
		}
		cases = append(cases, layerCase{
			name: "TimeConv " + c.name, inputs: inputs, fixed: []string{"mask"},
			build: func(net Net, in func(string) *Node) *Node {
				if c.mask == nil {
					return net.TimeConv(in("x"), "c", c.past, c.future, nil)
				}
				return net.TimeConv(in("x"), "c", c.past, c.future, in("mask"))
			},
			direct: func(in map[string]array) array {
				m, ok := in["mask"]
				if !ok {
					m = zeroArray(c.past + 1 + c.future)
					for i := range m.v {
						m.v[i] = 1
					}
				}
				return directTimeConv(in["x"], in["c.w"], in["c.b"], m, c.past)
			},
		})
	}
	for _, taps := range []int{1, 3, 7} {
		cases = append(cases, layerCase{
			name:   "CausalDepthwise " + string(rune('0'+taps)),
			inputs: map[string]array{"x": n(2, 5, 3), "d.w": n(taps, 3), "d.b": n(3)},
			build:  func(net Net, in func(string) *Node) *Node { return net.CausalDepthwise(in("x"), "d") },
			direct: func(in map[string]array) array { return directDepthwise(in["x"], in["d.w"], in["d.b"], 1) },
		}, layerCase{
			name:   "DilatedDepthwise " + string(rune('0'+taps)),
			inputs: map[string]array{"x": n(2, 9, 3), "d.w": n(taps, 3), "d.b": n(3)},
			build:  func(net Net, in func(string) *Node) *Node { return net.DilatedDepthwise(in("x"), "d", 2) },
			direct: func(in map[string]array) array { return directDepthwise(in["x"], in["d.w"], in["d.b"], 2) },
		})
	}
	cases = append(cases,
		layerCase{
			name:   "LayerNorm",
			inputs: map[string]array{"x": n(2, 3, 6), "n.gain": n(6), "n.bias": n(6)},
			build:  func(net Net, in func(string) *Node) *Node { return net.LayerNorm(in("x"), "n") },
			direct: func(in map[string]array) array { return directLayerNorm(in["x"], in["n.gain"], in["n.bias"]) },
		},
		layerCase{
			name:   "AdaLN",
			inputs: map[string]array{"x": n(3, 2, 5), "style": n(3, 4), "a.w": n(4, 10), "a.b": n(10)},
			build:  func(net Net, in func(string) *Node) *Node { return net.AdaLN(in("x"), in("style"), "a") },
			direct: func(in map[string]array) array { return directAdaLN(in["x"], in["style"], in["a.w"], in["a.b"]) },
		},
		layerCase{
			name:   "GELU",
			inputs: map[string]array{"x": {[]int{2, 6}, []float64{-8, -3, -1, -0.5, -0.01, 0, 0.01, 0.5, 1, 2, 3, 8}}},
			build:  func(_ Net, in func(string) *Node) *Node { return GELU(in("x")) },
			direct: directly(func(v float64) float64 {
				return 0.5 * v * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v)))
			}),
		},
		layerCase{
			name:   "LeakyReLU",
			inputs: map[string]array{"x": {[]int{2, 3}, []float64{-4, -1, -0.01, 0.01, 1, 4}}},
			build:  func(_ Net, in func(string) *Node) *Node { return LeakyReLU(in("x")) },
			direct: directly(func(v float64) float64 { return max(v, 0.2*v) }),
		},
		layerCase{
			name:   "ReLU",
			inputs: map[string]array{"x": {[]int{2, 3}, []float64{-4, -1, -0.01, 0.01, 1, 4}}},
			build:  func(_ Net, in func(string) *Node) *Node { return ReLU(in("x")) },
			direct: directly(func(v float64) float64 { return max(v, 0) }),
		},
		layerCase{
			name: "SelectHead",
			inputs: map[string]array{
				"v": n(4, 3), "y": oneHot(3, 2, 0, 1, 2), "h.w": n(3, 3, 2), "h.b": n(3, 2),
			},
			fixed:  []string{"y"},
			build:  func(net Net, in func(string) *Node) *Node { return net.SelectHead(in("v"), in("y"), "h") },
			direct: func(in map[string]array) array { return directSelectHead(in["v"], in["y"], in["h.w"], in["h.b"]) },
		},
	)
	for _, dims := range [][]int{{2, 4, 6, 2}, {2, 5, 6, 2}, {2, 4, 7, 3}, {2, 3, 3, 1}} {
		cases = append(cases, layerCase{
			name:   "AvgPool2D " + shapeName(dims),
			inputs: map[string]array{"x": n(dims...)},
			build:  func(_ Net, in func(string) *Node) *Node { return AvgPool2D(in("x")) },
			direct: func(in map[string]array) array { return directAvgPool(in["x"]) },
		})
	}
	for _, native := range []bool{false, true} {
		for _, c := range []struct {
			kt, km   int
			withBias bool
		}{{3, 3, true}, {3, 3, false}, {1, 3, true}, {5, 1, true}, {1, 1, true}, {1, 1, false}} {
			inputs := map[string]array{"x": n(2, 4, 5, 2), "c.w": n(c.kt, c.km, 2, 3)}
			if c.withBias {
				inputs["c.b"] = n(3)
			}
			name := "Conv2D from slices "
			if native {
				name = "Conv2D native "
			}
			if !c.withBias {
				name += "without bias "
			}
			cases = append(cases, layerCase{
				name: name + shapeName([]int{c.kt, c.km}), inputs: inputs, native: native,
				build:  func(net Net, in func(string) *Node) *Node { return net.Conv2D(in("x"), "c", c.withBias) },
				direct: func(in map[string]array) array { return directConv2D(in["x"], in["c.w"], in["c.b"]) },
			})
		}
	}
	return cases
}

func shapeName(dims []int) string {
	var s string
	for i, d := range dims {
		if i > 0 {
			s += "x"
		}
		s += string(rune('0' + d))
	}
	return s
}

func TestLayersAgainstDirect(t *testing.T) {
	backend := openGo(t)
	for _, c := range layerCases() {
		t.Run(c.name, func(t *testing.T) { c.check(t, backend) })
	}
}

func TestNormsStayFiniteOnConstantInput(t *testing.T) {
	x := zeroArray(2, 3, 4)
	for i := range x.v {
		x.v[i] = 7
	}
	r := rand.New(rand.NewPCG(1, 1))
	layerCase{
		inputs: map[string]array{"x": x, "n.gain": normal(r, 4), "n.bias": normal(r, 4)},
		fixed:  []string{"x"}, // a difference over the kink of 1/sqrt(epsilon) says nothing
		build:  func(net Net, in func(string) *Node) *Node { return net.LayerNorm(in("x"), "n") },
		direct: func(in map[string]array) array { return directLayerNorm(in["x"], in["n.gain"], in["n.bias"]) },
	}.check(t, openGo(t))
}

// An activation that is exactly zero, as behind a mask, must not get the sum of both slopes.
func TestSlopeAtZero(t *testing.T) {
	for _, c := range []struct {
		name      string
		f         func(*Node) *Node
		low, high float32
	}{{"LeakyReLU", LeakyReLU, 0.2, 1}, {"ReLU", ReLU, 0, 1}, {"GELU", GELU, 0.5, 0.5}} {
		out, err := CallOnce(openGo(t), func(x *Node) *Node { return Gradient(ReduceAllSum(c.f(x)), x)[0] }, []float32{0})
		if err != nil {
			t.Fatal(err)
		}
		if got := tensors.MustCopyFlatData[float32](out)[0]; !(got >= c.low && got <= c.high) {
			t.Errorf("slope of %s at 0 is %g, want %g to %g", c.name, got, c.low, c.high)
		}
	}
}

func TestTimeConvPanicsOnWrongTaps(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a kernel of three taps was taken for four")
		}
	}()
	g := NewGraph(openGo(t), "taps")
	weights := map[string]*Node{"c.w": Zeros(g, zeroArray(3, 2, 2).tensor().Shape()), "c.b": Zeros(g, zeroArray(2).tensor().Shape())}
	n := Net{Weights: func(name string) *Node { return weights[name] }, DType: dtypes.Float32}
	n.TimeConv(Zeros(g, zeroArray(1, 4, 2).tensor().Shape()), "c", 2, 1, nil)
}

// With bfloat16 the products are coarse, but norms and their outputs stay close, and nothing changes its shape or sign.
func TestBFloat16(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 9))
	inputs := map[string]array{
		"x": normal(r, 2, 4, 6), "l.w": normal(r, 6, 5), "l.b": normal(r, 5), "n.gain": normal(r, 5), "n.bias": normal(r, 5),
	}
	names := []string{"x", "l.w", "l.b", "n.gain", "n.bias"}
	var args []any
	for _, name := range names {
		args = append(args, inputs[name].tensor())
	}
	out, err := CallOnce(openGo(t), func(in []*Node) *Node {
		n := Net{DType: dtypes.BFloat16, Weights: func(name string) *Node {
			for i := range names {
				if names[i] == name {
					return in[i]
				}
			}
			return nil
		}}
		h := n.Linear(in[0], "l")
		if h.DType() != dtypes.BFloat16 {
			panic("activations are " + h.DType().String())
		}
		return Float(n.LayerNorm(h, "n"))
	}, args...)
	if err != nil {
		t.Fatal(err)
	}
	want := directLayerNorm(directLinear(inputs["x"], inputs["l.w"], inputs["l.b"]), inputs["n.gain"], inputs["n.bias"])
	compare(t, "output", tensors.MustCopyFlatData[float32](out), want.v, 0.03)
}
