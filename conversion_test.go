package vc

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/synth"
)

// directConvert is a conversion that has everything in memory, step by step.
func directConvert(t *testing.T, m *Model, in audio.Clip, v Voice, o Options) []float32 {
	t.Helper()
	recording, err := features.Analyze(m.Features(), in)
	if err != nil {
		t.Fatal(err)
	}
	made, err := m.ConvertFrames(context.Background(), recording.Frames, v, o)
	if err != nil {
		t.Fatal(err)
	}
	w := m.newMark(v)
	for t, e := range made.LogEnergy {
		if e < silenceLogEnergy {
			w.Skip()
		} else {
			w.Frame(made.Mel(t))
		}
	}
	name, net, err := synth.Choose(synth.Vocoder(o.Vocoder), m.Features(), m.net)
	if err != nil {
		t.Fatal(err)
	}
	s, err := synth.New(m.Features(), synth.Options{Vocoder: name, Net: net, Made: true})
	if err != nil {
		t.Fatal(err)
	}
	y, err := s.Synthesize(context.Background(), made.LogMel, made.F0, max(1, len(recording.Samples)), nil)
	if err != nil {
		t.Fatal(err)
	}
	recording.Restore(y, m.Features().SampleRate)
	return y
}

// inPieces converts by a Conversion that keeps next to nothing in memory.
func inPieces(t *testing.T, m *Model, in audio.Clip, v Voice, o Options, write, read int) []float32 {
	t.Helper()
	c, err := m.newConversion(in.Rate, v, o, 1000, 1000)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for x := range slices.Chunk(in.Samples, write) {
		if err := c.Write(x); err != nil {
			t.Fatal(err)
		}
	}
	want := c.Samples()
	var y []float32
	buf := make([]float32, read)
	for {
		n, err := c.Read(context.Background(), buf)
		y = append(y, buf[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if int64(len(y)) != want {
		t.Errorf("%d samples came, %d were announced", len(y), want)
	}
	return y
}

// TestConversionIsConvert: pieces of any length give what the whole gives, bit for bit, over several windows of the generator.
func TestConversionIsConvert(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	m := withNet(t, model(t))
	for _, c := range []struct{ rate, samples, write, read, threads int }{
		{16000, 1, 1, 1, 1},
		{16000, 159, 158, 161, 1},
		{16000, 16000*11 + 77, 4097, 1 << 20, 1},
		{16000, 16000 * 21, 1 << 20, 5003, 2},
		{44100, 44100 * 3, 1021, 997, 3},
		{192000, 1, 1, 10, 1},
		{8000, 4001, 100, 100, 1},
	} {
		if testing.Short() && c.samples > 4*c.rate {
			continue // the race detector takes minutes over it
		}
		in := audio.Clip{Samples: vowel(c.rate, c.samples), Rate: c.rate}
		for i := range in.Samples {
			in.Samples[i] *= 0.2
		}
		for _, name := range Vocoders() {
			if name == GriffinLim && c.samples > 4*c.rate {
				continue
			}
			o := Options{Vocoder: name, Threads: c.threads, PitchSemitones: 1, FormantSemitones: 0.5}
			want := directConvert(t, m, in, m.SpeakerVoice(1), o)
			if got := inPieces(t, m, in, m.SpeakerVoice(1), o, c.write, c.read); !slices.Equal(got, want) {
				t.Errorf("%+v %s: other samples in pieces", c, name)
			}
			r, err := m.Convert(context.Background(), in, m.SpeakerVoice(1), o)
			if err != nil || !slices.Equal(r.Clip.Samples, want) {
				t.Errorf("%+v %s: other samples as a whole, error %v", c, name, err)
			}
		}
	}
	if left, _ := os.ReadDir(os.TempDir()); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestConversionErrors(t *testing.T) {
	m := model(t)
	voice := m.SpeakerVoice(1)
	if _, err := m.NewConversion(0, voice, Options{}); err == nil {
		t.Error("a rate of 0 is taken")
	}
	if _, err := m.NewConversion(16000, Voice{}, Options{}); err == nil {
		t.Error("no voice is taken")
	}
	if _, err := m.NewConversion(16000, voice, Options{Threads: -1}); err == nil {
		t.Error("-1 threads are taken")
	}
	buf := make([]float32, 10)
	c, err := m.NewConversion(16000, voice, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(context.Background(), buf); err == nil || !strings.Contains(err.Error(), "no samples") {
		t.Errorf("nothing to convert: %v", err)
	}
	c.Close()

	ctx, cancel := context.WithCancel(context.Background())
	c, err = m.NewConversion(16000, voice, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Write(vowel(16000, 16000*12)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(ctx, buf); err != nil {
		t.Fatal(err)
	}
	cancel()
	for range 16000 * 12 {
		if _, err = c.Read(ctx, buf); err != nil {
			break
		}
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after cancelling: %v", err)
	}
}
