package vocoder

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
)

// synthesizers are the ways from frames alone to that many samples, by name.
func synthesizers(t testing.TB, cfg features.Config) map[string]func(logMel []float32, samples int) []float32 {
	t.Helper()
	gl, err := NewGriffinLim(cfg, 32)
	if err != nil {
		t.Fatal(err)
	}
	rtisi, err := NewRTISI(cfg, 2, 4)
	if err != nil {
		t.Fatal(err)
	}
	live := func(logMel []float32, samples int) []float32 {
		return rtisi.FlushTo(rtisi.Process(nil, logMel), samples)
	}
	return map[string]func([]float32, int) []float32{
		"Griffin-Lim": gl.Synthesize,
		"RTISI":       live,
		"refined":     func(logMel []float32, samples int) []float32 { return gl.Refine(logMel, live(logMel, samples)) },
	}
}

// The scores that a round trip of a made-up voice must reach: spectral convergence, most of which is what the mel bands
// lose, and the mean difference of the log-mel, most of which is phase.
func TestRoundTripOfVowels(t *testing.T) {
	limits := map[string]struct{ convergenceDB, mel float64 }{
		"Griffin-Lim": {-12, 0.06},
		"RTISI":       {-11.7, 0.09},
		"refined":     {-12, 0.06},
	}
	for rate, cfg := range configs(t) {
		x := vowels(cfg.SampleRate, 2*cfg.SampleRate)
		logMel := logMels(t, cfg, x)
		for name, synthesize := range synthesizers(t, cfg) {
			t.Run(name+" "+rate, func(t *testing.T) {
				y := synthesize(logMel, len(x))
				got, mel := convergence(cfg, x, y), melDistance(cfg, logMel, logMels(t, cfg, y))
				t.Logf("spectral convergence %.2f dB, log-mel %.3f", got, mel)
				if limit := limits[name]; got > limit.convergenceDB || mel > limit.mel {
					t.Errorf("spectral convergence %.2f dB and log-mel off by %.3f, want %.2f dB and %.3f or less",
						got, mel, limit.convergenceDB, limit.mel)
				}
			})
		}
	}
}

// A signal that has what its frames have lost comes nearly whole out of it, over the seams of blocks too; frames alone do not get
// as far, and frames that ask for something else are obeyed.
func TestRefine(t *testing.T) {
	cfg := features.DefaultConfig()
	g, err := NewGriffinLim(cfg, 8)
	if err != nil {
		t.Fatal(err)
	}
	samples := (blockFrames + 300) * cfg.Hop
	x := vowels(cfg.SampleRate, samples)
	logMel := logMels(t, cfg, x)
	y := g.Refine(logMel, x)
	if len(y) != samples {
		t.Fatalf("%d samples, want %d", len(y), samples)
	}
	alone := convergence(cfg, x, g.Synthesize(logMel, samples))
	if whole := convergence(cfg, x, y); whole > alone-4 {
		t.Errorf("spectral convergence %.1f dB from the recording itself, want 4 dB below the %.1f dB from frames alone", whole, alone)
	}
	const second = 16000
	for at := 0; at+second <= samples; at += second {
		if part := convergence(cfg, x[at:at+second], y[at:at+second]); part > alone-2 {
			t.Errorf("spectral convergence %.1f dB in the second from sample %d, %.1f dB from frames alone", part, at, alone)
		}
	}

	half := slices.Clone(x[:samples/4])
	for i := range half {
		half[i] /= 2
	}
	wanted := logMel[:cfg.NumFrames(len(half))*cfg.NMels]
	if off := melDistance(cfg, wanted, logMels(t, cfg, g.Refine(wanted, half))); off > 0.2 {
		t.Errorf("from a signal half as loud the log-mel is off by %.2f", off)
	}
	for i, v := range g.Refine(wanted, make([]float32, len(half))) {
		if !(v >= -1 && v <= 1) {
			t.Fatalf("from silence sample %d is %g", i, v)
		}
	}
	if y := g.Refine(nil, nil); len(y) != 0 {
		t.Errorf("%d samples of nothing", len(y))
	}
}

