package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/starvc/vc/internal/untrained"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/mlx/mlxtest"
)

// What is trained as a graph is run by package gan in plain Go: both must compute the same from the same weights.

// parityTolerance is relative to the largest number in the output.
const parityTolerance = 1e-4

// loadModel puts a model's weights where an engine finds them.
func loadModel(t *testing.T, m *gan.Model) *mlx.Vars {
	t.Helper()
	vars := mlx.NewVars()
	for _, p := range m.Config.ModelParams(len(m.Speakers)) {
		if err := vars.Set(mlx.GroupWeights, p.Name, p.Shape, m.Tensor(p.Name)); err != nil {
			t.Fatal(err)
		}
	}
	return vars
}

func parityConfigs(t *testing.T) map[string]gan.Config {
	micro := microConfig(t).GAN
	odd := micro // another kernel, no past in the stem, bands and widths that do not divide evenly
	odd.NMels, odd.Kernel, odd.StemPast, odd.StemFuture, odd.EncoderBlocks, odd.DecoderBlocks = 19, 5, 0, 3, 2, 3
	odd.MapLayers, odd.BodyWidths = 1, []int{3, 3, 5}
	image := micro // a decoder over bands
	image.DecoderBands, image.DecoderChannels, image.DecoderBlocks = 4, 5, 2
	dilated := odd
	dilated.EncoderDilations = []int{4, 3}
	narrow := odd
	narrow.EncoderMels = odd.NMels - 3
	return map[string]gan.Config{"micro": micro, "odd": odd, "image": image, "dilated": dilated, "narrow": narrow}
}

