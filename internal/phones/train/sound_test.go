package train

import (
	"context"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/run"
)

// buzz is a sound whose formant moves, with what is known of its frames, as training has it.
func buzz(t testing.TB, c Config, seconds float64, seed uint64) labelled {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 3))
	rate := float64(c.Features.SampleRate)
	x := make([]float32, int(seconds*rate))
	phase := 0.0
	for i := range x {
		at := float64(i) / rate
		phase += 2 * math.Pi * (120 + 30*math.Sin(2*math.Pi*at)) / rate
		for h := 1; h <= 30; h++ {
			x[i] += float32(0.02 * math.Sin(float64(h)*phase) / (1 + math.Abs(float64(h)-10-8*math.Sin(5*at+float64(seed)))))
		}
		x[i] += float32(0.002 * r.NormFloat64())
	}
	frames, err := features.Extract(c.Features, x)
	if err != nil {
		t.Fatal(err)
	}
	return labelled{path: "buzz.wav", frames: frames, phones: unknownPhones(frames.Len()), sound: newPhoneSound(x, frames)}
}

// undisturbed leaves all as it is.
func undisturbed(c Config) Config {
	c.WarpRange, c.SpeedRange, c.TiltRange, c.GainDB, c.MaskShare, c.LevelShare, c.CleanShare, c.Dropout = 0, 0, 0, 0, 0, 0, 1, 0
	return c
}

func TestRenderedCleanIsExtracted(t *testing.T) {
	t.Parallel()
	c := undisturbed(smallPhones(t))
	u := buzz(t, c, 2, 1)
	m := c.GAN.NMels
	b := newBatcher(c, []labelled{u})
	w := newPhoneWorker(c, c.CropFrames)
	x := make([]float32, c.CropFrames*m)
	r := rand.New(rand.NewPCG(1, 1))
	level := 20 * math.Log10(u.sound.level)
	for _, start := range []int{0, 1, 77, u.frames.Len() - c.CropFrames} {
		for _, loss := range []float64{0, 20} {
			w.render(r, b, u, x, float64(start*c.Features.Hop), 1, outcome{clean: true, levelDB: level - loss})
			for i, v := range x {
				want := u.frames.LogMel[start*m+i] - float32(loss*nepersPerDB/c.Features.MelScale)
				want = max(want, c.Features.NormalizeMel(0))
				if math.Abs(float64(v-want)) > 0.02 {
					t.Fatalf("start %d, %g dB less: frame %d band %d: %g, want %g", start, loss, i/m, i%m, v, want)
				}
			}
		}
	}
}

// At another speed the frames are those of the sound resampled.
func TestRenderedSpeed(t *testing.T) {
	t.Parallel()
	c := undisturbed(smallPhones(t))
	u := buzz(t, c, 3, 1)
	const speed = 1.25 // the sound at 16 kHz read as at 20
	m := c.GAN.NMels
	var fast []float32
	for i := range int(float64(len(u.sound.samples)) / speed) { // linear interpolation is good enough for the low bands
		at := float64(i) * speed
		k := int(at)
		if k+1 < len(u.sound.samples) {
			a, b := float64(u.sound.samples[k]), float64(u.sound.samples[k+1])
			fast = append(fast, u.sound.gain*float32(a+(at-float64(k))*(b-a)))
		}
	}
	want, err := features.Extract(c.Features, fast)
	if err != nil {
		t.Fatal(err)
	}
	w := newPhoneWorker(c, c.CropFrames)
	x := make([]float32, c.CropFrames*m)
	const start = 50
	w.render(rand.New(rand.NewPCG(1, 1)), newBatcher(c, []labelled{u}), u, x, start*speed*float64(c.Features.Hop), speed,
		outcome{clean: true, levelDB: 20 * math.Log10(u.sound.level)})
	for f := range c.CropFrames {
		for k := range m / 3 {
			if a, b := x[f*m+k], want.Mel(start + f)[k]; b > -0.5 && math.Abs(float64(a-b)) > 0.08 {
				t.Fatalf("frame %d band %d: %g, want %g", f, k, a, b)
			}
		}
	}
}

func BenchmarkPhoneBatch(b *testing.B) {
	c, err := DefaultConfig("medium")
	if err != nil {
		b.Fatal(err)
	}
	var us []labelled
	for i := range 12 {
		us = append(us, buzz(b, c, 5, uint64(i)))
	}
	batcher := newBatcher(c, us)
	batcher.at(0)
	for i := 0; b.Loop(); i++ {
		batcher.at(i)
	}
}

func TestDisturbedBatchIsAFunctionOfItsStep(t *testing.T) {
	t.Parallel()
	c := smallPhones(t)
	us := []labelled{buzz(t, c, 1, 1), buzz(t, c, 0.2, 2), buzz(t, c, 1.5, 3)}
	a, b := newBatcher(c, us), newBatcher(c, us)
	floor := c.Features.NormalizeMel(0)
	for step := range 20 {
		x := a.at(step)
		for i, v := range x.x {
			if !(v >= floor || v == 0) || v > 12 {
				t.Fatalf("step %d: value %d is %g", step, i, v)
			}
		}
		if step%7 == 0 && !reflect.DeepEqual(x, b.at(step)) {
			t.Errorf("step %d depends on what was drawn before", step)
		}
	}
}

// TestQuietRecordingIsRenderedAtItsLevel: the waveform of a recording that is far from the level of analysis gives, undisturbed,
// the frames that corpus has of it.
func TestQuietRecordingIsRenderedAtItsLevel(t *testing.T) {
	t.Parallel()
	c := undisturbed(smallPhones(t))
	clip, err := audio.ReadFile("../../../testdata/clips/kathleen_arctic_a0504.flac")
	if err != nil {
		t.Fatal(err)
	}
	for i := range clip.Samples {
		clip.Samples[i] = 0.05*clip.Samples[i] + 0.01 // 26 dB quieter, beside an offset
	}
	path := filepath.Join(t.TempDir(), "quiet.wav")
	if err := audio.WriteFile(path, clip); err != nil {
		t.Fatal(err)
	}
	if clip, err = audio.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	recording, err := features.Analyze(c.Features, clip)
	if err != nil {
		t.Fatal(err)
	}
	us := []labelled{{path: path, frames: recording.Frames, phones: unknownPhones(recording.Frames.Len())}}
	if err := readSounds(context.Background(), c, us, run.NewReporter(io.Discard, true)); err != nil {
		t.Fatal(err)
	}
	u := us[0]
	x := make([]float32, c.CropFrames*c.GAN.NMels)
	newPhoneWorker(c, c.CropFrames).render(rand.New(rand.NewPCG(1, 1)), newBatcher(c, us), u, x, 0, 1,
		outcome{clean: true, levelDB: 20 * math.Log10(u.sound.level)})
	var apart float64
	for i, v := range x {
		apart += math.Abs(float64(v-u.frames.LogMel[i])) / float64(len(x))
	}
	if apart > 0.02 {
		t.Errorf("rendered frames are %.3f from those of the recording in the mean", apart)
	}
}