func TestDurationIsExact(t *testing.T) {
	for rate, cfg := range configs(t) {
		for name, synthesize := range synthesizers(t, cfg) {
			for _, samples := range []int{0, 1, cfg.Hop - 1, cfg.Hop, cfg.Hop + 1, cfg.WinLength, 7919} {
				t.Run(fmt.Sprintf("%s %s %d", name, rate, samples), func(t *testing.T) {
					logMel := logMels(t, cfg, vowels(cfg.SampleRate, samples))
					if got := len(synthesize(logMel, samples)); got != samples {
						t.Errorf("%d samples, want %d", got, samples)
					}
				})
			}
		}
	}
}

func TestHostileFrames(t *testing.T) {
	cfg := features.DefaultConfig()
	const frames = 60
	samples := (frames - 1) * cfg.Hop
	square := make([]float32, samples)
	for i := range square {
		square[i] = float32(1 - 2*(i/40%2))
	}
	mixed := constant(frames*cfg.NMels, 3)
	for i := range mixed {
		switch i % 5 {
		case 0:
			mixed[i] = float32(math.NaN())
		case 1:
			mixed[i] = float32(math.Inf(1))
		case 2:
			mixed[i] = float32(math.Inf(-1))
		}
	}
	tests := []struct {
		name   string
		logMel []float32
		silent bool
	}{
		{"digital silence", logMels(t, cfg, make([]float32, samples)), true},
		{"below the floor", constant(frames*cfg.NMels, -1e6), true},
		{"NaN", constant(frames*cfg.NMels, float32(math.NaN())), true},
		{"infinite", constant(frames*cfg.NMels, float32(math.Inf(1))), false},
		{"mixed", mixed, false},
		{"full-scale square wave", logMels(t, cfg, square), false},
	}
	for _, tt := range tests {
		for name, synthesize := range synthesizers(t, cfg) {
			t.Run(tt.name+" "+name, func(t *testing.T) {
				y := synthesize(tt.logMel, samples)
				var sum, power float64
				for i, v := range y {
					if !(v >= -1 && v <= 1) {
						t.Fatalf("sample %d is %g", i, v)
					}
					sum += float64(v)
					power += float64(v) * float64(v)
				}
				if tt.silent && power > 0 {
					t.Errorf("silence came out at %.1f dBFS, want nothing", 10*math.Log10(power/float64(samples)))
				}
				if mean := math.Abs(sum / float64(samples)); mean > 5e-2 {
					t.Errorf("constant offset of %.4f", mean)
				}
			})
		}
	}
}

func TestNoOffset(t *testing.T) {
	cfg := features.DefaultConfig()
	x := vowels(cfg.SampleRate, 2*cfg.SampleRate)
	logMel := logMels(t, cfg, x)
	for name, synthesize := range synthesizers(t, cfg) {
		var sum float64
		for _, v := range synthesize(logMel, len(x)) {
			sum += float64(v)
		}
		if mean := math.Abs(sum / float64(len(x))); mean > 3e-4 {
			t.Errorf("%s: constant offset of %.1f dBFS, want -70 or less", name, 20*math.Log10(mean))
		}
	}
}

// A steady tone needs no refinement: the propagated phases alone reproduce it.
func TestPropagateKeepsATone(t *testing.T) {
	cfg := features.DefaultConfig()
	stft := features.NewSTFT(cfg)
	x := make([]float32, 16000)
	for i := range x {
		x[i] = float32(0.3*math.Sin(2*math.Pi*443.7*float64(i)/16000) + 0.1*math.Sin(2*math.Pi*2011.3*float64(i)/16000))
	}
	spec := stft.Analyze(x)
	bins := stft.Bins()
	last := make([]complex128, bins)
	magnitude := make([]float64, bins)
	for t := range cfg.NumFrames(len(x)) {
		row := spec[t*bins : (t+1)*bins]
		for k, c := range row {
			magnitude[k] = magnitudeOf(c)
		}
		propagate(row, magnitude, last, cfg.Hop, cfg.NFFT)
		last = row
	}
	y := stft.Synthesize(spec, len(x))
	if got := convergence(cfg, x[1600:14400], y[1600:14400]); got > -28 {
		t.Errorf("spectral convergence %.1f dB, want -28 dB or less", got)
	}
}