func normals(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

// graphs runs a function of networks over a model's weights.
func graphs(t *testing.T, m *gan.Model, native bool) func(build func(n networks, in []*Node) *Node, args ...any) []float32 {
	vars, backend := loadModel(t, m), mlxtest.OpenGo(t)
	return func(build func(n networks, in []*Node) *Node, args ...any) []float32 {
		t.Helper()
		out, err := model.CallOnce(backend, vars.Store(), func(_ *model.Scope, in []*Node) *Node {
			lookup := vars.Lookup(in[0].Graph(), mlx.GroupWeights)
			return Identity(build(networks{cfg: m.Config, net: mlx.Net{Weights: lookup, NativeConv: native}}, in))
		}, args...)
		if err != nil {
			t.Fatal(err)
		}
		return tensors.MustCopyFlatData[float32](out)
	}
}

func near(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	var largest, worst float64
	for i := range want {
		largest = math.Max(largest, math.Abs(float64(want[i])))
		worst = math.Max(worst, math.Abs(float64(got[i]-want[i])))
	}
	if !(worst <= parityTolerance*largest) || largest == 0 {
		t.Errorf("%s: differs by %g where the largest number is %g", what, worst, largest)
	}
}

func TestGeneratorParity(t *testing.T) {
	const batch, frames = 2, 23
	for name, cfg := range parityConfigs(t) {
		m := untrained.Model(cfg, 3, 5)
		run, native := graphs(t, m, false), graphs(t, m, true)
		r := rand.New(rand.NewPCG(1, 2))
		x, controls, style := normals(r, batch*frames*cfg.NMels), normals(r, batch*frames*gan.Controls), normals(r, batch*cfg.StyleDim)
		for lookAhead := range cfg.StemFuture + 1 {
			t.Run(fmt.Sprintf("%s look-ahead %d", name, lookAhead), func(t *testing.T) {
				g, err := gan.NewGenerator(m, lookAhead)
				if err != nil {
					t.Fatal(err)
				}
				var want []float32
				for b := range batch {
					g.SetStyle(style[b*cfg.StyleDim : (b+1)*cfg.StyleDim])
					want = g.Process(want, x[b*frames*cfg.NMels:(b+1)*frames*cfg.NMels], controls[b*frames*gan.Controls:(b+1)*frames*gan.Controls])
					want = g.Flush(want)
				}
				f := feed{cfg: Config{GAN: cfg}, batch: &corpus.Batch{LookAhead: lookAhead}}
				generate := func(n networks, in []*Node) *Node { return n.generate(in[0], in[1], in[2], in[3]) }
				in := func() []any { // anew for each backend
					return []any{
						tensors.FromFlatDataAndDimensions(slices.Clone(x), batch, frames, cfg.NMels),
						tensors.FromFlatDataAndDimensions(slices.Clone(controls), batch, frames, gan.Controls),
						tensors.FromFlatDataAndDimensions(slices.Clone(style), batch, cfg.StyleDim), f.taps(),
					}
				}
				near(t, "log-mel", run(generate, in()...), want)
				if cfg.DecoderBands > 0 { // the only convolutions in G
					near(t, "log-mel by native convolutions", native(generate, in()...), want)
				}
			})
		}
	}
}

func TestMappingParity(t *testing.T) {
	const speakers = 3
	for name, cfg := range parityConfigs(t) {
		m := untrained.Model(cfg, speakers, 6)
		z := normals(rand.New(rand.NewPCG(3, 2)), 4*cfg.LatentDim)
		y := []int32{2, 0, 1, 2}
		var want []float32
		for i, s := range y {
			want = append(want, gan.NewMappingNetwork(m).Style(z[i*cfg.LatentDim:(i+1)*cfg.LatentDim], int(s))...)
		}
		f := feed{speakers: make([]corpus.SpeakerInfo, speakers)}
		got := graphs(t, m, false)(func(n networks, in []*Node) *Node { return n.mapLatent(in[0], in[1]) },
			tensors.FromFlatDataAndDimensions(z, len(y), cfg.LatentDim), f.oneHot(y))
		near(t, name, got, want)
	}
}

func TestStyleEncoderParity(t *testing.T) {
	const speakers = 3
	for name, cfg := range parityConfigs(t) {
		for _, native := range []bool{false, true} {
			for _, frames := range []int{cfg.MinStyleFrames(), 13, 30} {
				t.Run(fmt.Sprintf("%s %d frames, native %v", name, frames, native), func(t *testing.T) {
					m := untrained.Model(cfg, speakers, 7)
					y := []int32{1, 2, 0}
					one := frames * cfg.NMels
					x := normals(rand.New(rand.NewPCG(5, 2)), len(y)*one)
					cpu := gan.NewStyleEncoder(m)
					var own, common []float32
					for i, s := range y {
						for _, head := range []struct {
							to      *[]float32
							speaker int
						}{{&own, int(s)}, {&common, gan.CommonHead}} {
							style, err := cpu.Style(x[i*one:(i+1)*one], head.speaker)
							if err != nil {
								t.Fatal(err)
							}
							*head.to = append(*head.to, style...)
						}
					}
					f := feed{speakers: make([]corpus.SpeakerInfo, speakers)}
					run := graphs(t, m, native)
					for _, c := range []struct {
						what   string
						common bool
						want   []float32
					}{{"own head", false, own}, {"common head", true, common}} {
						got := run(func(n networks, in []*Node) *Node {
							style, shared := n.encodeStyle(in[0], in[1])
							if c.common {
								return shared
							}
							return style
						}, tensors.FromFlatDataAndDimensions(slices.Clone(x), len(y), frames, cfg.NMels), f.oneHot(y))
						near(t, c.what, got, c.want)
					}
				})
			}
		}
	}
}

// markedSet is a set of speakers whose log-mels stand around a level of their own.
func markedSet(cfg Config, frames ...int) *corpus.Set {
	set := &corpus.Set{Features: cfg.Features}
	for i, n := range frames {
		set.Speakers = append(set.Speakers, corpus.SpeakerInfo{Name: string(rune('a' + i)), Seconds: 3, LogF0Mean: 5, LogF0Std: 0.2})
		r := rand.New(rand.NewPCG(uint64(i), 1))
		f := features.Frames{NMels: cfg.GAN.NMels, LogMel: normals(r, n*cfg.GAN.NMels), F0: make([]float32, n), LogEnergy: make([]float32, n)}
		for j := range f.LogMel {
			f.LogMel[j] += float32(2*i - 1)
		}
		set.Train = append(set.Train, corpus.Utterance{Speaker: i, Path: fmt.Sprint(i), Frames: f})
	}
	return set
}

// The model that comes out of an engine must convert with the averaged weights, and hold for each speaker the mean style
// of its own recordings, read through its own head.
func TestExport(t *testing.T) {
	cfg := microConfig(t)
	set := markedSet(cfg, 10*cfg.StyleFrames+3, cfg.StyleFrames, cfg.StyleFrames-3)
	e := testEngine(t, cfg, "go", false, len(set.Speakers))
	e.speakers = set.Speakers
	for _, step := range []int{0, 3, 6} { // so that weights and averages differ
		rs, err := e.step(randomBatch(cfg, len(set.Speakers), step))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rs {
			r.Fetch()
		}
	}
	m, err := e.export(set, 3, "test")
	if err != nil {
		t.Fatal(err)
	}
	if m.Trained != (gan.Trained{Steps: 3, Preset: "tiny", Program: "test"}) {
		t.Errorf("trained: %+v", m.Trained)
	}
	for i, s := range set.Speakers {
		if got := m.Speakers[i]; got.Name != s.Name || got.LogF0Mean != s.LogF0Mean || got.LogF0Std != s.LogF0Std || got.Seconds != s.Seconds {
			t.Errorf("speaker %d: %+v, want %+v", i, got, s)
		}
	}
	for _, p := range cfg.GAN.ModelParams(len(set.Speakers)) {
		if p.Name == "speakers.style" {
			continue
		}
		average, _, err := e.vars.Get(mlx.GroupEMA, p.Name)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(m.Tensor(p.Name), average) {
			t.Errorf("%s is not the average of its weights", p.Name)
		}
	}
	cpu := gan.NewStyleEncoder(m)
	for speaker := range set.Speakers {
		crops := evenCrops(set.Features, set.Train, speaker, cfg.StyleFrames, styleCrops)
		want := make([]float32, cfg.GAN.StyleDim)
		for _, c := range crops {
			style, err := cpu.Style(c, speaker)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range style {
				want[i] += v / float32(len(crops))
			}
		}
		near(t, "style of "+set.Speakers[speaker].Name, m.Style(speaker), want)
	}

	empty := markedSet(cfg, 50, 50, 50)
	empty.Train = empty.Train[:2]
	if _, err := e.export(empty, 3, "test"); err == nil || !strings.Contains(err.Error(), "speaker c has no training speech") {
		t.Errorf("a speaker without speech: error %v", err)
	}
}

func TestEvenCrops(t *testing.T) {
	cfg := microConfig(t)
	set := markedSet(cfg, 35, 4)
	mel := func(speaker, frame int) []float32 { return set.Train[speaker].Frames.Mel(frame) }
	for _, c := range []struct {
		name          string
		speaker, most int
		starts        []int
	}{
		{"all that fit", 0, 10, []int{0, 10, 20}},
		{"spread evenly", 0, 2, []int{0, 10}},
		{"one", 0, 1, []int{0}},
		{"short speech is repeated", 1, 10, []int{0}},
		{"nobody", 2, 10, nil},
	} {
		crops := evenCrops(set.Features, set.Train, c.speaker, 10, c.most)
		if len(crops) != len(c.starts) {
			t.Errorf("%s: %d crops, want %d", c.name, len(crops), len(c.starts))
			continue
		}
		for i, crop := range crops {
			n := set.Train[c.speaker].Frames.Len()
			for frame := range 10 {
				if !slices.Equal(crop[frame*16:(frame+1)*16], mel(c.speaker, (c.starts[i]+frame)%n)) {
					t.Errorf("%s: crop %d, frame %d is not that of frame %d", c.name, i, frame, c.starts[i]+frame)
					break
				}
			}
		}
	}
}
