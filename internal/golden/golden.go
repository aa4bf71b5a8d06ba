// Package golden compares what the code computes with files of numbers that another program has computed before: a
// golden file is a reference that cannot drift, needs nothing installed, and says in its header who made it and how.
//
// The form is plain text, so that a change shows in a diff:
//
//	# made by: features/testdata/make_golden.py
//	# versions: librosa 0.11.0, numpy 2.2.0
//	sweep 2 3
//	0.5 0.25 1e-05
//	1 2 3
//
// Lines beginning with # come first and hold a key and a value each. Then every array has a line with its name and its
// dimensions, and after it as many numbers as the product of the dimensions, separated by any white space.
package golden

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
)

// File is a golden file in memory.
type File struct {
	Header map[string]string
	Arrays map[string]Array
}

// Array is one array of a golden file, the last dimension varying fastest.
type Array struct {
	Shape []int
	Data  []float64
}

// maxNumbers bounds an array, so that a damaged file cannot ask for absurd amounts of memory.
const maxNumbers = 1 << 24

// Load reads a golden file and ends the test if it cannot.
func Load(t testing.TB, path string) *File {
	t.Helper()
	r, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, err := Parse(r)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return f
}

// Parse reads a golden file. It is an error if an array ends early, is named twice, or has numbers that are not finite.
func Parse(r io.Reader) (*File, error) {
	f := &File{Header: map[string]string{}, Arrays: map[string]Array{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	name, missing := "", 0
	var array Array
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		fields := strings.Fields(line)
		switch {
		case line == "":
		case strings.HasPrefix(line, "#"):
			key, value, ok := strings.Cut(line[1:], ":")
			if !ok || len(f.Arrays) > 0 || missing > 0 {
				return nil, fmt.Errorf("golden: %q: want \"# key: value\" lines before all arrays", line)
			}
			f.Header[strings.TrimSpace(key)] = strings.TrimSpace(value)
		case missing > 0:
			if len(fields) > missing {
				return nil, fmt.Errorf("golden: array %s: more numbers than its shape %v", name, array.Shape)
			}
			for _, field := range fields {
				v, err := strconv.ParseFloat(field, 64)
				if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
					return nil, fmt.Errorf("golden: array %s: %q, want a finite number", name, field)
				}
				array.Data = append(array.Data, v)
			}
			missing -= len(fields)
			f.Arrays[name] = array
		default:
			name, array = fields[0], Array{}
			if _, ok := f.Arrays[name]; ok {
				return nil, fmt.Errorf("golden: array %s stands there twice", name)
			}
			missing = 1
			for _, field := range fields[1:] {
				n, err := strconv.Atoi(field)
				if err != nil || n < 0 || n > maxNumbers {
					return nil, fmt.Errorf("golden: array %s: dimension %q, want 0 to %d", name, field, maxNumbers)
				}
				array.Shape = append(array.Shape, n)
				if missing *= n; missing > maxNumbers {
					return nil, fmt.Errorf("golden: array %s: shape %v has more than %d numbers", name, array.Shape, maxNumbers)
				}
			}
			f.Arrays[name] = array
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("golden: %w", err)
	}
	if missing > 0 {
		return nil, fmt.Errorf("golden: array %s: %d numbers are missing", name, missing)
	}
	return f, nil
}

// Array is the array of that name; the test ends if there is none.
func (f *File) Array(t testing.TB, name string) Array {
	t.Helper()
	a, ok := f.Arrays[name]
	if !ok {
		t.Fatalf("golden: no array %q", name)
	}
	return a
}

// Tolerance is how far a number may lie from the reference: Abs + Rel times the size of the reference.
type Tolerance struct{ Abs, Rel float64 }

// Compare fails the test, with the worst number's place, if got is not want within the tolerance. It returns the
// largest absolute difference.
func Compare[T float32 | float64](t testing.TB, what string, got []T, want Array, tolerance Tolerance) float64 {
	t.Helper()
	if len(got) != len(want.Data) {
		t.Errorf("%s: %d numbers, want %d (shape %v)", what, len(got), len(want.Data), want.Shape)
		return math.Inf(1)
	}
	largest, bad, worst, excess := 0.0, 0, 0, 0.0
	for i, w := range want.Data {
		d := math.Abs(float64(got[i]) - w)
		if math.IsNaN(d) {
			d = math.Inf(1)
		}
		largest = max(largest, d)
		if over := d - (tolerance.Abs + tolerance.Rel*math.Abs(w)); over > 0 {
			bad++
			if over > excess {
				worst, excess = i, over
			}
		}
	}
	if bad > 0 {
		t.Errorf("%s: %d of %d numbers are off, worst at %v: %g, want %g within %g + %g of its size",
			what, bad, len(got), want.place(worst), got[worst], want.Data[worst], tolerance.Abs, tolerance.Rel)
	}
	return largest
}

// place is the index of flat position i along every dimension.
func (a Array) place(i int) []int {
	at := make([]int, len(a.Shape))
	for d := len(a.Shape) - 1; d >= 0; d-- {
		at[d] = i % a.Shape[d]
		i /= a.Shape[d]
	}
	return at
}
