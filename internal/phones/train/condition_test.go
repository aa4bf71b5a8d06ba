package train

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

func TestConditions(t *testing.T) {
	t.Parallel()
	c := smallPhones(t)
	s := &phoneSpeech{speakers: []phoneSpeaker{{Name: "ann"}, {Name: "eve", HeldOut: true}}}
	for i := range 6 {
		u := buzz(t, c, 1, uint64(i))
		u.path = string(rune('a'+i)) + ".wav"
		s.train = append(s.train, u)
	}
	held := buzz(t, c, 1.5, 9)
	held.speaker, held.path = 1, "h.wav"
	s.score = []labelled{held, chart(c, 50, 4, 1)}
	m := c.GAN.NMels
	seen := map[string][]float32{}
	for _, k := range phoneConditions() {
		us := under(c, s, s.score, k)
		if k.metric == "" {
			if len(us) != 2 || &us[0].frames.LogMel[0] != &held.frames.LogMel[0] {
				t.Error("clean speech is not as it is")
			}
			continue
		}
		if len(us) != 1 { // the chart has no waveform
			t.Fatalf("%s: %d utterances", k.name, len(us))
		}
		if again := under(c, s, slices.Clone(s.score), k); !reflect.DeepEqual(us[0].frames.LogMel, again[0].frames.LogMel) {
			t.Errorf("%s: otherwise the second time", k.name)
		}
		x := us[0].frames.LogMel
		if len(x) != held.frames.Len()*m || &x[0] == &held.frames.LogMel[0] {
			t.Fatalf("%s: %d values", k.name, len(x))
		}
		for i, v := range x {
			if v != v || v > 8 {
				t.Fatalf("%s: value %d is %g", k.name, i, v)
			}
		}
		seen[k.metric] = x
	}
	if len(seen) != 3 || reflect.DeepEqual(seen["noise15"], seen["babble15"]) {
		t.Errorf("%d conditions", len(seen))
	}
	other := c
	other.Seed++
	for _, k := range phoneConditions()[1:] {
		if us := under(other, s, s.score, k); reflect.DeepEqual(us[0].frames.LogMel, seen[k.metric]) {
			t.Errorf("%s: another seed changes nothing", k.name)
		}
	}
	if !reflect.DeepEqual(held.frames, s.score[0].frames) {
		t.Error("the utterances were changed")
	}
}

// Noise and babble lie as far below the speech as they say, whatever the level of the crop.
func TestRenderedRatio(t *testing.T) {
	t.Parallel()
	c := smallPhones(t)
	c.CropFrames = 100
	var us []labelled
	for i := range 8 {
		us = append(us, buzz(t, c, 2, uint64(i)))
	}
	b := newBatcher(c, us)
	w := newPhoneWorker(c, c.CropFrames)
	silent := us[0]
	silent.sound = &phoneSound{samples: make([]int16, 32000), gain: 1, level: 0.1}
	x := make([]float32, c.CropFrames*c.GAN.NMels)
	for _, k := range phoneConditions()[1:3] {
		for _, level := range []float64{-23, -45} {
			o := k.outcome
			o.levelDB = level
			w.render(rand.New(rand.NewPCG(1, 1)), b, silent, x, 3200, 1, o)
			var sum float64
			for _, v := range w.sound[w.lead:] {
				sum += float64(v) * float64(v)
			}
			if got := 10 * math.Log10(sum/float64(len(w.sound)-w.lead)); math.Abs(got-(level-15)) > 2.5 {
				t.Errorf("%s: %.1f dBFS beside speech of %g", k.name, got, level)
			}
		}
	}
}

// A room does not move what is heard, and hears what came before the crop.
func TestRenderedRoom(t *testing.T) {
	t.Parallel()
	c := smallPhones(t)
	u := buzz(t, c, 2, 1)
	clear(u.sound.samples[12000:]) // it ends, and the room goes on
	m := c.GAN.NMels
	b, w := newBatcher(c, []labelled{u}), newPhoneWorker(c, c.CropFrames)
	x := make([]float32, c.CropFrames*m)
	r := func() *rand.Rand { return rand.New(rand.NewPCG(1, 1)) }
	o := phoneConditions()[3].outcome
	o.levelDB = -23
	loud := func(frame int) (sum float64) {
		for _, v := range x[frame*m : (frame+1)*m] {
			sum += float64(v) / float64(m)
		}
		return sum
	}
	w.render(r(), b, u, x, 12400, 1, o) // the crop has nothing but the tail
	first, later := loud(0), loud(25)
	if floor := float64(c.Features.NormalizeMel(0)); first < floor+1 || later > first-0.3 {
		t.Errorf("behind the end: %.2f, and %.2f a quarter of a second later, with a floor of %.2f", first, later, floor)
	}
	tail := slices.Clone(x)
	w.render(r(), b, u, x, 12400-160*8, 1, o)
	for i := range 20 * m { // the same room, eight frames earlier
		if a, b := x[8*m+i], tail[i]; math.Abs(float64(a-b)) > 0.02 {
			t.Fatalf("frame %d band %d: %g from one crop, %g from another", i/m, i%m, a, b)
		}
	}
}

