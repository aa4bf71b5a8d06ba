package corpus

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/starvc/vc/features"
)

// spoken is frames of speech at a level between floorDB and 0, with a pause after each of the stretches, all in frames.
// Inside the stretches are closures of 0.12 s, which are no pauses.
func spoken(floorDB float64, hum bool, stretches, rests []int) features.Frames {
	f := features.Frames{NMels: 1}
	r := rand.New(rand.NewPCG(1, 2))
	add := func(db float64, f0 float32) {
		f.LogMel = append(f.LogMel, 0)
		f.LogEnergy = append(f.LogEnergy, float32((db-20+r.Float64())*nepersPerDB))
		f.F0 = append(f.F0, f0)
	}
	pitch := float32(0)
	if hum {
		pitch = 100
	}
	for i, n := range stretches {
		for t := range n {
			switch {
			case t%60 >= 48:
				add(floorDB, 0)
			default:
				add(-10*math.Abs(math.Sin(float64(t)/7)), 120)
			}
		}
		for range rests[i%len(rests)] {
			add(floorDB, pitch)
		}
	}
	return f
}

func TestCutAtPauses(t *testing.T) {
	t.Parallel()
	many := func(n, frames int) []int {
		all := make([]int, n)
		for i := range all {
			all[i] = frames
		}
		return all
	}
	tests := []struct {
		name        string
		f           features.Frames
		least, most int // pieces
	}{
		{"short stays whole", spoken(-50, false, []int{900, 900}, []int{60}), 1, 1},
		{"clean", spoken(-60, false, many(30, 350), []int{40, 70}), 12, 30},
		{"noisy", spoken(-16, false, many(30, 350), []int{40, 70}), 12, 30},
		{"hum under long pauses", spoken(-40, true, many(30, 350), []int{70}), 12, 30},
		{"short phrases are put together", spoken(-60, false, many(60, 110), []int{35}), 6, 22},
		{"no pause", spoken(-60, false, []int{5000}, []int{1}), 1, 1},
		{"long pauses go", spoken(-60, false, many(8, 500), []int{1000}), 8, 8},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			pieces := cutAtPauses(test.f, longFrames)
			if n := len(pieces); n < test.least || n > test.most {
				t.Fatalf("%d pieces, want %d to %d: %v", n, test.least, test.most, pieces)
			}
			end := 0
			for i, p := range pieces {
				if p.from < 0 || p.to > test.f.Len() || p.frames() <= 0 || p.from < end-2*keepFrames {
					t.Fatalf("piece %d is %v after %d", i, p, end)
				}
				end = p.to
				if len(pieces) > 1 && (p.frames() < leastPiece-2*keepFrames || p.frames() > mostPiece+leastPiece) {
					t.Errorf("piece %d has %d frames", i, p.frames())
				}
			}
			kept := make([]bool, test.f.Len())
			for _, p := range pieces {
				for i := p.from; i < p.to; i++ {
					kept[i] = true
				}
				for _, at := range []int{p.from, p.to} { // no cut is in speech, nor in a closure
					if at == 0 || at == test.f.Len() {
						continue
					}
					if test.f.LogEnergy[at] > test.f.LogEnergy[max(0, at-5)]+3 {
						t.Errorf("frame %d is cut in speech", at)
					}
				}
			}
			lost := 0
			for i, f0 := range test.f.F0 {
				if f0 == 120 && !kept[i] {
					lost++
				}
			}
			if lost > 0 {
				t.Errorf("%d frames of speech are in no piece", lost)
			}
		})
	}
}
