package phones

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/starvc/vc/internal/corpus"
)

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "axc", 1}, {"abc", "ac", 1}, {"kitten", "sitting", 3}, {"ab", "ba", 2}} {
		if got := Distance([]uint8(c.a), []uint8(c.b)); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
	var slow func(a, b []uint8) int
	slow = func(a, b []uint8) int {
		if len(a) == 0 || len(b) == 0 {
			return len(a) + len(b)
		}
		same := slow(a[1:], b[1:])
		if a[0] == b[0] {
			return same
		}
		return 1 + min(same, slow(a[1:], b), slow(a, b[1:]))
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		a, b := make([]uint8, r.IntN(7)), make([]uint8, r.IntN(7))
		for _, s := range [][]uint8{a, b} {
			for i := range s {
				s[i] = uint8(r.IntN(3))
			}
		}
		if got, want := Distance(a, b), slow(a, b); got != want {
			t.Fatalf("%v to %v: %d, want %d", a, b, got, want)
		}
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	// sure gives each frame's phone a log-probability of 0 and the others that of rest.
	sure := func(rest float32, frames ...uint8) []float32 {
		p := make([]float32, len(frames)*corpus.PhoneCount)
		for i := range p {
			p[i] = rest
		}
		for t, phone := range frames {
			p[t*corpus.PhoneCount+int(phone)] = 0
		}
		return p
	}
	for name, c := range map[string]struct {
		p      []float32
		want   []uint8
		speech int
	}{
		"nothing":              {nil, nil, 0},
		"silence":              {sure(-5, 0, 0, 0), nil, 0},
		"one frame":            {sure(-5, 7), []uint8{7}, 1},
		"runs":                 {sure(-5, 0, 3, 3, 3, 4, 4, 0, 0, 3, 3), []uint8{3, 4, 3}, 7},
		"a lone doubtful one":  {sure(-2, 3, 3, 9, 3, 3), []uint8{3}, 5},
		"a lone certain one":   {sure(-9, 3, 3, 9, 3, 3), []uint8{3, 9, 3}, 5},
		"silence parts a pair": {sure(-5, 3, 3, 0, 0, 3, 3), []uint8{3, 3}, 4},
	} {
		if got := Decode(c.p); !bytes.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if _, speech := decodePath(c.p); speech != c.speech {
			t.Errorf("%s: %d frames of speech, want %d", name, speech, c.speech)
		}
	}
}
