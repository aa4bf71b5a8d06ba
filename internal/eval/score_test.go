package eval

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/starvc/vc/audio"
)

// line is an utterance of one coefficient per frame.
func line(f0 []float32, values ...float64) *Utterance {
	cfg := DefaultConfig()
	cfg.Order = 1
	u := &Utterance{cfg: cfg, cepstra: values, f0: f0}
	if f0 == nil {
		u.f0 = make([]float32, len(values))
	}
	for t := range values {
		u.active = append(u.active, t)
	}
	return u
}

func TestAlign(t *testing.T) {
	tests := []struct {
		name      string
		a, b      *Utterance
		ref, test []int
	}{
		{"same", line(nil, 1, 2, 3), line(nil, 1, 2, 3), []int{0, 1, 2}, []int{0, 1, 2}},
		{"a frame held", line(nil, 1, 5, 9), line(nil, 1, 5, 5, 5, 9), []int{0, 1, 1, 1, 2}, []int{0, 1, 2, 3, 4}},
		{"a frame dropped", line(nil, 1, 4, 4, 9), line(nil, 1, 4, 9), []int{0, 1, 2, 3}, []int{0, 1, 1, 2}},
		{"one frame", line(nil, 3), line(nil, 1, 2), []int{0, 0}, []int{0, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path, err := Align(tt.a, tt.b)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(path.Ref, tt.ref) || !slices.Equal(path.Test, tt.test) {
				t.Errorf("frames %v to %v, want %v to %v", path.Ref, path.Test, tt.ref, tt.test)
			}
		})
	}
}

// leastCost is the cost of the best path from frames i, j to the end, found by trying all.
func leastCost(a, b []float64, i, j int) float64 {
	here := math.Abs(a[i] - b[j])
	if i == len(a)-1 && j == len(b)-1 {
		return here
	}
	best := math.Inf(1)
	if i+1 < len(a) {
		best = min(best, leastCost(a, b, i+1, j))
	}
	if j+1 < len(b) {
		best = min(best, leastCost(a, b, i, j+1))
	}
	if i+1 < len(a) && j+1 < len(b) {
		best = min(best, leastCost(a, b, i+1, j+1))
	}
	return here + best
}

func TestAlignIsBest(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		a, b := make([]float64, 1+random.IntN(7)), make([]float64, 1+random.IntN(7))
		for _, x := range [][]float64{a, b} {
			for i := range x {
				x[i] = random.Float64()
			}
		}
		path, err := Align(line(nil, a...), line(nil, b...))
		if err != nil {
			t.Fatal(err)
		}
		var cost float64
		for i := range path.Ref {
			cost += math.Abs(a[path.Ref[i]] - b[path.Test[i]])
		}
		if want := leastCost(a, b, 0, 0); math.Abs(cost-want) > 1e-12 {
			t.Errorf("path of cost %g, want %g", cost, want)
		}
	}
}

func TestScoreOfMelodies(t *testing.T) {
	ref := []float32{100, 110, 120, 0, 130, 0}
	octave := []float32{200, 220, 240, 0, 260, 0}
	falling := []float32{130, 120, 110, 0, 100, 0}
	tests := []struct {
		name                    string
		test                    []float32
		corr, bias, rmse, error float64
	}{
		{"same", ref, 1, 0, 0, 0},
		{"an octave up", octave, 1, 1200, 1200, 0},
		{"voiced in a pause", []float32{100, 110, 120, 90, 130, 0}, 1, 0, 0, 1.0 / 6},
		{"unvoiced", make([]float32, 6), math.NaN(), math.NaN(), math.NaN(), 4.0 / 6},
		{"falling", falling, -1, 0, math.NaN(), 0},
	}
	path := Alignment{[]int{0, 1, 2, 3, 4, 5}, []int{0, 1, 2, 3, 4, 5}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Score(line(ref, 0, 0, 0, 0, 0, 0), line(tt.test, 0, 0, 0, 0, 0, 0), path)
			if err != nil {
				t.Fatal(err)
			}
			near := func(what string, got, want, tolerance float64) {
				if math.Abs(got-want) > tolerance || math.IsNaN(got) != math.IsNaN(want) {
					t.Errorf("%s %g, want %g", what, got, want)
				}
			}
			near("correlation", r.LogF0Corr, tt.corr, 0.01)
			near("bias", r.LogF0Bias, tt.bias, 1e-3)
			if tt.name != "falling" {
				near("RMSE", r.LogF0RMSE, tt.rmse, 1e-3)
			}
			near("voicing error", r.VoicingError, tt.error, 1e-12)
		})
	}
}

func TestScoreRefusesForeignAlignments(t *testing.T) {
	u := line(nil, 1, 2)
	other := line(nil, 1, 2)
	other.cfg.ActiveDB++
	for name, try := range map[string]func() error{
		"empty":   func() error { _, err := Score(u, u, Alignment{}); return err },
		"ragged":  func() error { _, err := Score(u, u, Alignment{[]int{0, 1}, []int{0}}); return err },
		"outside": func() error { _, err := Score(u, u, Alignment{[]int{2}, []int{0}}); return err },
		"configs": func() error { _, err := Score(u, other, Alignment{[]int{0}, []int{0}}); return err },
		"align":   func() error { _, err := Align(u, other); return err },
	} {
		if try() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestMCDRefuses(t *testing.T) {
	ok := low.says()
	broken := DefaultConfig()
	broken.Order = 80
	for name, try := range map[string]func() error{
		"silence": func() error {
			_, err := MCD(ok, audio.Clip{Samples: make([]float32, 8000), Rate: 16000}, DefaultConfig())
			return err
		},
		"no sound":  func() error { _, err := MCD(audio.Clip{Rate: 16000}, ok, DefaultConfig()); return err },
		"no rate":   func() error { _, err := MCD(audio.Clip{Samples: ok.Samples}, ok, DefaultConfig()); return err },
		"bad order": func() error { _, err := MCD(ok, ok, broken); return err },
	} {
		if try() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestBootstrap(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	const trials, n = 200, 40
	covered := 0
	for range trials {
		x := make([]float64, n)
		for i := range x {
			x[i] = 3 + random.NormFloat64()
		}
		v := Bootstrap(x)
		if v.N != n || v.Low > v.Mean || v.High < v.Mean {
			t.Fatalf("interval %+v", v)
		}
		if v.Low <= 3 && 3 <= v.High {
			covered++
		}
	}
	if part := float64(covered) / trials; part < 0.88 || part > 0.99 {
		t.Errorf("the true mean lay in %.0f %% of the intervals, want about 95 %%", 100*part)
	}
	if v := Bootstrap([]float64{2, math.NaN(), 2}); v != (Interval{2, 2, 2, 2}) {
		t.Errorf("%+v, want NaN left out", v)
	}
	if v := Bootstrap(nil); !math.IsNaN(v.Mean) || v.N != 0 || v.String() != "-" {
		t.Errorf("no values gave %+v", v)
	}
}

func TestJSONHasNoNaN(t *testing.T) {
	table := Table{Pairs: []Pair{newPair("a", "b", []clipScore{{missing, missing, missing}})}}
	table.summarize(nil)
	var b bytes.Buffer
	if err := table.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var back struct {
		Pairs []struct {
			Gain struct{ Mean *float64 }
		}
		Worst int
	}
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if back.Pairs[0].Gain.Mean != nil || back.Worst != -1 {
		t.Errorf("gain %v, worst %d, want null and -1", back.Pairs[0].Gain.Mean, back.Worst)
	}
	if _, err := json.Marshal(missing); err != nil {
		t.Error(err)
	}
}
