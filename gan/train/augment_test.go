package train

import (
	"math"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/starvc/vc/internal/mlx/mlxtest"
)

// through applies a [mels, mels] matrix to a row of bands as the graph does: out = in . matrix.
func through(matrix, in []float32) []float32 {
	n := len(in)
	out := make([]float32, n)
	for m := range n {
		for k := range n {
			out[m] += in[k] * matrix[k*n+m]
		}
	}
	return out
}

func TestWarpMatrix(t *testing.T) {
	const mels = 7
	ramp := []float32{0, 1, 2, 3, 4, 5, 6}
	dst := make([]float32, mels*mels)
	for i := range dst {
		dst[i] = 99 // of an earlier use
	}
	for _, c := range []struct {
		factor float64
		want   []float32 // of the ramp
	}{
		{1, ramp},
		{1.5, []float32{0, 1.5, 3, 4.5, 6, 6, 6}},
		{2, []float32{0, 2, 4, 6, 6, 6, 6}},
		{0.5, []float32{0, 0.5, 1, 1.5, 2, 2.5, 3}},
		{0, []float32{0, 0, 0, 0, 0, 0, 0}},
	} {
		warpMatrix(dst, mels, c.factor)
		for i, v := range through(dst, ramp) {
			if math.Abs(float64(v-c.want[i])) > 1e-6 {
				t.Errorf("factor %g makes %v of a ramp, want %v", c.factor, through(dst, ramp), c.want)
				break
			}
		}
		for m := range mels { // what a band is made of adds up to one, so that level is kept
			var sum float32
			for k := range mels {
				if dst[k*mels+m] < 0 {
					t.Errorf("factor %g: entry %d, %d is %g", c.factor, k, m, dst[k*mels+m])
				}
				sum += dst[k*mels+m]
			}
			if math.Abs(float64(sum-1)) > 1e-6 {
				t.Errorf("factor %g: band %d is made of %g", c.factor, m, sum)
			}
		}
	}
	warpMatrix(dst, mels, 1)
	for k := range mels {
		for m := range mels {
			if want := map[bool]float32{true: 1}[k == m]; dst[k*mels+m] != want {
				t.Errorf("factor 1: entry %d, %d is %g, want the identity exactly", k, m, dst[k*mels+m])
			}
		}
	}
}

func TestShiftMatrix(t *testing.T) {
	const mels = 5
	in := []float32{10, 11, 12, 13, 14}
	dst := make([]float32, mels*mels)
	for shift, want := range map[int][]float32{
		0:  in,
		1:  {10, 10, 11, 12, 13},
		2:  {10, 10, 10, 11, 12},
		-1: {11, 12, 13, 14, 14},
		9:  {10, 10, 10, 10, 10},
		-9: {14, 14, 14, 14, 14},
	} {
		shiftMatrix(dst, mels, shift)
		if got := through(dst, in); !slices.Equal(got, want) {
			t.Errorf("shift %d makes %v of %v, want %v", shift, got, in, want)
		}
	}
}

func TestDisturb(t *testing.T) {
	const batch, mels = 3, 16
	draw := func(warpRange, tiltRange float64, seed uint64, step int) (warp, tilt []float32) {
		warp, tilt = make([]float32, batch*mels*mels), make([]float32, batch*mels)
		disturb(warp, tilt, batch, mels, warpRange, tiltRange, seed, step)
		return warp, tilt
	}
	warp, tilt := draw(0.15, 0.5, 1, 2)
	again, tiltAgain := draw(0.15, 0.5, 1, 2)
	if !slices.Equal(warp, again) || !slices.Equal(tilt, tiltAgain) {
		t.Error("the same seed and step give another disturbance")
	}
	for _, other := range []struct {
		seed uint64
		step int
	}{{2, 2}, {1, 3}} {
		if w, s := draw(0.15, 0.5, other.seed, other.step); slices.Equal(warp, w) || slices.Equal(tilt, s) {
			t.Errorf("seed %d, step %d gives the disturbance of seed 1, step 2", other.seed, other.step)
		}
	}
	if slices.Equal(warp[:mels*mels], warp[mels*mels:2*mels*mels]) {
		t.Error("two items of a batch are disturbed alike")
	}
	for i, v := range tilt { // slope and bow, each at most 0.5, at the edges 1 and 2/3 of them
		if math.Abs(float64(v)) > 0.5*(1+2.0/3)+1e-6 {
			t.Errorf("tilt %d is %g", i, v)
		}
	}
	// The mean over the bands stays: the slope has none, and the bow nearly none.
	for b := range batch {
		var sum float64
		for _, v := range tilt[b*mels : (b+1)*mels] {
			sum += float64(v) / mels
		}
		if math.Abs(sum) > 0.05 {
			t.Errorf("item %d: the tilt lifts the level by %g", b, sum)
		}
	}

	warp, tilt = draw(0, 0, 1, 2)
	in := make([]float32, mels)
	for i := range in {
		in[i] = float32(i * i)
	}
	if got := through(warp[:mels*mels], in); !slices.Equal(got, in) || slices.Max(tilt) != 0 || slices.Min(tilt) != 0 {
		t.Errorf("without a range the disturbance makes %v of %v, tilt %v", got, in, tilt)
	}
}

// augment on the graph: shift, then gain, then mask.
func TestAugment(t *testing.T) {
	shift := make([]float32, 2*3*3)
	shiftMatrix(shift[:9], 3, 1)
	shiftMatrix(shift[9:], 3, -1)
	out, err := CallOnce(mlxtest.OpenGo(t), augment,
		tensors.FromFlatDataAndDimensions([]float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 2, 2, 3),
		tensors.FromFlatDataAndDimensions(shift, 2, 3, 3),
		tensors.FromFlatDataAndDimensions([]float32{0.5, -0.25}, 2, 1, 1),
		tensors.FromFlatDataAndDimensions([]float32{1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0, 0}, 2, 2, 3))
	if err != nil {
		t.Fatal(err)
	}
	want := []float32{1.5, 1.5, 2.5, 4.5, 0, 5.5, 7.75, 8.75, 8.75, 0, 0, 0}
	if got := tensors.MustCopyFlatData[float32](out); !slices.Equal(got, want) {
		t.Errorf("augmented %v, want %v", got, want)
	}
}