func TestScoredInTraining(t *testing.T) {
	t.Parallel()
	c := smallPhones(t)
	s := &phoneSpeech{speakers: make([]phoneSpeaker, 3)}
	for i := range 30 {
		u := chart(c, 600, 4, uint64(i)) // six seconds
		u.speaker, u.path = min(i/5, 2), string(rune('a'+i))
		s.score = append(s.score, u)
	}
	for minutes, want := range map[float64]int{0: 30, 1: 10, 2: 20, 3: 30, 50: 30} {
		c.ScoreMinutes = minutes
		some := scoredInTraining(c, s)
		if len(some) != want || !reflect.DeepEqual(some, scoredInTraining(c, s)) {
			t.Errorf("%g minutes: %d utterances, want %d, always the same", minutes, len(some), want)
		}
		if minutes == 1 {
			of := make([]int, 3)
			for _, u := range some {
				of[u.speaker]++
			}
			if !slices.Equal(of, []int{4, 3, 3}) {
				t.Errorf("of the speakers %v", of)
			}
		}
	}
}

// The shares are what is drawn.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	c, err := DefaultConfig("medium")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	const n = 20000
	count := map[string]float64{}
	for range n {
		o := drawOutcome(r, c)
		if o.clean && (o.touches() || o.codec) {
			t.Fatalf("a clean crop is touched: %+v", o)
		}
		for name, is := range map[string]bool{
			"clean": o.clean, "room": o.room != nil, "noise": o.noise != nil, "babble": o.babble > 0, "hum": o.hum, "codec": o.codec,
			"usual level": math.Abs(o.levelDB+23) < 6,
		} {
			if is {
				count[name] += 1.0 / n
			}
		}
		if o.levelDB < -55 || o.levelDB > -5 || o.babble != 0 && (o.babble < 3 || o.babble > 8) {
			t.Fatalf("%+v", o)
		}
		if o.room != nil && (o.room.RT60 < 0.1 || o.room.RT60 > 0.8) || o.noise != nil && (o.noiseDB < 5 || o.noiseDB > 35) {
			t.Fatalf("%+v", o)
		}
	}
	rest := 1 - c.CleanShare
	for name, want := range map[string]float64{
		"clean": c.CleanShare, "room": rest * c.RoomShare, "noise": rest * c.NoiseShare, "babble": rest * c.BabbleShare, "hum": rest * c.HumShare,
		"codec": rest * c.CodecShare, "usual level": 1 - c.LevelShare + c.LevelShare*12/40,
	} {
		if math.Abs(count[name]-want) > 0.015 {
			t.Errorf("%s: %.3f of the crops, want %.3f", name, count[name], want)
		}
	}
	ahead := make([]float64, 5)
	for range n {
		ahead[drawLookAhead(r, 4)] += 1.0 / n
	}
	for i, want := range []float64{0.24, 0.04, 0.24, 0.04, 0.44} {
		if math.Abs(ahead[i]-want) > 0.015 {
			t.Errorf("look-ahead %d: %.3f, want %.2f", i, ahead[i], want)
		}
	}
	if got := drawLookAhead(r, 0); got != 0 {
		t.Errorf("look-ahead %d of none", got)
	}
}

func TestCodec(t *testing.T) {
	t.Parallel()
	c := smallPhones(t)
	m, floor := c.GAN.NMels, c.Features.NormalizeMel(0)
	const frames = 200
	x := make([]float32, frames*m)
	for i := range x {
		x[i] = 1
	}
	codec(rand.New(rand.NewPCG(1, 1)), c, x)
	low, high := 0, 0
	for i, v := range x {
		if v > floor+0.2 {
			continue
		}
		if c.Features.BandHz(i%m) < 4000 {
			low++
		} else {
			high++
		}
	}
	if low > 0 || high < frames {
		t.Errorf("%d holes below 4 kHz, %d above", low, high)
	}
}
