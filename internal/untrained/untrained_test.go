package untrained

import (
	"bytes"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/vocoder"
)

func TestEcho(t *testing.T) {
	for _, rate := range []int{16000, 24000} {
		f, err := features.ConfigForRate(rate)
		if err != nil {
			t.Fatal(err)
		}
		m := Echo(f)
		for _, lookAhead := range []int{0, 3} {
			g, err := gan.NewGenerator(m, lookAhead)
			if err != nil {
				t.Fatal(err)
			}
			g.SetStyle(m.Style(0))
			r := rand.New(rand.NewPCG(1, 1))
			x := make([]float32, 50*f.NMels)
			for i := range x {
				x[i] = float32(4 * (r.Float64() - 0.5))
			}
			y := g.Flush(g.Process(nil, x, make([]float32, 50*gan.Controls)))
			for i, v := range y {
				if math.Abs(float64(v-x[i])) > 2e-3 {
					t.Fatalf("%d Hz, look-ahead %d: number %d is %g, want %g", rate, lookAhead, i, v, x[i])
				}
			}
		}
	}
}

// TestVerbs: what is written to a file or a stream is read from it again, by the same words for models and vocoders.
func TestVerbs(t *testing.T) {
	c, err := vocoder.NetPreset("tiny", features.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("gan", func(t *testing.T) {
		testVerbs(t, Model(gan.Tiny(), 2, 1), gan.Full, gan.Load, gan.Read)
	})
	t.Run("vocoder", func(t *testing.T) {
		testVerbs(t, Vocoder(c, 1), vocoder.Full, vocoder.Load, vocoder.Read)
	})
}

type stored[P any] interface {
	Save(path string, precision P) error
	Write(w io.Writer, precision P) error
}

func testVerbs[M stored[P], P any](t *testing.T, m M, p P, load func(path string) (M, error), read func(r io.Reader) (M, error)) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := m.Save(path, p); err != nil {
		t.Fatal(err)
	}
	bytesOf := func(m M) []byte {
		var b bytes.Buffer
		if err := m.Write(&b, p); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	want := bytesOf(m)
	loaded, err := load(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := read(bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytesOf(loaded), want) || !bytes.Equal(bytesOf(again), want) {
		t.Error("what was read again is written in other bytes")
	}
}
