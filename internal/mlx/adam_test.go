package mlx

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Two networks, a and b, and one weight of neither. The loss is scale * sum of k/2 (w - goal)^2 over all weights, so the
// gradient of each is scale * k (w - goal).
var trial = []struct {
	name string
	dims []int
	k    float64
}{
	{"a.w", []int{2, 3}, 1}, {"a.b", []int{3}, 4}, {"b.w", []int{2, 2}, 0.5}, {"rest.w", []int{2}, 3},
}

const trialGoal = 0.25

func trialVars(t *testing.T, a AdamW) *Vars {
	t.Helper()
	v := NewVars()
	r := rand.New(rand.NewPCG(8, 8))
	for _, p := range trial {
		x := normal(r, p.dims...)
		w := make([]float32, len(x.v))
		for i := range w {
			w[i] = float32(x.v[i])
		}
		if err := v.Set(GroupWeights, p.name, p.dims, w); err != nil {
			t.Fatal(err)
		}
	}
	for _, prefix := range []string{"a.", "b."} {
		if err := a.Prepare(v, prefix); err != nil {
			t.Fatal(err)
		}
		if err := PrepareEMA(v, prefix); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// trialStep compiles a step. Its inputs are the loss' scale, the rates of a and b, and the decay of a's average; its
// outputs the two norms and ok.
func trialStep(t *testing.T, backend compute.Backend, a AdamW, v *Vars) func(scale, rateA, rateB, decay float32) []float32 {
	t.Helper()
	exec, err := model.NewExec(backend, v.Store(), func(_ *model.Scope, in []*Node) []*Node {
		g := in[0].Graph()
		loss := ScalarZero(g, in[0].DType())
		for _, p := range trial {
			d := AddScalar(v.Node(g, GroupWeights, p.name), -trialGoal)
			loss = Add(loss, MulScalar(ReduceAllSum(Square(d)), p.k/2))
		}
		norms, ok := a.Step(v, Mul(loss, in[0]), Rate{"a.", in[1]}, Rate{"b.", in[2]})
		UpdateEMA(v, in[3], "a.")
		return []*Node{norms[0], norms[1], ok}
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(scale, rateA, rateB, decay float32) []float32 {
		t.Helper()
		outs, err := exec.Call(scale, rateA, rateB, decay)
		if err != nil {
			t.Fatal(err)
		}
		var got []float32
		for _, o := range outs {
			got = append(got, tensors.ToScalar[float32](o))
		}
		return got
	}
}

// directAdam is the textbook: one network at a time, float64.
type directAdam struct {
	AdamW
	w, m, s, ema map[string][]float64
	count        map[string]float64
}

func newDirectAdam(t *testing.T, a AdamW, v *Vars) *directAdam {
	d := &directAdam{AdamW: a, w: map[string][]float64{}, m: map[string][]float64{}, s: map[string][]float64{}, ema: map[string][]float64{}, count: map[string]float64{}}
	for _, p := range trial {
		d.w[p.name] = wide(get(t, v, GroupWeights, p.name))
		d.ema[p.name] = slices.Clone(d.w[p.name])
		d.m[p.name], d.s[p.name] = make([]float64, len(d.w[p.name])), make([]float64, len(d.w[p.name]))
	}
	return d
}

func (d *directAdam) step(prefix string, scale, rate, decay float64, average bool) (norm float64) {
	grads := map[string][]float64{}
	for _, p := range trial {
		if !strings.HasPrefix(p.name, prefix) {
			continue
		}
		for _, w := range d.w[p.name] {
			g := scale * p.k * (w - trialGoal)
			grads[p.name] = append(grads[p.name], g)
			norm += g * g
		}
	}
	norm = math.Sqrt(norm)
	clip := 1.0
	if d.Clip > 0 {
		clip = min(1, d.Clip/(norm+1e-6))
	}
	d.count[prefix]++
	n := d.count[prefix]
	for _, p := range trial {
		w, m, s := d.w[p.name], d.m[p.name], d.s[p.name]
		for i, g := range grads[p.name] {
			g *= clip
			m[i] = d.Beta1*m[i] + (1-d.Beta1)*g
			s[i] = d.Beta2*s[i] + (1-d.Beta2)*g*g
			step := m[i] / (1 - math.Pow(d.Beta1, n)) / (math.Sqrt(s[i]/(1-math.Pow(d.Beta2, n))) + d.Epsilon)
			if len(p.dims) >= 2 {
				step += d.WeightDecay * w[i]
			}
			w[i] -= rate * step
			if average {
				d.ema[p.name][i] = decay*d.ema[p.name][i] + (1-decay)*w[i]
			}
		}
	}
	return norm
}

func get(t *testing.T, v *Vars, group, name string) []float32 {
	t.Helper()
	data, _, err := v.Get(group, name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func wide(v []float32) []float64 {
	w := make([]float64, len(v))
	for i, x := range v {
		w[i] = float64(x)
	}
	return w
}

// everything is the value of every variable, by group and name.
func everything(t *testing.T, v *Vars) map[string][]float32 {
	t.Helper()
	all := map[string][]float32{}
	for _, group := range []string{GroupWeights, GroupEMA, GroupMoment1, GroupMoment2, GroupCount} {
		for _, name := range v.Names(group, "") {
			all[group+"/"+name] = get(t, v, group, name)
		}
	}
	return all
}

func TestAdamWAgainstDirect(t *testing.T) {
	backend := openGo(t)
	for _, c := range []struct {
		name string
		adam AdamW
	}{
		{"plain", AdamW{Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8}},
		{"without momentum", AdamW{Beta1: 0, Beta2: 0.99, Epsilon: 1e-8}},
		{"weight decay", AdamW{Beta1: 0.5, Beta2: 0.9, Epsilon: 1e-3, WeightDecay: 0.3}},
		{"clipped", AdamW{Beta1: 0.5, Beta2: 0.9, Epsilon: 0.5, Clip: 0.7}},
		{"clip out of reach", AdamW{Beta1: 0.5, Beta2: 0.9, Epsilon: 0.5, Clip: 1e6}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := trialVars(t, c.adam)
			rest := get(t, v, GroupWeights, "rest.w")
			want := newDirectAdam(t, c.adam, v)
			step := trialStep(t, backend, c.adam, v)
			for i := range 6 {
				scale, rateA, rateB, decay := 1+0.5*float64(i), 0.05/float64(i+1), 0.01, 0.5+0.05*float64(i)
				out := step(float32(scale), float32(rateA), float32(rateB), float32(decay))
				norms := []float64{want.step("a.", scale, rateA, decay, true), want.step("b.", scale, rateB, decay, false)}
				compare(t, "norms", out[:2], norms, 1e-5)
				if out[2] != 1 {
					t.Errorf("step %d: ok is %g", i, out[2])
				}
				for _, name := range []string{"a.w", "a.b", "b.w"} {
					compare(t, name, get(t, v, GroupWeights, name), want.w[name], 1e-5)
					compare(t, "second moment of "+name, get(t, v, GroupMoment2, name), want.s[name], 1e-5)
					compare(t, "average of "+name, get(t, v, GroupEMA, name), want.ema[name], 1e-5)
					if c.adam.Beta1 != 0 {
						compare(t, "first moment of "+name, get(t, v, GroupMoment1, name), want.m[name], 1e-5)
					} else if v.Has(GroupMoment1, name) {
						t.Errorf("%s has a first moment that nothing needs", name)
					}
				}
				if n := get(t, v, GroupCount, "a.")[0]; n != float32(i+1) {
					t.Errorf("count is %g after step %d", n, i)
				}
			}
			if !slices.Equal(rest, get(t, v, GroupWeights, "rest.w")) {
				t.Error("a weight of neither network moved")
			}
		})
	}
}

func TestAdamWSkipsWhatIsNotFinite(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, beta1 := range []float64{0, 0.9} {
		a := AdamW{Beta1: beta1, Beta2: 0.99, Epsilon: 1e-8, WeightDecay: 0.1, Clip: 1}
		v := trialVars(t, a)
		step := trialStep(t, openGo(t), a, v)
		// 1e19 leaves the loss finite, but not the sum of the squared gradients.
		bad := []float32{nan, inf, -inf, 1e19}
		refuse := func() {
			before := everything(t, v)
			for _, scale := range bad {
				if out := step(scale, 0.1, 0.1, 1); out[2] != 0 {
					t.Errorf("scale %g: ok is %g, want 0", scale, out[2])
				}
				after := everything(t, v)
				for name, was := range before {
					if !slices.Equal(was, after[name]) {
						t.Errorf("scale %g: %s moved from %v to %v", scale, name, was, after[name])
					}
				}
			}
		}
		refuse() // before the first step, where Adam's corrections divide by zero
		if out := step(1, 0.1, 0.1, 0.5); out[2] != 1 {
			t.Fatalf("a sound step was refused: %v", out)
		}
		// The average catches up with the weights before the second round: a skipped step may still move it.
		if out := step(1, 0.1, 0.1, 0); out[2] != 1 {
			t.Fatalf("a sound step was refused: %v", out)
		}
		refuse()
		if n := get(t, v, GroupCount, "a.")[0]; n != 2 {
			t.Errorf("%g steps counted, want 2", n)
		}
	}
}

func TestEMASeesTheNewWeights(t *testing.T) {
	a := AdamW{Beta1: 0, Beta2: 0.99, Epsilon: 1e-8}
	v := trialVars(t, a)
	old := get(t, v, GroupWeights, "a.w")
	step := trialStep(t, openGo(t), a, v)
	step(1, 0.1, 0.1, 0) // a decay of 0 keeps nothing of the past
	w := get(t, v, GroupWeights, "a.w")
	if slices.Equal(w, old) {
		t.Fatal("the weights did not move")
	}
	if got := get(t, v, GroupEMA, "a.w"); !slices.Equal(got, w) {
		t.Errorf("average is %v, want the new weights %v", got, w)
	}
	average := get(t, v, GroupEMA, "b.w")
	step(1, 0.1, 0.1, 1) // a decay of 1 keeps all of it
	if got := get(t, v, GroupEMA, "a.w"); !slices.Equal(got, w) {
		t.Errorf("average moved to %v with decay 1", got)
	}
	if !slices.Equal(average, get(t, v, GroupEMA, "b.w")) {
		t.Error("the average of a network that was not named moved")
	}
}

func TestPrepareKeepsWhatIsThere(t *testing.T) {
	a := AdamW{Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8}
	v := trialVars(t, a)
	step := trialStep(t, openGo(t), a, v)
	step(1, 0.1, 0.1, 0.5)
	before := everything(t, v)
	if err := a.Prepare(v, "a."); err != nil {
		t.Fatal(err)
	}
	if err := PrepareEMA(v, "a."); err != nil {
		t.Fatal(err)
	}
	after := everything(t, v)
	if len(before) != len(after) {
		t.Errorf("%d variables, had %d", len(after), len(before))
	}
	for name, was := range before {
		if !slices.Equal(was, after[name]) {
			t.Errorf("%s was set anew", name)
		}
	}
	if err := a.Prepare(v, "nobody."); err == nil || !strings.Contains(err.Error(), `"nobody."`) {
		t.Errorf("a network without weights: error %v, want one that names it", err)
	}
}
