package train

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/corpus"
)

// alignedSpeech is a folder of three speakers: ann and bob at 24000 Hz, who say the same at the same times, and cid, whose
// recordings end at 8 kHz.
func alignedSpeech(t *testing.T) string {
	t.Helper()
	dir := speech(t, "cid")
	table := "group\tspeaker\tutt\n"
	for file := range 4 {
		for k, name := range []string{"ann", "bob"} {
			const rate = 24000
			r := rand.New(rand.NewPCG(uint64(file), 7))
			x := make([]float32, int(0.9*rate))
			phase := 0.0
			for i := range x {
				at := float64(i)/rate + float64(file)
				phase += float64(110*(k+1)) * (1 + 0.05*math.Sin(2*math.Pi*1.5*at)) / rate
				syllable := math.Sin(2 * math.Pi * 2.5 * at)
				var v float64
				for h := 1; h <= 20; h++ {
					v += math.Sin(2*math.Pi*phase*float64(h)) / float64(h)
				}
				x[i] = float32(0.08*v*max(0, syllable) + 0.05*r.NormFloat64()*max(0, -syllable) + 3e-4*r.NormFloat64())
			}
			utt := fmt.Sprintf("%s%d", name, file)
			if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := audio.WriteFile(filepath.Join(dir, name, utt+".wav"), audio.Clip{Samples: x, Rate: rate}); err != nil {
				t.Fatal(err)
			}
			table += fmt.Sprintf("%d\t%s\t%s\n", file, name, utt)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, corpus.AlignedFile), []byte(table), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A run at 24000 Hz with pairs and with recordings that end at 8 kHz goes through all phases.
func TestRunAt24kHzWithPairs(t *testing.T) {
	o := microOptions(t, alignedSpeech(t))
	var said strings.Builder
	o.Rate, o.Stderr = 24000, &said
	o.Set = append(o.Set[2:], "warmUpShare=0.6", "backTranslation=0.5", "backTranslationSteps=2", "validFraction=0")
	if err := Run(context.Background(), o); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	if !strings.Contains(said.String(), "aligned.tsv: 4 of 4 groups") {
		t.Errorf("nothing is said of the pairs:\n%s", said.String())
	}
	m, err := gan.Load(filepath.Join(o.RunDir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	wide, err := features.ConfigForRate(24000)
	if err != nil {
		t.Fatal(err)
	}
	if m.Features != wide || m.Config.NMels != 90 || m.Config.HeardMels() != 80 {
		t.Errorf("%+v with %d bands, of which %d are heard", m.Features, m.Config.NMels, m.Config.HeardMels())
	}
	for _, line := range strings.Split(strings.TrimSpace(read(t, filepath.Join(o.RunDir, "metrics.jsonl"))), "\n") {
		if strings.Contains(line, `"ok":0`) || strings.Contains(line, "NaN") {
			t.Errorf("a step was skipped: %s", line)
		}
	}
}

func TestUnknownBandsDoNotCount(t *testing.T) {
	cfg, err := DefaultConfig("tiny")
	if err != nil {
		t.Fatal(err)
	}
	wide, err := features.ConfigForRate(24000)
	if err != nil {
		t.Fatal(err)
	}
	e := testEngine(t, cfg.withFeatures(wide), "go", false, 2)
	n := wide.NMels
	x, y := make([]float32, 2*n), make([]float32, 2*n) // two items of a frame
	for i := range y {
		y[i] = 1
		if i%n >= 80 {
			y[i] = 5
		}
	}
	flags := tensors.FromFlatDataAndDimensions([]float32{1, 0}, 2, 1, 1)
	result, err := CallOnce(e.backend, func(in []*Node) *Node {
		known := e.known(in[2])
		loss := IdentityLoss(in[0], in[1], known)
		seen := e.alike(in[1], known)
		return Concatenate([]*Node{Reshape(loss, 1), Reshape(seen, 2*n)}, 0)
	}, []*tensors.Tensor{tensors.FromFlatDataAndDimensions(x, 2, 1, n), tensors.FromFlatDataAndDimensions(y, 2, 1, n), flags})
	if err != nil {
		t.Fatal(err)
	}
	out := tensors.MustCopyFlatData[float32](result)
	if want := (80.*2 + 10*5) / (80*2 + 10); math.Abs(float64(out[0])-want) > 1e-4 {
		t.Errorf("the loss is %v, want %v", out[0], want)
	}
	for i, v := range out[1:] {
		want := y[i]
		if i >= n+80 {
			want = wide.NormalizeMel(0)
		}
		if math.Abs(float64(v-want)) > 1e-5 {
			t.Fatalf("number %d is seen as %v, want %v", i, v, want)
		}
	}
}
