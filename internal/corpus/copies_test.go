package corpus

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/features"
)

// spokenSet is a prepared set of two voices with two recordings each.
func spokenSet(t *testing.T) (*Set, string) {
	dir := t.TempDir()
	for i, hz := range []float64{110, 210} {
		folder := makeDir(t, filepath.Join(dir, fmt.Sprintf("spk%d", i)))
		for k := range 2 {
			writeClip(t, filepath.Join(folder, fmt.Sprintf("%d.wav", k)), voiceSignal(hz, 2+float64(k), 16000, uint64(2*i+k)), 16000)
		}
	}
	speakers, err := Scan(dir)
	if err != nil {
		t.Fatal(err)
	}
	set, _, err := Prepare(context.Background(), speakers, features.DefaultConfig(), PrepareOptions{ValidFraction: -1})
	if err != nil {
		t.Fatal(err)
	}
	return set, dir
}

// Each recording has one copy that depends on the seed, lies at its times, and is what half of the disturbed items are cut from.
func TestDisturbedCopies(t *testing.T) {
	t.Parallel()
	set, _ := spokenSet(t)
	before := set.Fingerprint()
	told := 0
	if err := set.Disturb(context.Background(), 1, func(done, total int) { told = 10*done + total }); err != nil {
		t.Fatal(err)
	}
	if told != 44 {
		t.Errorf("progress ended at %d, want 4 of 4", told)
	}
	first, print := set.copies, set.Fingerprint()
	if print == before {
		t.Error("the set's fingerprint does not know of the copies")
	}
	for i, u := range set.Train {
		c := first[i]
		if c.Len() != u.Frames.Len() || len(c.F0) != c.Len() || len(c.LogEnergy) != c.Len() {
			t.Fatalf("%s: %d frames, its copy %d", u.Path, u.Frames.Len(), c.Len())
		}
		var apart float64
		for j, v := range c.LogMel {
			apart += math.Abs(float64(v-u.Frames.LogMel[j])) / float64(len(c.LogMel))
		}
		if apart < 0.01 {
			t.Errorf("%s is not disturbed: %.4f", u.Path, apart)
		}
	}
	if err := set.Disturb(context.Background(), 1, nil); err != nil || set.Fingerprint() != print {
		t.Errorf("the same seed gives other copies (error %v)", err)
	}
	cfg := BatchConfig{Size: 4, CropFrames: 32, StyleFrames: 16, LatentDim: 2, DisturbShare: 1, Wants: func(int) bool { return true }}
	b, err := NewBatcher(set, cfg, 1)
	if err != nil {
		t.Fatal(err)
	}
	cut := 0
	n, m := cfg.CropFrames, set.Features.NMels
	for step := range 50 {
		batch := b.At(step)
		for i := range cfg.Size {
			for k, u := range set.Train {
				if u.Path != batch.Files[i][0] {
					continue
				}
				for at := range u.Frames.Len() - n + 1 {
					if slices.Equal(batch.X[i*n*m:(i+1)*n*m], first[k].LogMel[at*m:(at+n)*m]) {
						cut++
						if !slices.Equal(batch.F0[i*n:(i+1)*n], first[k].F0[at:at+n]) || !slices.Equal(batch.LogEnergy[i*n:(i+1)*n], first[k].LogEnergy[at:at+n]) ||
							!slices.Equal(batch.Want[i*n*m:(i+1)*n*m], u.Frames.LogMel[at*m:(at+n)*m]) {
							t.Fatal("pitch, energy or what is wanted is of another place")
						}
					}
				}
			}
		}
	}
	if share := float64(cut) / float64(50*cfg.Size); share < 0.4 || share > 0.6 {
		t.Errorf("%.2f of the items are cut from copies, want a half", share)
	}
	if err := set.Disturb(context.Background(), 2, nil); err != nil || set.Fingerprint() == print {
		t.Errorf("another seed gives the same copies (error %v)", err)
	}
}

// Sound that is disturbed block by block has no seams: the reverberation of the last block goes on in the next.
func TestDisturbInBlocks(t *testing.T) {
	t.Parallel()
	const rate = 4000
	x := make([]float32, 3*copyBlockSeconds*rate)
	for i := range x {
		x[i] = float32(0.1 * math.Sin(2*math.Pi*100/rate*float64(i)))
	}
	for seed := range uint64(5) {
		d := newSoundDisturber(rate)
		y := d.disturb(newDice(seed, 0, 0), x)
		if len(y) != len(x) {
			t.Fatalf("%d samples of %d", len(y), len(x))
		}
		// A steady tone stays one in a room, and what is left of it after a period is taken off is noise as loud everywhere.
		var all, seams, n float64
		for i := rate; i < len(y)-rate; i++ {
			e := math.Pow(float64(y[i]-y[i-rate/100]), 2)
			all += e / float64(len(y)-2*rate)
			if at := i % (len(d.block) - d.lead); at < rate/100 {
				seams, n = seams+e, n+1
			}
		}
		if seams/n > 4*all+1e-9 {
			t.Errorf("seed %d: %g at the seams, %g elsewhere", seed, seams/n, all)
		}
	}
}

func TestDisturbErrors(t *testing.T) {
	t.Parallel()
	set, _ := spokenSet(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := set.Disturb(ctx, 1, nil); err == nil || !strings.Contains(err.Error(), "disturbing the recordings: context canceled") {
		t.Errorf("error %v", err)
	}
	set.Train[1].Path = filepath.Join(t.TempDir(), "gone.wav")
	if err := set.Disturb(context.Background(), 1, nil); err == nil || !strings.Contains(err.Error(), "gone.wav") {
		t.Errorf("error %v", err)
	}
	if set.copies != nil {
		t.Error("a set with copies after an error")
	}
}
