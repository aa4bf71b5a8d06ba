package vc

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
)

// directTempo is a tempoChanger that has all frames at once, value by value.
func directTempo(f toneFrames, nMels int, tempo float64, frames int) (out toneFrames) {
	last := len(f.f0) - 1
	for k := range frames {
		at := min(float64(k)*tempo, float64(last))
		a := int(at)
		b, part := min(a+1, last), at-float64(a)
		near := int(math.Floor(at + 0.5))
		out.energy = append(out.energy, f.energy[near])
		hz := f.f0[near]
		if f.f0[a] > 0 && f.f0[b] > 0 {
			hz = float32(math.Exp((1-part)*math.Log(float64(f.f0[a])) + part*math.Log(float64(f.f0[b]))))
		}
		out.f0 = append(out.f0, hz)
		for m := range nMels {
			x, y := float64(f.logMel[a*nMels+m]), float64(f.logMel[b*nMels+m])
			if (f.energy[a] < silenceLogEnergy) != (f.energy[b] < silenceLogEnergy) {
				x = float64(f.logMel[near*nMels+m])
				y = x
			}
			out.logMel = append(out.logMel, float32((1-part)*x+part*y))
		}
	}
	return out
}

func nearly(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Abs(float64(x-y)) <= 1e-5*max(1, math.Abs(float64(x))) })
}

// TestTempoChanger: frames in pieces of any length come out as they do at once, and as the slow direct version has them.
func TestTempoChanger(t *testing.T) {
	cfg := features.DefaultConfig()
	cfg.NMels = 3
	const n = 101
	var f toneFrames
	for k := range n {
		for m := range cfg.NMels {
			f.logMel = append(f.logMel, float32(math.Sin(float64(k*(m+1))/7)))
		}
		hz, energy := float32(0), float32(-3)
		if k%10 > 3 {
			hz = 100 + float32(k)
		}
		if k%23 > 17 {
			energy = silenceLogEnergy - 1
		}
		f.f0, f.energy = append(f.f0, hz), append(f.energy, energy)
	}
	part := func(from, to int) toneFrames {
		return toneFrames{f.logMel[from*cfg.NMels : to*cfg.NMels], f.f0[from:to], f.energy[from:to]}
	}
	for _, tempo := range []float64{MinTempo, 0.75, 0.987, 1.1, 4.0 / 3, MaxTempo} {
		frames := 1 + int(math.Round((n-1)/tempo))
		want := directTempo(f, cfg.NMels, tempo, frames)
		var whole toneFrames
		for _, step := range []int{n, 1, 7, 50} {
			c := newTempoChanger(cfg, tempo)
			var got toneFrames
			for at := 0; at < n; at += step {
				c.process(&got, part(at, min(at+step, n)))
				if most := int(2*tempo) + step + 2; len(c.source.f0) > most {
					t.Fatalf("tempo %g: %d frames are held after pieces of %d", tempo, len(c.source.f0), step)
				}
			}
			c.flush(&got, frames)
			if len(got.f0) != frames || !nearly(got.logMel, want.logMel) || !nearly(got.f0, want.f0) || !slices.Equal(got.energy, want.energy) {
				t.Errorf("tempo %g in pieces of %d: other frames than directly", tempo, step)
			}
			if step == n {
				whole = got
			} else if !slices.Equal(got.logMel, whole.logMel) || !slices.Equal(got.f0, whole.f0) {
				t.Errorf("tempo %g in pieces of %d: other frames than at once", tempo, step)
			}
		}
	}
}

