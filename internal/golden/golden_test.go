package golden

import (
	"math"
	"slices"
	"strings"
	"testing"
)

const sample = "# made by: a person\n# versions: pencil 2\n\npair 2 3\n1 2 3\n4 5 6e-1\nscalar\n7\nnone 0\n"

func TestParse(t *testing.T) {
	f, err := Parse(strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	if f.Header["made by"] != "a person" || f.Header["versions"] != "pencil 2" {
		t.Errorf("header %v", f.Header)
	}
	pair := f.Array(t, "pair")
	if !slices.Equal(pair.Shape, []int{2, 3}) || !slices.Equal(pair.Data, []float64{1, 2, 3, 4, 5, 0.6}) {
		t.Errorf("pair is %v", pair)
	}
	if s := f.Array(t, "scalar"); len(s.Shape) != 0 || !slices.Equal(s.Data, []float64{7}) {
		t.Errorf("scalar is %v", s)
	}
	if n := f.Array(t, "none"); len(n.Data) != 0 {
		t.Errorf("none is %v", n)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"cut short":         "a 2 2\n1 2 3\n",
		"too many":          "a 2\n1 2 3\n",
		"twice":             "a 1\n1\na 1\n2\n",
		"not a number":      "a 1\nx\n",
		"not finite":        "a 1\nNaN\n",
		"negative":          "a -1\n",
		"absurd":            "a 9999999 9999999 9999999\n",
		"header after":      "a 1\n1\n# k: v\n",
		"header not a pair": "# k\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(strings.NewReader(text)); err == nil {
				t.Errorf("no error for %q", text)
			}
		})
	}
}

// recorder notes that a test would have failed.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }

func TestCompare(t *testing.T) {
	want := Array{Shape: []int{1, 2}, Data: []float64{100, 0}}
	tolerance := Tolerance{Abs: 0.1, Rel: 0.01}
	for _, c := range []struct {
		name string
		got  []float64
		fail bool
	}{
		{"equal", []float64{100, 0}, false},
		{"inside", []float64{101, -0.1}, false},
		{"relative", []float64{101.2, 0}, true},
		{"absolute", []float64{100, 0.11}, true},
		{"not a number", []float64{100, math.NaN()}, true},
		{"length", []float64{100}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &recorder{TB: t}
			Compare(r, c.name, c.got, want, tolerance)
			if r.failed != c.fail {
				t.Errorf("failed is %v, want %v", r.failed, c.fail)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Add("a 2 2\n1 2\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		for name, a := range file.Arrays {
			n := 1
			for _, d := range a.Shape {
				n *= d
			}
			if n != len(a.Data) {
				t.Errorf("array %s: shape %v, %d numbers", name, a.Shape, len(a.Data))
			}
		}
	})
}
