package train

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
)

// variables is the value of every variable of an engine, by group and name.
func variables(t *testing.T, vars *mlx.Vars) map[string][]float32 {
	t.Helper()
	all := map[string][]float32{}
	for _, group := range []string{mlx.GroupWeights, mlx.GroupEMA, mlx.GroupMoment1, mlx.GroupMoment2, mlx.GroupCount} {
		for _, name := range vars.Names(group, "") {
			data, _, err := vars.Get(group, name)
			if err != nil {
				t.Fatal(err)
			}
			all[group+"/"+name] = data
		}
	}
	return all
}

// moved tells which networks' variables of a group differ between two moments, by the first part of their names.
func moved(group string, before, after map[string][]float32) []string {
	changed := map[string]bool{}
	for name, was := range before {
		g, rest, _ := strings.Cut(name, "/")
		if g == group && !slices.Equal(was, after[name]) {
			network, _, _ := strings.Cut(rest, ".")
			changed[network] = true
		}
	}
	return slices.Sorted(maps.Keys(changed))
}

// halfStep makes D's step or G's alone.
func (e *engine) halfStep(t *testing.T, generator bool, batch *corpus.Batch) map[string]float32 {
	t.Helper()
	f := feed{cfg: e.cfg, speakers: e.speakers, batch: batch}
	withSource := batch.Step >= e.cfg.sourceStep()
	shift, gain := f.shifts()
	s := f.schedule(e.cfg.schedule(batch.Step, e.encoderFromP))
	var out *tensors.Tensor
	var err error
	names := discriminatorMetrics
	if generator {
		names = generatorMetrics
		out, err = e.run("G alone", func(in []*Node) []*Node { return e.generator(in, withSource) },
			f.x(), f.ref(), f.ref2(), f.controls(batch.Y), f.controls(batch.Target), f.oneHot(batch.Y), f.oneHot(batch.Target),
			f.latent(batch.Z1), f.latent(batch.Z2), shift, gain, f.mask(), f.taps(), s)
	} else {
		out, err = e.run("D alone", func(in []*Node) []*Node { return e.discriminator(in, withSource) },
			f.x(), f.ref(), f.controls(batch.Target), f.oneHot(batch.Y), f.oneHot(batch.Target), f.latent(batch.Z1), f.noise(),
			shift, gain, f.mask(), f.taps(), s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return named(t, results{Names: names, Tensor: out})
}

func named(t *testing.T, rs ...results) map[string]float32 {
	t.Helper()
	m := map[string]float32{}
	for _, r := range rs {
		v := r.Fetch()
		if len(v) != len(r.Names) {
			t.Fatalf("%d metrics for the names %v", len(v), r.Names)
		}
		for i, name := range r.Names {
			if v[i]-v[i] != 0 {
				t.Errorf("%s is %g", name, v[i])
			}
			m[name] = v[i]
		}
	}
	return m
}

// Each step may touch its own networks and no other, to the last bit.
func TestStepsTouchTheirOwnNetworks(t *testing.T) {
	cfg := microConfig(t)
	star, source := cfg.WarmUpSteps(), cfg.sourceStep()
	for _, c := range []struct {
		name      string
		step      int
		generator bool
		weights   []string // that move
		averages  []string
	}{
		{"warm-up", 0, true, []string{"gen", "map", "sty"}, []string{"gen", "map", "sty"}},
		{"discriminator", star, false, []string{"disc"}, nil},
		{"discriminator with source classifier", source, false, []string{"cls", "disc"}, nil},
		{"generator", star, true, []string{"gen", "map", "sty"}, []string{"gen", "map", "sty"}},
		{"generator with source classifier", source, true, []string{"gen", "map", "sty"}, []string{"gen", "map", "sty"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := testEngine(t, cfg, "go", false, 3)
			before := variables(t, e.vars)
			batch := randomBatch(cfg, 3, c.step)
			if c.step < star {
				rs, err := e.step(batch)
				if err != nil {
					t.Fatal(err)
				}
				named(t, rs...)
			} else {
				e.halfStep(t, c.generator, batch)
			}
			after := variables(t, e.vars)
			for _, group := range []struct {
				name string
				want []string
			}{{mlx.GroupWeights, c.weights}, {mlx.GroupMoment2, c.weights}, {mlx.GroupCount, c.weights}, {mlx.GroupEMA, c.averages}} {
				changed := moved(group.name, before, after)
				if !slices.Equal(changed, group.want) {
					t.Errorf("variables of group %s moved in %v, want %v", group.name, changed, group.want)
				}
			}
		})
	}
}

// Every weight of a network must learn: one that never moves is not connected.
func TestEveryWeightLearns(t *testing.T) {
	cfg := microConfig(t)
	e := testEngine(t, cfg, "go", false, 3)
	before := variables(t, e.vars)
	for step := range cfg.Steps {
		rs, err := e.step(randomBatch(cfg, 3, step))
		if err != nil {
			t.Fatal(err)
		}
		m := named(t, rs...)
		if m["ok"] != 1 || (step >= cfg.WarmUpSteps() && m["ok_d"] != 1) {
			t.Errorf("step %d was skipped: %v", step, m)
		}
	}
	after := variables(t, e.vars)
	for name, was := range before {
		if strings.HasPrefix(name, mlx.GroupWeights+"/") && slices.Equal(was, after[name]) {
			t.Errorf("%s has not moved in %d steps", name, cfg.Steps)
		}
	}
	if n := after[mlx.GroupCount+"/gen.stem."][0]; n != float32(cfg.Steps) {
		t.Errorf("G counts %g steps, want %d", n, cfg.Steps)
	}
	if n := after[mlx.GroupCount+"/disc."][0]; n != float32(cfg.Steps-cfg.WarmUpSteps()) {
		t.Errorf("D counts %g steps, want %d", n, cfg.Steps-cfg.WarmUpSteps())
	}
	if n := after[mlx.GroupCount+"/cls."][0]; n != float32(cfg.Steps-cfg.sourceStep()) {
		t.Errorf("C counts %g steps, want %d", n, cfg.Steps-cfg.sourceStep())
	}
}

// isEncoder is whether a weight is of G's encoder.
func isEncoder(name string) bool {
	return slices.ContainsFunc(generatorParts[:encoderParts], func(part string) bool { return strings.HasPrefix(name, part) })
}

// An encoder taken from a phone network rests at first: only its rate is 0, so not even weight decay moves it.
func TestFrozenEncoderRests(t *testing.T) {
	cfg := microConfig(t)
	cfg.FreezeShare = 0.5
	for _, fromP := range []bool{false, true} {
		e := testEngine(t, cfg, "go", false, 3)
		e.encoderFromP = fromP
		before := variables(t, e.vars)
		for step := range 3 {
			if step == 2 { // half of the three warm-up steps is over
				after := variables(t, e.vars)
				for name, was := range before {
					group, rest, _ := strings.Cut(name, "/")
					if group == mlx.GroupWeights && isEncoder(rest) && slices.Equal(was, after[name]) != fromP {
						t.Errorf("encoder from P %v: %s rests: %v", fromP, name, !fromP)
					}
				}
			}
			rs, err := e.step(randomBatch(cfg, 3, step))
			if err != nil {
				t.Fatal(err)
			}
			named(t, rs...)
		}
		after := variables(t, e.vars)
		for name, was := range before {
			group, rest, _ := strings.Cut(name, "/")
			if group == mlx.GroupWeights && isEncoder(rest) && strings.HasSuffix(rest, ".w") && slices.Equal(was, after[name]) {
				t.Errorf("encoder from P %v: %s still rests after the freeze", fromP, name)
			}
		}
	}
}

// The target style takes F's reading with its gradient, and E's as a constant.
func TestTargetStyleGradients(t *testing.T) {
	cfg := microConfig(t)
	e := testEngine(t, cfg, "go", false, 3)
	batch := randomBatch(cfg, 3, 3)
	f := feed{cfg: cfg, speakers: e.speakers, batch: batch}
	names := []string{"map.head.w", "map.shared.0.w", "sty.head.w", "sty.stem.w", "sty.join.w"}
	half := cfg.Batch / 2
	outs, err := model.CallOnceN(e.backend, e.vars.Store(), func(_ *model.Scope, in []*Node) []*Node {
		g := in[0].Graph()
		style := e.targetStyle(e.over(g, mlx.GroupWeights, false), in[0], in[1], in[2])
		var weights []*Node
		for _, name := range names {
			weights = append(weights, e.vars.Node(g, mlx.GroupWeights, name))
		}
		out := []*Node{style}
		for _, rows := range []*Node{SliceAxis(style, 0, AxisRange(0, half)), SliceAxis(style, 0, AxisRange(half, cfg.Batch))} {
			out = append(out, Gradient(ReduceAllSum(Square(rows)), append(slices.Clone(weights), in[1])...)...)
		}
		return out
	}, f.latent(batch.Z1), f.ref(), f.oneHot(batch.Target))
	if err != nil {
		t.Fatal(err)
	}
	norm := func(i int) (sum float64) {
		for _, v := range tensors.MustCopyFlatData[float32](outs[i]) {
			sum += float64(v) * float64(v)
		}
		return math.Sqrt(sum)
	}
	n := len(names) + 1
	for i, name := range append(slices.Clone(names), "the reference") {
		if first, wanted := norm(1+i), strings.HasPrefix(name, "map."); (first > 0) != wanted {
			t.Errorf("first half: gradient of %s has the norm %g, want some: %v", name, first, wanted)
		}
		if second := norm(1 + n + i); second != 0 {
			t.Errorf("second half: gradient of %s has the norm %g, want none", name, second)
		}
	}

	// And the halves are what they should be: F's styles of the latents, E's of the references.
	style := tensors.MustCopyFlatData[float32](outs[0])
	want, err := model.CallOnceN(e.backend, e.vars.Store(), func(_ *model.Scope, in []*Node) []*Node {
		net := e.over(in[0].Graph(), mlx.GroupWeights, false)
		read, _ := net.encodeStyle(in[1], in[2])
		return []*Node{net.mapLatent(in[0], in[2]), Identity(read)}
	}, f.latent(batch.Z1), f.ref(), f.oneHot(batch.Target))
	if err != nil {
		t.Fatal(err)
	}
	cut := half * cfg.GAN.StyleDim
	near(t, "F's half", style[:cut], tensors.MustCopyFlatData[float32](want[0])[:cut])
	near(t, "E's half", style[cut:], tensors.MustCopyFlatData[float32](want[1])[cut:])
}

// With its diversity weight alone, G must drive its outputs in two styles apart; with the sign the other way round the
// term would fall.
func TestDiversityGrowsWhenTrained(t *testing.T) {
	cfg := microConfig(t)
	cfg.Loss = LossWeights{Diversity: 1}
	cfg.Steps, cfg.WarmUpShare, cfg.SourceShare, cfg.DecayShare = 400, 0, 1, 0
	cfg.LearningRate, cfg.MapRate = 2e-3, 1
	e := testEngine(t, cfg, "go", false, 3)
	batch := randomBatch(cfg, 3, 1)
	first := e.halfStep(t, true, batch)["diversity"]
	var last float32
	for range 30 {
		last = e.halfStep(t, true, batch)["diversity"]
	}
	if !(last > 1.2*first) {
		t.Errorf("diversity goes from %g to %g", first, last)
	}
}

// The warm-up must learn to rebuild one batch, which takes every part of G and E.
func TestWarmUpOverfits(t *testing.T) {
	cfg := microConfig(t)
	cfg.Steps, cfg.WarmUpShare, cfg.DecayShare = 400, 1, 0
	cfg.WarpRange, cfg.TiltRange, cfg.WarmUpRate = 0, 0, 1e-2
	e := testEngine(t, cfg, "go", false, 2)
	batch := randomBatch(cfg, 2, 0)
	for i := range batch.X { // something that can be learnt: bands that follow each other
		batch.X[i] = float32(math.Sin(float64(i%16)/3 + float64(i/16)/5))
	}
	var first, last float32
	for i := range 60 {
		rs, err := e.step(batch)
		if err != nil {
			t.Fatal(err)
		}
		last = named(t, rs...)["identity"]
		if i == 0 {
			first = last
		}
	}
	if !(last < first/2) {
		t.Errorf("rebuilding goes from %g to %g in 60 steps", first, last)
	}
}

// Two engines from the same seed make the same numbers, bit for bit; that is what resuming rests on.
func TestStepsAreDeterministic(t *testing.T) {
	cfg := microConfig(t)
	run := func() map[string][]float32 {
		e := testEngine(t, cfg, "go", false, 3)
		for _, step := range []int{0, 1, 3, 6} {
			rs, err := e.step(randomBatch(cfg, 3, step))
			if err != nil {
				t.Fatal(err)
			}
			named(t, rs...)
		}
		return variables(t, e.vars)
	}
	a, b := run(), run()
	for name := range a {
		if !slices.Equal(a[name], b[name]) {
			t.Fatalf("%s differs between two equal runs", name)
		}
	}
}

// A batch with a number that is not finite must leave everything as it was.
func TestBrokenBatchIsSkipped(t *testing.T) {
	cfg := microConfig(t)
	for _, step := range []int{0, 3, 6} {
		e := testEngine(t, cfg, "go", false, 3)
		batch := randomBatch(cfg, 3, step)
		batch.X[7] = float32(math.NaN())
		before := variables(t, e.vars)
		rs, err := e.step(batch)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rs {
			if v := r.Fetch(); v[0] != 0 {
				t.Errorf("step %d: %s is %g, want 0", step, r.Names[0], v[0])
			}
		}
		after := variables(t, e.vars)
		for name, was := range before {
			if !strings.HasPrefix(name, mlx.GroupEMA) && !slices.Equal(was, after[name]) {
				t.Errorf("step %d: %s moved", step, name)
			}
		}
	}
}

// Trainers find out about a mistake in a graph by an error, not by a panic.
func TestGraphPanicBecomesError(t *testing.T) {
	cfg := microConfig(t)
	e := testEngine(t, cfg, "go", false, 3)
	_, err := e.run("broken", func([]*Node) []*Node { panic("no such weight") })
	if err == nil || !strings.Contains(err.Error(), "broken step") || !strings.Contains(err.Error(), "no such weight") {
		t.Errorf("error %v, want one that names the step and the cause", err)
	}
}

// Validation reads the averages and touches nothing.
func TestValidationTouchesNothing(t *testing.T) {
	cfg := microConfig(t)
	e := testEngine(t, cfg, "go", false, 3)
	before := variables(t, e.vars)
	first, err := e.score(randomBatch(cfg, 3, 1))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range first {
		if v-v != 0 || v <= 0 {
			t.Errorf("%s is %g", starValidMetrics[i], v)
		}
	}
	again, err := e.score(randomBatch(cfg, 3, 1))
	if err != nil || !slices.Equal(first, again) {
		t.Errorf("scored again: %v, %v, was %v", again, err, first)
	}
	after := variables(t, e.vars)
	for name, was := range before {
		if !slices.Equal(was, after[name]) {
			t.Errorf("%s moved", name)
		}
	}
	for _, name := range e.vars.Names(mlx.GroupEMA, "gen.out.b") {
		data, shape, _ := e.vars.Get(mlx.GroupEMA, name)
		for i := range data {
			data[i] += 3
		}
		if err := e.vars.Set(mlx.GroupEMA, name, shape, data); err != nil {
			t.Fatal(err)
		}
	}
	if other, err := e.score(randomBatch(cfg, 3, 1)); err != nil || other[0] == first[0] {
		t.Errorf("with other averages the score is still %v (%v)", other, err)
	}
}