// TestConversionAtAnotherTempo: pieces give what the whole gives, as long as the tempo says, and the pitch stays.
func TestConversionAtAnotherTempo(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	m := withNet(t, model(t))
	for _, c := range []struct {
		rate, samples, write, read int
		tempo                      float64
	}{
		{16000, 1, 1, 1, 2},
		{16000, 159, 158, 161, 0.5},
		{44100, 44100 * 3, 1021, 997, 0.75},
		{16000, 16000*11 + 77, 4097, 1 << 20, 4.0 / 3},
	} {
		if testing.Short() && c.samples > 4*c.rate {
			continue // the race detector takes minutes over it
		}
		in := audio.Clip{Samples: vowel(c.rate, c.samples), Rate: c.rate}
		for _, name := range Vocoders() {
			if name == GriffinLim && c.samples > 4*c.rate {
				continue
			}
			o := Options{Vocoder: name, Threads: 2, Tempo: c.tempo}
			r, err := m.Convert(context.Background(), in, m.SpeakerVoice(1), o)
			if err != nil {
				t.Fatal(err)
			}
			if want := max(1, math.Round(float64(len(in.Samples))/float64(in.Rate)*float64(r.Clip.Rate)/c.tempo)); math.Abs(float64(len(r.Clip.Samples))-want) > 1 {
				t.Errorf("%+v %s: %d samples, want %g", c, name, len(r.Clip.Samples), want)
			}
			if got := inPieces(t, m, in, m.SpeakerVoice(1), o, c.write, c.read); !slices.Equal(got, r.Clip.Samples) {
				t.Errorf("%+v %s: other samples in pieces", c, name)
			}
		}
	}
}

// TestTempoMovesWhatIsSaid to where it belongs, and moves neither pitch nor level: a pause in the middle of a steady vowel.
func TestTempoMovesWhatIsSaid(t *testing.T) {
	m := model(t)
	const rate = 16000
	in := audio.Clip{Samples: make([]float32, 3*rate), Rate: rate}
	copy(in.Samples, vowel(rate, rate))
	copy(in.Samples[2*rate:], vowel(rate, rate))
	pitch := func(r *Result) float64 {
		f, err := features.Analyze(m.Features(), r.Clip)
		if err != nil {
			t.Fatal(err)
		}
		p, voiced := features.MeasurePitch(f.Frames.F0)
		if !voiced {
			t.Fatal("no voice is left")
		}
		return p.Mean
	}
	power := func(x []float32) (sum float64) {
		for _, v := range x {
			sum += float64(v) * float64(v)
		}
		return sum / float64(len(x))
	}
	var usual float64
	for _, tempo := range []float64{0, 0.75, 4.0 / 3} {
		r, err := m.Convert(context.Background(), in, m.SpeakerVoice(1), Options{Vocoder: SourceFilter, Tempo: tempo})
		if err != nil {
			t.Fatal(err)
		}
		at := func(second float64) int {
			return int(second / tempo * float64(r.Clip.Rate))
		}
		if tempo == 0 {
			usual = pitch(r)
			continue
		}
		said, pause := power(r.Clip.Samples[:at(0.9)]), power(r.Clip.Samples[at(1.2):at(1.8)])
		if again := power(r.Clip.Samples[at(2.1):]); !(pause < 1e-4*min(said, again)) {
			t.Errorf("tempo %g: power %g, %g in the pause, %g", tempo, said, pause, again)
		}
		if got := pitch(r); math.Abs(got-usual) > 0.03 {
			t.Errorf("tempo %g: the mean of ln F0 is %g, at that of the recording %g", tempo, got, usual)
		}
	}
}

func TestTempoRefusals(t *testing.T) {
	m := model(t)
	for _, tempo := range []float64{0.49, 2.01, -1, math.NaN(), math.Inf(1)} {
		if err := (Options{Tempo: tempo}).Validate(); err == nil || !strings.Contains(err.Error(), "0.5 to 2") {
			t.Errorf("tempo %g: %v", tempo, err)
		}
	}
	f, err := features.Analyze(m.Features(), audio.Clip{Samples: vowel(16000, 8000), Rate: 16000})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.ConvertFrames(context.Background(), f.Frames, m.SpeakerVoice(1), Options{Tempo: 1.2}); err == nil || !strings.Contains(err.Error(), "as many as they are") {
		t.Errorf("frames at another tempo: %v", err)
	}
	if _, err := m.ConvertFrames(context.Background(), f.Frames, m.SpeakerVoice(1), Options{Tempo: 1}); err != nil {
		t.Error(err)
	}
}
