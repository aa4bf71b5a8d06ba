package train

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/phones"
	"github.com/starvc/vc/internal/safetensors"
)

// TestPhonesOnCPU: the phone network reads the same on a CPU, from its file, as the training graph does.
func TestPhonesOnCPU(t *testing.T) {
	t.Parallel()
	t.Run("neighbours", func(t *testing.T) { testPhonesOnCPU(t, nil, false) })
	t.Run("dilated", func(t *testing.T) { testPhonesOnCPU(t, []int{8, 64}, true) }) // further back than a usual window
}

func testPhonesOnCPU(t *testing.T, dilations []int, taught bool) {
	t.Parallel()
	c := smallPhones(t)
	c.GAN.EncoderBlocks, c.GAN.EncoderDilations = 2, dilations
	if taught {
		c.TeacherDims = 5
	}
	e := phoneEngine(t, c)
	path := filepath.Join(t.TempDir(), "phones.safetensors")
	if err := e.save(request{Config: c}, path, 7, "test"); err != nil {
		t.Fatal(err)
	}
	n, err := phones.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := safetensors.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if file.Has("pho.teacher.w") {
		t.Error("the file holds the way to the teacher")
	}
	if n.Features() != c.Features || !strings.Contains(n.Describe(), "7 steps") {
		t.Errorf("features %+v, %q", n.Features(), n.Describe())
	}
	u := chart(c, 700, 6, 3) // longer than a window of the graph and a chunk of the CPU
	got := n.Forward(u.frames.LogMel)
	var want []float32
	err = e.readPhones(c, []labelled{u}, c.GAN.StemFuture, func(_ int, p, _ []float32) { want = append(want, p...) })
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) || len(got) != 700*corpus.PhoneCount {
		t.Fatalf("%d numbers, want %d", len(got), len(want))
	}
	for i, v := range got {
		if math.Abs(float64(v-want[i])) > 1e-4*math.Max(1, math.Abs(float64(want[i]))) {
			t.Fatalf("frame %d, phone %d: %g, the graph has %g", i/corpus.PhoneCount, i%corpus.PhoneCount, v, want[i])
		}
	}
}
