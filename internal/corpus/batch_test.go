package corpus

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func newTestBatcher(t testing.TB, set *Set, cfg BatchConfig, seed uint64) *Batcher {
	t.Helper()
	b, err := NewBatcher(set, cfg, seed)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var smallBatch = BatchConfig{Size: 6, CropFrames: 40, StyleFrames: 24, LatentDim: 5, MaxLookAhead: 4}

func TestBatchIsAFunctionOfSeedAndStep(t *testing.T) {
	t.Parallel()
	set := handSet([]int{100, 60, 200}, []int{300, 50}, []int{30, 90, 55})
	first, second := newTestBatcher(t, set, smallBatch, 9), newTestBatcher(t, set, smallBatch, 9)
	for _, step := range []int{17, 0, 1, 1 << 40, 17} { // in any order
		if !reflect.DeepEqual(first.At(step), second.At(step)) {
			t.Errorf("step %d differs between two batchers of the same seed", step)
		}
	}
	other := newTestBatcher(t, set, smallBatch, 10)
	if reflect.DeepEqual(first.At(3).X, other.At(3).X) || reflect.DeepEqual(first.At(3).Noise, other.At(3).Noise) {
		t.Error("another seed gives the same batch")
	}
	if reflect.DeepEqual(first.At(3).X, first.At(4).X) || reflect.DeepEqual(first.At(3).Z1, first.At(4).Z1) {
		t.Error("the next step gives the same batch")
	}
}

// A snapshot made today must go on tomorrow with the same batches, so the draws themselves are pinned. NormFloat64 may
// round differently on another processor and is left out.
func TestBatchIsPinned(t *testing.T) {
	t.Parallel()
	b := newTestBatcher(t, handSet([]int{100, 60, 200}, []int{300, 50}, []int{30, 90, 55}), smallBatch, 9)
	h := fnv.New64a()
	for step := range 20 {
		batch := b.At(step)
		for _, part := range []any{int32(batch.LookAhead), batch.Y, batch.X, batch.F0, batch.Same, batch.Target, batch.Ref, batch.Ref2, batch.AugShift, batch.AugMask} {
			if err := binary.Write(h, binary.LittleEndian, part); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, want := h.Sum64(), uint64(0x6fec5b6ddb90f31b); got != want {
		t.Errorf("batches hash to %#x, want %#x: runs begun before this change cannot be resumed exactly", got, want)
	}
}

func TestBatchContents(t *testing.T) {
	t.Parallel()
	lengths := [][]int{{100, 60, 200}, {300, 50}, {30, 90, 55}, {120}}
	set := handSet(lengths...)
	cfg := smallBatch
	b := newTestBatcher(t, set, cfg, 1)
	m, silence := set.Features.NMels, set.Features.NormalizeMel(0)
	var bySpeaker, byTarget [4]int
	var lookAheads [5]int
	padded := 0
	// styleFrom checks a style crop and returns where it comes from.
	styleFrom := func(t *testing.T, crop []float32) (speaker, utterance int) {
		t.Helper()
		speaker, utterance, frame := origin(crop[0])
		for i := range cfg.StyleFrames {
			s, u, f := origin(crop[i*m])
			if s != speaker || u != utterance || f != (frame+i)%lengths[s][u] {
				t.Fatalf("style crop of speaker %d utterance %d from frame %d holds speaker %d utterance %d frame %d at %d", speaker, utterance, frame, s, u, f, i)
			}
		}
		return speaker, utterance
	}
	for step := range 300 {
		batch := b.At(step)
		if batch.Step != step {
			t.Fatalf("step %d says it is %d", step, batch.Step)
		}
		lookAheads[batch.LookAhead]++
		for i := range cfg.Size {
			y, target := int(batch.Y[i]), int(batch.Target[i])
			bySpeaker[y]++
			byTarget[target]++
			if y == target {
				t.Fatalf("step %d item %d: target is the source", step, i)
			}
			x := batch.X[i*cfg.CropFrames*m : (i+1)*cfg.CropFrames*m]
			f0, energy := batch.F0[i*cfg.CropFrames:], batch.LogEnergy[i*cfg.CropFrames:]
			first, utterance, count := -1, -1, 0
			for f := range cfg.CropFrames {
				row := x[f*m : (f+1)*m]
				if slices.Min(row) != slices.Max(row) {
					t.Fatalf("step %d item %d frame %d mixes frames", step, i, f)
				}
				if row[0] == silence {
					padded++
					if f0[f] != 0 || math.Abs(float64(energy[f])-math.Log(1e-5)) > 1e-5 {
						t.Fatalf("padding with F0 %v and log-energy %v", f0[f], energy[f])
					}
					continue
				}
				s, u, frame := origin(row[0])
				if first < 0 {
					first, utterance = frame-f, u
				}
				if s != y || u != utterance || frame-f != first {
					t.Fatalf("step %d item %d: frame %d is frame %d of utterance %d of speaker %d", step, i, f, frame, u, s)
				}
				if want := set.Train[0].Frames.LogEnergy[frame%10]; f0[f] != float32(100*(y+1)) || energy[f] != want {
					t.Fatalf("step %d item %d: F0 %v and log-energy %v at frame %d", step, i, f0[f], energy[f], f)
				}
				count++
			}
			if want := min(cfg.CropFrames, lengths[y][utterance]); count != want {
				t.Fatalf("step %d item %d: %d frames of utterance %d of speaker %d, want %d", step, i, count, utterance, y, want)
			}
			style := cfg.StyleFrames * m
			if s, u := styleFrom(t, batch.Same[i*style:(i+1)*style]); s != y || (u == utterance && len(lengths[y]) > 1) {
				t.Fatalf("step %d item %d: Same is utterance %d of speaker %d, X is %d of %d", step, i, u, s, utterance, y)
			}
			s1, u1 := styleFrom(t, batch.Ref[i*style:(i+1)*style])
			s2, u2 := styleFrom(t, batch.Ref2[i*style:(i+1)*style])
			if s1 != target || s2 != target || (u1 == u2 && len(lengths[target]) > 1) {
				t.Fatalf("step %d item %d: references %d and %d of speakers %d and %d, target %d", step, i, u1, u2, s1, s2, target)
			}
		}
	}
	for s := range bySpeaker { // 1800 items for 4 speakers; the shortest has a third of the longest's speech
		if math.Abs(float64(bySpeaker[s]-450)) > 45 || math.Abs(float64(byTarget[s]-450)) > 90 {
			t.Errorf("speakers are drawn %v times, as targets %v times, want about 450 each", bySpeaker, byTarget)
		}
	}
	for _, n := range lookAheads {
		if n < 30 {
			t.Errorf("look-aheads of 0 to 4 are drawn %v times, want about 60 each", lookAheads)
		}
	}
	if padded == 0 {
		t.Error("no crop is padded although an utterance is shorter than a crop")
	}
}

func TestDrawIsInProportionToFrames(t *testing.T) {
	t.Parallel()
	b := newTestBatcher(t, handSet([]int{100, 300, 600}, []int{50}), smallBatch, 1)
	r := newDice(1, 2, 3)
	for _, test := range []struct {
		other int
		want  [3]float64
	}{
		{-1, [3]float64{0.1, 0.3, 0.6}},
		{0, [3]float64{0, 1.0 / 3, 2.0 / 3}},
		{1, [3]float64{1.0 / 7, 0, 6.0 / 7}},
		{2, [3]float64{0.25, 0.75, 0}},
	} {
		var got [3]float64
		const draws = 20000
		for range draws {
			got[b.train[0].draw(r, test.other)] += 1.0 / draws
		}
		for i := range got {
			if math.Abs(got[i]-test.want[i]) > 0.015 || (test.want[i] == 0 && got[i] != 0) {
				t.Errorf("without %d: got %.3f, want %.3f", test.other, got, test.want)
				break
			}
		}
	}
	if got := b.train[1].draw(r, 0); got != 0 {
		t.Errorf("the other of a single utterance is %d", got)
	}
}

func TestSilentCropsAreRareButPresent(t *testing.T) {
	t.Parallel()
	set := handSet([]int{999}, []int{999})
	for _, u := range set.Train { // speech in the first quarter only
		for f := range u.Frames.LogEnergy {
			u.Frames.LogEnergy[f] = -3
			if f >= 250 {
				u.Frames.LogEnergy[f] = -11
			}
		}
	}
	b := newTestBatcher(t, set, smallBatch, 4)
	silent, total := 0, 0
	for step := range 300 {
		batch := b.At(step)
		for i := range smallBatch.Size {
			quiet := 0
			for _, e := range batch.LogEnergy[i*smallBatch.CropFrames : (i+1)*smallBatch.CropFrames] {
				if e < -10 {
					quiet++
				}
			}
			total++
			if 2*quiet > smallBatch.CropFrames {
				silent++
			}
		}
	}
	if share := float64(silent) / float64(total); share < 0.3 || share > 0.65 { // three quarters without any care
		t.Errorf("%.2f of the crops are mostly silence", share)
	}
}

func TestNoiseAndAugmentation(t *testing.T) {
	t.Parallel()
	set := handSet([]int{100, 60}, []int{300, 50})
	cfg := BatchConfig{Size: 32, CropFrames: 100, StyleFrames: 16, LatentDim: 16}
	b := newTestBatcher(t, set, cfg, 3)
	m := set.Features.NMels
	var shifts [5]int
	timeMasks, melMasks, items := 0, 0, 0
	for step := range 40 {
		batch := b.At(step)
		if batch.LookAhead != 0 {
			t.Fatalf("look-ahead %d although none is wanted", batch.LookAhead)
		}
		if reflect.DeepEqual(batch.Z1, batch.Z2) {
			t.Fatal("Z1 and Z2 are equal")
		}
		for name, x := range map[string][]float32{"Z1": batch.Z1, "Z2": batch.Z2, "Noise": batch.Noise} {
			var sum, squares float64
			for _, v := range x {
				sum, squares = sum+float64(v), squares+float64(v)*float64(v)
			}
			n := float64(len(x))
			if math.Abs(sum/n) > 5/math.Sqrt(n) || math.Abs(squares/n-1) > 8/math.Sqrt(n) {
				t.Errorf("step %d: %s has mean %.3f and variance %.3f", step, name, sum/n, squares/n)
			}
		}
		for i := range cfg.Size {
			items++
			if g := batch.AugGain[i]; math.Abs(float64(g)) > MaxAugGain {
				t.Errorf("gain %v", g)
			}
			shifts[batch.AugShift[i]+MaxAugShift]++
			frames, bands := maskSizes(t, batch.AugMask[i*cfg.CropFrames*m:(i+1)*cfg.CropFrames*m], m)
			if frames > 10 || bands > 4 { // 16 mels: a quarter is 4
				t.Errorf("masks %d frames and %d bands", frames, bands)
			}
			timeMasks += min(frames, 1)
			melMasks += min(bands, 1)
		}
	}
	for _, n := range shifts {
		if n < items/5*7/10 {
			t.Errorf("shifts are drawn %v times", shifts)
		}
	}
	for _, n := range []int{timeMasks, melMasks} {
		if n < items*4/10 || n > items*6/10 {
			t.Errorf("%d time masks and %d mel masks in %d items, want half", timeMasks, melMasks, items)
		}
	}
}

// maskSizes checks that a mask is all ones but for one stretch of frames and one of bands.
func maskSizes(t *testing.T, mask []float32, m int) (frames, bands int) {
	t.Helper()
	var masked []bool // per band, taken from the first frame that is not masked wholly
	for f := range len(mask) / m {
		row := mask[f*m : (f+1)*m]
		zeros := 0
		for _, v := range row {
			if v == 0 {
				zeros++
			} else if v != 1 {
				t.Fatalf("mask value %v", v)
			}
		}
		if zeros == m {
			frames++
			continue
		}
		own := make([]bool, m)
		for k, v := range row {
			own[k] = v == 0
		}
		if masked != nil && !slices.Equal(masked, own) {
			t.Fatal("the masked bands change from frame to frame")
		}
		masked, bands = own, zeros
	}
	return frames, bands
}

func TestValidAt(t *testing.T) {
	t.Parallel()
	set := handSet([]int{100, 60, 80}, []int{300, 50, 70, 90})
	valid := []int{6, 5, 2} // the last of the first speaker, the last two of the second
	for _, i := range valid {
		set.Valid = append(set.Valid, set.Train[i])
		set.Train = slices.Delete(set.Train, i, i+1)
	}
	sortUtterances(set.Valid)
	cfg := smallBatch
	cfg.Size = 2
	b, other := newTestBatcher(t, set, cfg, 1), newTestBatcher(t, set, cfg, 2)
	if got := b.ValidBatches(); got != 2 {
		t.Fatalf("%d batches for 3 utterances by twos", got)
	}
	seen := map[[2]int]int{}
	for i := range 3 {
		batch := b.ValidAt(i)
		if !reflect.DeepEqual(batch, other.ValidAt(i)) {
			t.Errorf("validation batch %d depends on the seed", i)
		}
		if batch.LookAhead != i%5 {
			t.Errorf("batch %d has look-ahead %d", i, batch.LookAhead)
		}
		m := set.Features.NMels
		for k := range cfg.Size {
			s, u, _ := origin(batch.X[(k*cfg.CropFrames+20)*m])
			seen[[2]int{s, u}]++
			if int(batch.Y[k]) != s || batch.Target[k] == batch.Y[k] {
				t.Errorf("batch %d item %d: speaker %d, source %d, target %d", i, k, s, batch.Y[k], batch.Target[k])
			}
			for _, style := range [][]float32{batch.Same, batch.Ref, batch.Ref2} {
				if s, u, _ := origin(style[k*cfg.StyleFrames*m]); u >= 2 {
					t.Errorf("a style comes from held-out utterance %d of speaker %d", u, s)
				}
			}
		}
	}
	if want := map[[2]int]int{{0, 2}: 2, {1, 2}: 2, {1, 3}: 2}; !reflect.DeepEqual(seen, want) {
		t.Errorf("held-out utterances seen %v, want %v", seen, want)
	}
	none := newTestBatcher(t, handSet([]int{50, 50}, []int{50, 50}), cfg, 1)
	if none.ValidBatches() != 0 || none.ValidAt(0) != nil {
		t.Error("batches without held-out utterances")
	}
}

func TestNewBatcherRefuses(t *testing.T) {
	t.Parallel()
	good := func() *Set { return handSet([]int{50, 60}, []int{70}) }
	tests := []struct {
		name   string
		set    *Set
		change func(*BatchConfig)
		want   string
	}{
		{"one speaker", handSet([]int{50, 50}), func(*BatchConfig) {}, "1 speaker, want at least 2"},
		{"speaker without utterance", handSet([]int{50}, nil), func(*BatchConfig) {}, "speaker b has no training utterance"},
		{"utterance without frames", handSet([]int{50}, []int{0}), func(*BatchConfig) {}, "no frames"},
		{"size", good(), func(c *BatchConfig) { c.Size = 0 }, "size is 0"},
		{"crop", good(), func(c *BatchConfig) { c.CropFrames = -1 }, "cropFrames is -1"},
		{"style", good(), func(c *BatchConfig) { c.StyleFrames = 0 }, "styleFrames is 0"},
		{"latent", good(), func(c *BatchConfig) { c.LatentDim = 0 }, "latentDim is 0"},
		{"look-ahead", good(), func(c *BatchConfig) { c.MaxLookAhead = -1 }, "maxLookAhead is -1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cfg := DefaultBatchConfig()
			test.change(&cfg)
			if _, err := NewBatcher(test.set, cfg, 1); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestPrefetch(t *testing.T) {
	t.Parallel()
	b := newTestBatcher(t, handSet([]int{100, 60}, []int{300, 50}), smallBatch, 5)
	for _, depth := range []int{0, 1, 4} {
		p := Prefetch(t.Context(), b, 7, depth)
		for step := 7; step < 20; step++ {
			batch, err := p.Next()
			if err != nil || !reflect.DeepEqual(batch, b.At(step)) {
				t.Fatalf("depth %d step %d: error %v, or another batch than At", depth, step, err)
			}
		}
		p.Close()
		p.Close()
		if _, err := p.Next(); !errors.Is(err, context.Canceled) {
			t.Errorf("after Close: %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	p := Prefetch(ctx, b, 0, 2)
	defer p.Close()
	cancel()
	if _, err := p.Next(); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
}

func BenchmarkAt(b *testing.B) {
	set := handSet([]int{900, 800, 700}, []int{900, 800, 700})
	batcher := newTestBatcher(b, set, BatchConfig{Size: 32, CropFrames: 192, StyleFrames: 192, LatentDim: 16, MaxLookAhead: 4}, 1)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		batcher.At(i)
	}
}

// With sources and targets named, the rest of the table may be voices without recordings.
func TestBatchOfNamedSources(t *testing.T) {
	t.Parallel()
	set := handSet([]int{100, 60}, []int{80, 50, 70})
	for _, part := range [][]Utterance{set.Train, set.Valid} {
		for i := range part {
			part[i].Speaker += 2
		}
	}
	set.Speakers = append([]SpeakerInfo{{Name: "kept"}, {Name: "too"}}, set.Speakers...)
	cfg := smallBatch
	if _, err := NewBatcher(set, cfg, 1); err == nil || !strings.Contains(err.Error(), "kept") {
		t.Errorf("error %v, want one that names a source without recordings", err)
	}
	cfg.Sources, cfg.Targets = []int{2, 3, 3}, []int{0, 1, 2}
	b := newTestBatcher(t, set, cfg, 1)
	var from, to [4]int
	for step := range 200 {
		batch := b.At(step)
		for i := range cfg.Size {
			from[batch.Y[i]]++
			to[batch.Target[i]]++
			if batch.Y[i] == batch.Target[i] {
				t.Fatalf("step %d item %d: target is the source", step, i)
			}
			n := cfg.StyleFrames * b.mels
			ref := batch.Ref[i*n : (i+1)*n]
			if kept := batch.Target[i] < 2; kept != (slices.Min(ref) == 0 && slices.Max(ref) == 0) {
				t.Fatalf("step %d item %d: a reference for target %d: %v", step, i, batch.Target[i], !kept)
			}
		}
	}
	if from != [4]int{0, 0, 400, 800} || to[3] != 0 || min(to[0], to[1]) < 400 || to[2] < 180 {
		t.Errorf("drawn %v times as sources, %v times as targets", from, to)
	}
	cfg.Sources, cfg.Targets = []int{2}, []int{2}
	if _, err := NewBatcher(set, cfg, 1); err == nil || !strings.Contains(err.Error(), "no other voice") {
		t.Errorf("error %v, want one about the lack of another voice", err)
	}
}