// Griffin-Lim's blocks must not be heard: around a seam the signal fits its frames as well as elsewhere.
func TestGriffinLimHasNoSeams(t *testing.T) {
	cfg := features.DefaultConfig()
	x := vowels(cfg.SampleRate, (blockFrames+300)*cfg.Hop)
	gl, err := NewGriffinLim(cfg, 8)
	if err != nil {
		t.Fatal(err)
	}
	y := gl.Synthesize(logMels(t, cfg, x), len(x))
	whole := convergence(cfg, x, y)
	seam := (blockFrames - contextFrames) * cfg.Hop
	around := convergence(cfg, x[seam-8000:seam+8000], y[seam-8000:seam+8000])
	if around > whole+1.5 {
		t.Errorf("spectral convergence %.2f dB around the seam, %.2f dB over all", around, whole)
	}
}

func TestConstructorsRefuse(t *testing.T) {
	broken := features.DefaultConfig()
	broken.Hop = 0
	narrow := features.DefaultConfig()
	narrow.NMels = 256
	ok := features.DefaultConfig()
	tests := []struct {
		name                  string
		cfg                   features.Config
		lookAhead, iterations int
	}{
		{"no hop", broken, 2, 4},
		{"empty bands", narrow, 2, 4},
		{"negative iterations", ok, 2, -1},
		{"negative look-ahead", ok, -1, 4},
		{"absurd look-ahead", ok, 1e6, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := NewRTISI(tt.cfg, tt.lookAhead, tt.iterations); err == nil {
				t.Error("RTISI: no error")
			}
			if _, err := NewGriffinLim(tt.cfg, tt.iterations); err == nil && tt.lookAhead == 2 {
				t.Error("Griffin-Lim: no error")
			}
		})
	}
}

func TestGriffinLimRepeats(t *testing.T) {
	cfg := features.DefaultConfig()
	x := vowels(cfg.SampleRate, 8000)
	logMel := logMels(t, cfg, x)
	gl, err := NewGriffinLim(cfg, 4)
	if err != nil {
		t.Fatal(err)
	}
	first := gl.Synthesize(logMel, len(x))
	gl.Synthesize(logMel[:10*cfg.NMels], 9*cfg.Hop) // a shorter one leaves nothing behind
	if !slices.Equal(first, gl.Synthesize(logMel, len(x))) {
		t.Error("the same frames gave other samples the second time")
	}
}

// The same on recordings of two people.
func TestRoundTripOfClips(t *testing.T) {
	paths, err := filepath.Glob("../testdata/clips/*.flac")
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Skip("no recordings in ../testdata/clips")
	}
	limits := map[string]struct{ convergenceDB, mel float64 }{
		"Griffin-Lim": {-16, 0.065},
		"RTISI":       {-15, 0.11},
		"refined":     {-17, 0.055},
	}
	cfg := features.DefaultConfig()
	for _, path := range paths {
		clip, err := audio.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		x := audio.Resample(clip.Samples, clip.Rate, cfg.SampleRate)
		logMel := logMels(t, cfg, x)
		for name, synthesize := range synthesizers(t, cfg) {
			t.Run(name+" "+filepath.Base(path), func(t *testing.T) {
				y := synthesize(logMel, len(x))
				got, mel := convergence(cfg, x, y), melDistance(cfg, logMel, logMels(t, cfg, y))
				t.Logf("spectral convergence %.2f dB, log-mel %.3f", got, mel)
				if limit := limits[name]; got > limit.convergenceDB || mel > limit.mel {
					t.Errorf("spectral convergence %.2f dB and log-mel off by %.3f, want %.2f dB and %.3f or less",
						got, mel, limit.convergenceDB, limit.mel)
				}
			})
		}
	}
}
