package train

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/starvc/vc/internal/corpus"
)

func TestPhoneBatchIsAFunctionOfItsStep(t *testing.T) {
	t.Parallel()
	c := smallPhones(t)
	us := []labelled{chart(c, 100, 5, 1), chart(c, 20, 5, 2)}
	a, b := newBatcher(c, us), newBatcher(c, us)
	later := a.at(7)
	a.at(1)
	if !reflect.DeepEqual(later, b.at(7)) {
		t.Error("step 7 depends on what was drawn before")
	}
	if reflect.DeepEqual(later.x, b.at(8).x) {
		t.Error("steps 7 and 8 are alike")
	}
	seen := map[int]bool{}
	for step := range 40 {
		seen[a.at(step).lookAhead] = true
	}
	if len(seen) != c.GAN.StemFuture+1 {
		t.Errorf("look-aheads %v, want 0 to %d", seen, c.GAN.StemFuture)
	}
}

func TestPhoneCrops(t *testing.T) {
	t.Parallel()
	c := smallPhones(t)
	c.WarpRange, c.SpeedRange, c.TiltRange, c.GainDB, c.NoiseShare, c.MaskShare, c.Dropout = 0, 0, 0, 0, 0, 0, 0
	m, n := c.GAN.NMels, c.CropFrames
	us := []labelled{chart(c, 100, 5, 1), chart(c, 20, 5, 2)}
	us[0].phones[50] = corpus.NoPhone
	short := 0
	for step := range 8 {
		batch := newBatcher(c, us).at(step)
		for i := range c.Batch {
			x, target := batch.x[i*n*m:(i+1)*n*m], batch.target[i*n*corpus.PhoneCount:]
			u, start := findCrop(us, x[:m])
			if u < 0 {
				t.Fatal("an undisturbed crop is no part of an utterance")
			}
			for f := range n {
				want := make([]float32, corpus.PhoneCount)
				if start+f < us[u].frames.Len() {
					if p := us[u].phones[start+f]; p != corpus.NoPhone {
						want[p] = 1
					}
					if x[f*m+3] != us[u].frames.Mel(start + f)[3] {
						t.Fatalf("frame %d of a crop at %d differs", f, start)
					}
				} else {
					short++
					if x[f*m+3] != 0 {
						t.Fatal("frames after the end are not zero")
					}
				}
				if !reflect.DeepEqual(target[f*corpus.PhoneCount:(f+1)*corpus.PhoneCount], want) {
					t.Fatalf("frame %d of a crop at %d: wrong target", f, start)
				}
			}
		}
		for _, v := range batch.keep {
			if v != 1 {
				t.Fatalf("kept %g without dropout", v)
			}
		}
	}
	if short == 0 {
		t.Error("no crop of the short utterance was drawn")
	}
}

func findCrop(us []labelled, first []float32) (utterance, start int) {
	for i, u := range us {
		for f := range u.frames.Len() {
			if reflect.DeepEqual(u.frames.Mel(f), first) {
				return i, f
			}
		}
	}
	return -1, 0
}

func TestDisturbedPhonesStayInRange(t *testing.T) {
	t.Parallel()
	c := smallPhones(t)
	floor := c.Features.NormalizeMel(0)
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 2))
		x := append([]float32(nil), chart(c, 40, 5, seed).frames.LogMel...)
		disturbPhones(r, c, x)
		for i, v := range x {
			if !(v >= floor) || v > 8 {
				t.Fatalf("seed %d: value %d is %g", seed, i, v)
			}
		}
	}
	disturbPhones(rand.New(rand.NewPCG(1, 2)), c, nil) // nothing to do
	silent := make([]float32, 10*c.GAN.NMels)
	for i := range silent {
		silent[i] = floor
	}
	addNoise(rand.New(rand.NewPCG(1, 2)), c, silent)
	for _, v := range silent {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			t.Fatalf("noise on silence gives %g", v)
		}
	}
}

// The noise has the power that was asked for.
func TestNoiseRatio(t *testing.T) {
	t.Parallel()
	c := smallPhones(t)
	m := c.GAN.NMels
	mean, scale := c.Features.MelMean, c.Features.MelScale
	power := func(x []float32) float64 {
		sum := 0.0
		for _, v := range x {
			sum += math.Exp(2*(float64(v)*scale+mean)) / float64(len(x))
		}
		return sum
	}
	for _, snr := range []float64{0, 10, 20} {
		c.MinSNRDB, c.MaxSNRDB = snr, snr
		x := make([]float32, 200*m)
		for i := range x {
			x[i] = 1 // as loud everywhere
		}
		signal := power(x)
		addNoise(rand.New(rand.NewPCG(3, 4)), c, x)
		got := 10 * math.Log10(signal/(power(x)-signal))
		if math.Abs(got-snr) > 1.5 { // the wavering of the bands adds a little
			t.Errorf("ratio %.1f dB, want %g", got, snr)
		}
	}
}

func TestPhoneRate(t *testing.T) {
	t.Parallel()
	c := smallPhones(t)
	c.Steps, c.RampSteps, c.LearningRate = 1000, 100, 1e-3
	for step, want := range map[int]float64{0: 1e-5, 99: 1e-3, 100: 1e-3, 550: 0.51e-3, 1000: 2e-5} {
		if got := c.rate(step); math.Abs(got-want) > 1e-6 {
			t.Errorf("rate at %d is %g, want %g", step, got, want)
		}
	}
}
