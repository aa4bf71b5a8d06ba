package train

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/starvc/vc/internal/corpus"
)

func TestEditDistance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "axc", 1}, {"abc", "ac", 1}, {"kitten", "sitting", 3}, {"ab", "ba", 2}} {
		if got := editDistance([]uint8(c.a), []uint8(c.b)); got != c.want {
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
		if got, want := editDistance(a, b), slow(a, b); got != want {
			t.Fatalf("%v to %v: %d, want %d", a, b, got, want)
		}
	}
}

func TestDecodePhones(t *testing.T) {
	t.Parallel()
	// sure gives each frame's phone a log-probability of 0 and the others that of rest.
	sure := func(rest float32, phones ...uint8) []float32 {
		p := make([]float32, len(phones)*corpus.PhoneCount)
		for i := range p {
			p[i] = rest
		}
		for t, phone := range phones {
			p[t*corpus.PhoneCount+int(phone)] = 0
		}
		return p
	}
	for name, c := range map[string]struct {
		p    []float32
		want []uint8
	}{
		"nothing":              {nil, nil},
		"silence":              {sure(-5, 0, 0, 0), nil},
		"one frame":            {sure(-5, 7), []uint8{7}},
		"runs":                 {sure(-5, 0, 3, 3, 3, 4, 4, 0, 0, 3, 3), []uint8{3, 4, 3}},
		"a lone doubtful one":  {sure(-2, 3, 3, 9, 3, 3), []uint8{3}},
		"a lone certain one":   {sure(-9, 3, 3, 9, 3, 3), []uint8{3, 9, 3}},
		"silence parts a pair": {sure(-5, 3, 3, 0, 0, 3, 3), []uint8{3, 3}},
	} {
		if got := decodePhones(c.p); !bytes.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestScoreTable(t *testing.T) {
	t.Parallel()
	speakers := []phoneSpeaker{{Name: "ann", Part: "human"}, {Name: "seen", Part: "human"}, {Name: "bob", Part: "human"}, {Name: "robot", Part: "tts"}}
	scores := []PhoneScore{{100, 80, 10, 2}, {}, {100, 60, 30, 4}, {50, 50, 10, 0}}
	var b strings.Builder
	if err := writeScores(&b, "speaker", groupScores(speakers, scores)); err != nil {
		t.Fatal(err)
	}
	want := `
speaker frames right phones errors
ann 100 80.0 % 10 20.0 %
bob 100 60.0 % 30 13.3 %
robot 50 100.0 % 10 0.0 %
human 200 70.0 % 40 15.0 %
tts 50 100.0 % 10 0.0 %
all 250 76.0 % 50 12.0 %`
	var lines []string
	for line := range strings.Lines(b.String()) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	if got := strings.Join(lines, "\n"); got != want[1:] {
		t.Errorf("table:\n%s\nwant:%s", got, want)
	}
}
