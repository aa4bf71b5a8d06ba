package vc

import (
	"fmt"
	"slices"
	"testing"
)

func stream(t testing.TB, in, out, lookAhead int) *Stream {
	t.Helper()
	m := model(t)
	o := m.StreamOptions(in)
	o.OutputRate, o.LookAhead = out, lookAhead
	s, err := m.NewStream(m.SpeakerVoice(1), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func pieces(s *Stream, x []float32, chunk int) []float32 {
	var y []float32
	for len(x) > 0 {
		n := min(chunk, len(x))
		y = s.Process(y, x[:n])
		x = x[n:]
	}
	return s.Flush(y)
}

func TestStreamAnyChunking(t *testing.T) {
	for _, c := range []struct{ in, out int }{{16000, 16000}, {48000, 44100}} {
		t.Run(fmt.Sprint(c.in, " to ", c.out), func(t *testing.T) {
			hop := c.in / 100
			x := vowel(c.in, c.in/2+77)
			s := stream(t, c.in, c.out, 2)
			want := pieces(s, x, len(x))
			if n := (len(x)*c.out*2 + c.in) / (2 * c.in); len(want) != n {
				t.Errorf("%d samples, want %d", len(want), n)
			}
			// The same stream again and again: Flush leaves it fresh.
			for _, chunk := range []int{1, hop - 1, hop, hop + 1, 997} {
				if got := pieces(s, x, chunk); !slices.Equal(got, want) {
					t.Errorf("chunks of %d samples give another output", chunk)
				}
			}
		})
	}
}

func TestStreamIsCausal(t *testing.T) {
	x := vowel(16000, 12000)
	want := pieces(stream(t, 16000, 16000, 1), x, len(x))
	s := stream(t, 16000, 16000, 1)
	got := s.Process(nil, x[:7000])
	if len(got) < 7000-s.Latency() {
		t.Errorf("7000 samples gave %d, want at least %d", len(got), 7000-s.Latency())
	}
	if !slices.Equal(got, want[:len(got)]) {
		t.Error("the output for a part is not the beginning of the output for all")
	}
}

// The output must keep up with the input at every moment, by what Latency says.
func TestStreamLatency(t *testing.T) {
	for _, c := range []struct{ in, out, lookAhead int }{{16000, 16000, 0}, {16000, 16000, 4}, {48000, 48000, 2}, {44100, 16000, 2}} {
		s := stream(t, c.in, c.out, c.lookAhead)
		x := vowel(c.in, c.in/2)
		chunk := c.in / 100
		worst, given := 0, 0
		var y []float32
		for n := 0; n+chunk <= len(x); n += chunk {
			y = s.Process(y[:0], x[n:n+chunk])
			given += len(y)
			worst = max(worst, (n+chunk)*c.out/c.in-given)
		}
		if worst > s.Latency() {
			t.Errorf("%+v: output lags by %d samples, Latency says %d", c, worst, s.Latency())
		}
		if slack := c.out / 100; worst < s.Latency()-2*slack {
			t.Errorf("%+v: output lags by %d samples only, Latency says %d", c, worst, s.Latency())
		}
	}
}

func TestStreamDoesNotAllocate(t *testing.T) {
	s := stream(t, 48000, 48000, 2)
	x := vowel(48000, 960)
	y := make([]float32, 0, 48000)
	for range 50 {
		y = s.Process(y[:0], x)
	}
	if n := testing.AllocsPerRun(50, func() { y = s.Process(y[:0], x) }); n != 0 {
		t.Errorf("%g allocations per chunk", n)
	}
}

func TestStreamChangesVoice(t *testing.T) {
	x := vowel(16000, 16000)
	s := stream(t, 16000, 16000, 2)
	want := pieces(s, x, len(x))
	y := s.Process(nil, x[:8000])
	if err := s.SetVoice(s.model.SpeakerVoice(2)); err != nil {
		t.Fatal(err)
	}
	if err := s.SetVoice(Voice{Style: []float32{1}}); err == nil {
		t.Error("voice of another model: no error")
	}
	if err := s.SetPitch(3); err != nil {
		t.Fatal(err)
	}
	if err := s.SetPitch(1000); err == nil {
		t.Error("absurd pitch: no error")
	}
	before := len(y)
	y = s.Flush(s.Process(y, x[8000:]))
	if len(y) != len(want) {
		t.Fatalf("%d samples, want %d", len(y), len(want))
	}
	if !slices.Equal(y[:before], want[:before]) || slices.Equal(y[before:], want[before:]) {
		t.Error("the change of voice is not where it was made")
	}
}

// A stream that was told its strength on the way ends as one that had it from the beginning.
func TestStreamStrength(t *testing.T) {
	x := vowel(16000, 16000)
	plain, strong := stream(t, 16000, 16000, 2), stream(t, 16000, 16000, 2)
	for range 2 {
		if err := strong.SetStrength(1.4); err != nil {
			t.Fatal(err)
		}
		if err := strong.SetStrength(3); err == nil {
			t.Error("absurd strength: no error")
		}
	}
	if slices.Equal(pieces(strong, x, 4000), pieces(plain, x, 4000)) {
		t.Error("the strength does not count")
	}
	m := model(t)
	o := plain.o
	o.Strength = 1.4
	whole, err := m.NewStream(m.SpeakerVoice(1), o)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(pieces(strong, x, 4000), pieces(whole, x, 4000)) { // the fade is over
		t.Error("told on the way or from the beginning: two voices")
	}
}

func TestStreamRefusals(t *testing.T) {
	m := model(t)
	for name, change := range map[string]func(*StreamOptions){
		"rate in":    func(o *StreamOptions) { o.InputRate = 0 },
		"rate out":   func(o *StreamOptions) { o.OutputRate = 1 << 30 },
		"look-ahead": func(o *StreamOptions) { o.LookAhead = 99 },
		"passes":     func(o *StreamOptions) { o.VocoderPasses = -1 },
		"fade":       func(o *StreamOptions) { o.FadeFrames = -1 },
	} {
		o := m.StreamOptions(16000)
		change(&o)
		if _, err := m.NewStream(m.SpeakerVoice(0), o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
