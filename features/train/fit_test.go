package train

import (
	"context"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// someFrames have a voice where two inputs on other scales than the rest say so, but for one in twenty.
func someFrames(seed uint64, n int) Frames {
	r := rand.New(rand.NewPCG(seed, 3))
	f := Frames{In: make([][inputs]float64, n), Voiced: make([]bool, n), Weight: make([]float64, n)}
	for i := range f.In {
		for j := range f.In[i] {
			f.In[i][j] = r.NormFloat64()
		}
		f.Voiced[i] = (f.In[i][0] > f.In[i][1]*f.In[i][1]-1) != (r.IntN(20) == 0)
		f.In[i][0] = 30*f.In[i][0] - 40
		f.In[i][1] = 0.1*f.In[i][1] + 0.5
		f.Weight[i] = 0.5 + r.Float64()
	}
	return f
}

func filledGraph(t *testing.T) *graph {
	t.Helper()
	const batch = 7
	g, err := newGraph(batch, 5, 0.3, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.close)
	r := rand.New(rand.NewPCG(3, 4))
	for _, m := range g.learnt() {
		for i := range data(m) {
			data(m)[i] += 0.5 * r.NormFloat64()
		}
	}
	f := someFrames(5, batch)
	mean, deviation := spread(f.In)
	numbers := []int{3, 1, 0, 2, 6, 5, 4}
	g.fill(f, numbers, 1.7, &mean, &deviation)
	return g
}

func gradientsOf(t *testing.T, g *graph) (loss float64, all [][]float64) {
	t.Helper()
	loss, err := g.gradients()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range g.learnt() {
		v, err := m.Grad()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, append([]float64(nil), v.Data().([]float64)...))
	}
	return loss, all
}

// TestGradients compares Gorgonia's gradients of all weights with central differences.
func TestGradients(t *testing.T) {
	g := filledGraph(t)
	_, all := gradientsOf(t, g)
	const h = 1e-5
	for k, m := range g.learnt() {
		for i := range data(m) {
			was := data(m)[i]
			data(m)[i] = was + h
			above, _ := gradientsOf(t, g)
			data(m)[i] = was - h
			below, _ := gradientsOf(t, g)
			data(m)[i] = was
			want := (above - below) / (2 * h)
			if d := math.Abs(all[k][i] - want); d > 1e-8 {
				t.Errorf("%s[%d]: gradient %.10f, differences say %.10f", m.Name(), i, all[k][i], want)
			}
		}
	}
}

// TestGradientsDoNotAddUp: Gorgonia adds a run's gradients to those of the run before, unless a solver has stepped in
// between. Ours are those of the last run, whether or not one has.
func TestGradientsDoNotAddUp(t *testing.T) {
	g := filledGraph(t)
	_, first := gradientsOf(t, g)
	_, second := gradientsOf(t, g)
	if !reflect.DeepEqual(first, second) {
		t.Error("the gradients of the same batch differ between two runs")
	}
	if _, err := g.step(1e-9); err != nil {
		t.Fatal(err)
	}
	_, third := gradientsOf(t, g)
	for k := range first {
		for i := range first[k] {
			if math.Abs(third[k][i]-first[k][i]) > 1e-6 {
				t.Fatalf("gradient %.8f after a step of nearly nothing, %.8f before", third[k][i], first[k][i])
			}
		}
	}

	// What is guarded against: should it cease, the clearing can go.
	g.vm.Reset()
	if err := g.vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	v, err := g.b2.Grad()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := v.Data().([]float64)[0], 2*third[3][0]; math.Abs(got-want) > 1e-9 {
		t.Errorf("a run without clearing gives %.8f, not twice the gradient, %.8f: has Gorgonia changed?", got, want)
	}
}

// TestNetworkIsTheGraph: the network that is written computes what the graph does, the standardisation included.
func TestNetworkIsTheGraph(t *testing.T) {
	g := filledGraph(t)
	loss, _ := gradientsOf(t, g)
	f := someFrames(5, 7)
	mean, deviation := spread(f.In)
	n := g.network(&mean, &deviation)
	var want float64
	for i := range f.In {
		sign, weight := 1.0, f.Weight[i]/7
		if f.Voiced[i] {
			sign, weight = -1, 1.7*weight
		}
		want += weight * math.Log1p(math.Exp(sign*n.Logit(&f.In[i])))
	}
	for _, m := range []int{0, 2} {
		for _, v := range data(g.learnt()[m]) {
			want += 0.15 * v * v
		}
	}
	if math.Abs(loss-want) > 1e-9 {
		t.Errorf("loss %.12f, the network's is %.12f", loss, want)
	}
}

func fitConfig() FitConfig {
	c := DefaultFitConfig()
	c.Hidden, c.Batch, c.Epochs, c.Patience, c.Starts, c.Rate = 8, 32, 30, 30, 2, 0.02
	return c
}

func TestFit(t *testing.T) {
	learn, stop, unseen := someFrames(1, 3000), someFrames(2, 1000), someFrames(3, 1000)
	note := func(string, ...any) {}
	n, err := Fit(context.Background(), learn, stop, fitConfig(), note)
	if err != nil {
		t.Fatal(err)
	}
	if e := unseen.errorShare(n); e > 0.12 {
		t.Errorf("%.3f of unseen frames wrong, 0.05 cannot be told", e)
	}
	again, err := Fit(context.Background(), learn, stop, fitConfig(), note)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := n.Source("test")
	b, _ := again.Source("test")
	if string(a) != string(b) {
		t.Error("the same seed made another network")
	}
	cfg := fitConfig()
	cfg.Seed++
	other, err := Fit(context.Background(), learn, stop, cfg, note)
	if err != nil {
		t.Fatal(err)
	}
	if c, _ := other.Source("test"); string(a) == string(c) {
		t.Error("another seed made the same network")
	}
}

func TestFitRefuses(t *testing.T) {
	for name, change := range map[string]func(c *FitConfig, learn, stop *Frames){
		"batch":           func(c *FitConfig, _, _ *Frames) { c.Batch = 0 },
		"give more spee":  func(_ *FitConfig, learn, _ *Frames) { *learn = someFrames(1, 31) },
		"no frames to st": func(_ *FitConfig, _, stop *Frames) { *stop = Frames{} },
		"rate NaN":        func(c *FitConfig, _, _ *Frames) { c.Rate = math.NaN() },
		"lower the rate":  func(_ *FitConfig, learn, _ *Frames) { learn.In[5][3] = math.NaN() },
	} {
		cfg, learn, stop := fitConfig(), someFrames(1, 64), someFrames(2, 10)
		change(&cfg, &learn, &stop)
		_, err := Fit(context.Background(), learn, stop, cfg, func(string, ...any) {})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Fit(ctx, someFrames(1, 64), someFrames(2, 10), fitConfig(), nil); err != context.Canceled {
		t.Errorf("a cancelled fit gave %v", err)
	}
}
