package eval

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
)

// hum is a voice by formula: ten harmonics of a steady pitch with pauses.
func hum(cfg features.Config, hz float64, samples int) []float32 {
	x := make([]float32, samples)
	for i := range x {
		t := float64(i) / float64(cfg.SampleRate)
		loud := math.Max(0, math.Sin(2*math.Pi*1.5*t))
		for h := 1.0; h <= 10; h++ {
			x[i] += float32(0.1 * loud / h * math.Cos(2*math.Pi*h*hz*t))
		}
	}
	return x
}

func TestCompareCopy(t *testing.T) {
	cfg := features.DefaultConfig()
	const samples = 32000
	x := hum(cfg, 150, samples)
	change := func(f func(i int, v float32) float32) []float32 {
		y := make([]float32, samples)
		for i, v := range x {
			y[i] = f(i, v)
		}
		return y
	}
	random := rand.New(rand.NewPCG(1, 1))
	score := func(y []float32) CopyScore {
		t.Helper()
		s, err := CompareCopy(cfg, x, y)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}

	same := score(x)
	if same.STFT != 0 || same.Mel != 0 || same.LSD != 0 || same.F0Gross != 0 || same.F0Cents != 0 || same.VoicingError != 0 ||
		same.Periodicity != 0 || same.Frames != cfg.NumFrames(samples) {
		t.Errorf("a recording against itself: %+v", same)
	}
	negative := score(change(func(_ int, v float32) float32 { return -v }))
	if negative.STFT > 1e-6 || negative.Mel > 1e-6 || negative.F0Cents > 1 {
		t.Errorf("with the sign changed: %+v", negative)
	}
	// Half as loud: every log-magnitude far above the floors is ln 2 off, and |X-Y|/|X| is a half.
	half := score(change(func(_ int, v float32) float32 { return v / 2 }))
	if half.LSD < 2 || half.LSD > 6.03 || half.STFT < 0.55 || half.STFT > 0.5+math.Ln2 || half.Mel > math.Ln2+1e-6 || half.Mel < 0.1 ||
		half.F0Cents > 1 || half.Periodicity > 1e-3 {
		t.Errorf("half as loud: %+v", half)
	}
	// A semitone higher.
	higher := score(hum(cfg, 150*math.Exp2(1./12), samples))
	if math.Abs(higher.F0Cents-100) > 3 || higher.F0Gross > 0.02 {
		t.Errorf("a semitone higher: %+v", higher)
	}
	if fifth := score(hum(cfg, 225, samples)); fifth.F0Gross < 0.95 {
		t.Errorf("a fifth higher: %+v", fifth)
	}
	breathy := score(change(func(_ int, v float32) float32 { return v + 0.1*v*float32(random.NormFloat64()) }))
	hoarse := score(change(func(_ int, v float32) float32 { return v + 0.7*v*float32(random.NormFloat64()) }))
	if !(breathy.Periodicity > 1e-3 && hoarse.Periodicity > 3*breathy.Periodicity && hoarse.LSD > breathy.LSD) {
		t.Errorf("breathy: %+v, hoarse: %+v", breathy, hoarse)
	}
	mute := score(make([]float32, samples))
	if mute.VoicingError < 0.3 || !math.IsNaN(mute.F0Cents) || !math.IsNaN(mute.F0Gross) {
		t.Errorf("no voice at all: %+v", mute)
	}
	text, err := json.Marshal(mute)
	if err != nil || !strings.Contains(string(text), `"f0RMSECents":null`) {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := CompareCopy(cfg, x, x[1:]); err == nil {
		t.Error("other lengths are compared")
	}
	if empty, err := CompareCopy(cfg, nil, nil); err != nil || empty.Frames != 1 {
		t.Errorf("nothing at all: %+v, %v", empty, err)
	}
}

// The periodicity of a sine with noise is the share of the sine's power.
func TestPeriodicity(t *testing.T) {
	cfg := features.DefaultConfig()
	random := rand.New(rand.NewPCG(2, 2))
	for _, noise := range []float64{0, 0.25, 0.5, 1} {
		var sum float64
		const places = 200
		x := make([]float32, 8000+places*40)
		for i := range x {
			x[i] = float32(math.Sin(2*math.Pi*float64(i)/77.3) + noise*random.NormFloat64())
		}
		for k := range places {
			sum += periodicity(cfg, x, 4000+40*k, 77.3) / places
		}
		if want := 0.5 / (0.5 + noise*noise); math.Abs(sum-want) > 0.05 {
			t.Errorf("noise of %g: periodicity %.3f, want %.3f", noise, sum, want)
		}
	}
}

func TestCopies(t *testing.T) {
	cfg := features.DefaultConfig()
	dir := t.TempDir()
	var files []string
	for i, hz := range []float64{110, 160, 220} {
		path := filepath.Join(dir, string(rune('a'+i))+".wav")
		if err := audio.WriteFile(path, audio.Clip{Samples: hum(cfg, hz, 16000), Rate: cfg.SampleRate}); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	tone := func(gain float32) func(context.Context, features.Frames, int) ([]float32, error) {
		return func(_ context.Context, f features.Frames, samples int) ([]float32, error) {
			var hz float32
			for _, v := range f.F0 {
				hz = max(hz, v)
			}
			y := hum(cfg, float64(hz), samples)
			for i := range y {
				y[i] *= gain
			}
			return y, nil
		}
	}
	made := map[string]int{}
	steps := 0
	o := CopyOptions{
		Features: cfg, Files: files, Vocoders: []CopyVocoder{{"good", tone(1)}, {"soft", tone(0.1)}},
		Made: func(_, vocoder string, clip audio.Clip) error {
			if len(clip.Samples) != 16000 || clip.Rate != cfg.SampleRate {
				t.Errorf("%s: %d samples at %d Hz", vocoder, len(clip.Samples), clip.Rate)
			}
			made[vocoder]++
			return nil
		},
		Progress: func(done, total int) {
			if steps++; done != steps || total != 6 {
				t.Errorf("%d of %d done", done, total)
			}
		},
	}
	table, err := Copies(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if made[""] != 3 || made["good"] != 3 || made["soft"] != 3 || steps != 6 {
		t.Errorf("made %v in %d steps", made, steps)
	}
	good, soft := table.Rows[0], table.Rows[1]
	if len(table.Rows) != 2 || good.Vocoder != "good" || len(good.Files) != 3 || good.STFT.N != 3 {
		t.Fatalf("table %+v", table)
	}
	if !(good.Mel.Mean < soft.Mel.Mean && good.STFT.Mean < soft.STFT.Mean && good.LSD.Mean < soft.LSD.Mean) {
		t.Errorf("the soft copy is no worse: %+v", table)
	}
	if good.F0Cents.Mean > 10 {
		t.Errorf("F0 %v cents off", good.F0Cents)
	}
	var text, data bytes.Buffer
	if err := errors.Join(table.WriteText(&text), table.WriteJSON(&data)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "soft ") || !strings.Contains(text.String(), "3 recordings") || !json.Valid(data.Bytes()) {
		t.Errorf("%s", text.String())
	}

	o.Files = append(o.Files, filepath.Join(dir, "none.wav"))
	o.Progress = nil
	if _, err := Copies(context.Background(), o); err == nil || !strings.Contains(err.Error(), "none.wav") {
		t.Errorf("error %v", err)
	}
	if _, err := Copies(context.Background(), CopyOptions{Features: cfg}); err == nil {
		t.Error("nothing is scored")
	}
	o.Files = files
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Copies(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
