package corpus

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/acoustics"
)

// TestQuality: each fault costs points and is named.
func TestQuality(t *testing.T) {
	t.Parallel()
	const rate = 16000
	r := rand.New(rand.NewPCG(1, 2))
	// Words of 0.3 s that end within 40 ms, with pauses of 0.4 s.
	words := func() []float32 {
		x := voiceSignal(120, 60, rate, 5)
		for i := range x {
			at := float64(i%(rate*7/10)) / rate
			gain := math.Min(1, at/0.02) * math.Exp(-math.Max(0, at-0.3)/0.012)
			v := 0.0
			for k := 1; k < 12; k++ {
				v += math.Sin(2*math.Pi*120*float64(k)*float64(i)/rate) / float64(k)
			}
			x[i] = float32(0.2*gain*v + 0.0003*r.NormFloat64())
		}
		return x
	}
	change := func(f func(v float32) float32) []float32 {
		x := words()
		for i := range x {
			x[i] = f(x[i])
		}
		return x
	}
	inRoom := func(seconds float64) []float32 {
		x := words()
		h := acoustics.Room{RT60: seconds, DirectDB: 3, Damping: 0.6}.Response(nil, r, rate)
		m := acoustics.NewMixer(rate, len(x)+len(h))
		m.Begin(x)
		m.Reverberate(h)
		y := make([]float32, len(x))
		m.End(y)
		return y
	}
	for _, test := range []struct {
		name        string
		x           []float32
		rate        int
		lacks       string
		least, most int
	}{
		{"good", words(), rate, "", 95, 100},
		{"noise", change(func(v float32) float32 { return v + float32(0.01*r.NormFloat64()) }), rate, "noise", 40, 90},
		{"quiet", change(func(v float32) float32 { return v * 0.01 }), rate, "level", 30, 90},
		{"clipped", change(func(v float32) float32 { return min(max(9*v, -1), 1) }), rate, "clipping", 40, 75},
		{"a room", inRoom(0.6), rate, "room", 20, 90},
		{"telephone", words(), 8000, "narrow band", 50, 75},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			q := measureQuality(test.x, test.rate)
			score, lacks := q.Score()
			if lacks != test.lacks || score < test.least || score > test.most {
				t.Errorf("%d, lacks %q, want %d to %d, %q: %+v", score, lacks, test.least, test.most, test.lacks, q)
			}
			if help := mostHelp([]ScoredFile{{Path: "x", Seconds: 600, Quality: q}}); (help == "") != (lacks == "") {
				t.Errorf("what would help: %q", help)
			}
		})
	}
	if help := mostHelp([]ScoredFile{{Path: "x", Seconds: 60, Quality: measureQuality(words(), rate)}}); !strings.HasPrefix(help, "more minutes: here are 1.0") {
		t.Errorf("what would help a minute: %q", help)
	}
}

func TestNotSpeech(t *testing.T) {
	t.Parallel()
	cfg := features.DefaultConfig()
	frames := func(x []float32) features.Frames {
		f, err := features.ExtractRecording(cfg, x)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	r := rand.New(rand.NewPCG(3, 4))
	n := 8 * cfg.SampleRate
	hiss, chords := make([]float32, n), make([]float32, n)
	for i := range n {
		hiss[i] = float32(0.05 * r.NormFloat64())
		at := float64(i) / float64(cfg.SampleRate)
		root := 220 * math.Pow(2, float64(int(at*2)%5)/12)
		for _, k := range []float64{1, 1.26, 1.5, 2} {
			chords[i] += float32(0.08 * (0.7 + 0.3*math.Cos(math.Pi*math.Mod(at*2, 1))) * math.Sin(2*math.Pi*root*k*at))
		}
	}
	for _, test := range []struct {
		name, want string
		x          []float32
	}{
		{"speech", "", voiceSignal(120, 8, cfg.SampleRate, 1)},
		{"hiss", "no voice", hiss},
		{"chords", "music", chords},
	} {
		if got := notSpeech(frames(test.x)); (got == "") != (test.want == "") || !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestPrepareCuts: a long recording becomes several utterances, each of which is a part of it, and the same as before it was known.
func TestPrepareCuts(t *testing.T) {
	t.Parallel()
	root, cache := t.TempDir(), t.TempDir()
	const rate = 16000
	long := voiceSignal(130, 70, rate, 9)
	for from := 4 * rate; from < len(long); from += 5 * rate { // a pause of 0.6 s every 5 s
		clear(long[from : from+rate*6/10])
	}
	path := writeClip(t, filepath.Join(root, "talk.wav"), long, rate)
	r := rand.New(rand.NewPCG(3, 4))
	hiss := make([]float32, 5*rate)
	for i := range hiss {
		hiss[i] = float32(0.1 * r.NormFloat64())
	}
	writeClip(t, filepath.Join(root, "wind.wav"), hiss, rate)
	opts := PrepareOptions{CacheDir: cache, Cut: true, Embed: func(f features.Frames) ([]float32, error) { return []float32{1, 0}, nil }}
	set, report := mustPrepare(t, root, opts)
	again, _ := mustPrepare(t, root, opts)
	if set.Fingerprint() != again.Fingerprint() {
		t.Error("a second start gives another set")
	}
	n := len(set.Train) + len(set.Valid)
	if n < 8 || len(set.Valid) == 0 {
		t.Fatalf("%d pieces to train and %d held out", len(set.Train), len(set.Valid))
	}
	whole, err := framesOf(t, path)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range append(set.Train, set.Valid...) {
		if u.Path != path {
			t.Errorf("an utterance is of %s", u.Path)
		}
		if u.Frames.LogEnergy[0] != whole.LogEnergy[u.Start] || u.Frames.LogEnergy[u.Frames.Len()-1] != whole.LogEnergy[u.Start+u.Frames.Len()-1] {
			t.Errorf("the piece at frame %d is not of there", u.Start)
		}
	}
	var text strings.Builder
	if _, err := (Details{report}).WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"cut at pauses into", "hardly speech, left out (1 file): wind.wav (no voice in it)", "1 left out", "the pieces of talk.wav:", "recordings: ", "what would help most: more minutes"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, &text)
		}
	}
}

// TestMostlyMusicGoes: of a long recording that is music with a little talk between, nothing is used.
func TestMostlyMusicGoes(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	const rate = 16000
	show := func(talk int) []float32 {
		var x []float32
		for part := range 8 {
			if part < talk {
				x = append(x, voiceSignal(120, 6, rate, uint64(part))...)
			} else {
				for i := range 6 * rate {
					at := float64(i) / rate
					v := 0.0
					for _, hz := range []float64{220, 277, 330, 440} {
						v += 0.08 * (0.7 + 0.3*math.Cos(math.Pi*math.Mod(at*2, 1))) * math.Sin(2*math.Pi*hz*at)
					}
					x = append(x, float32(v))
				}
			}
			x = append(x, make([]float32, rate)...)
		}
		return x
	}
	writeClip(t, filepath.Join(root, "radio.wav"), show(2), rate)
	writeClip(t, filepath.Join(root, "talk.wav"), show(8), rate)
	set, report := mustPrepare(t, root, PrepareOptions{Cut: true})
	for _, u := range append(set.Train, set.Valid...) {
		if filepath.Base(u.Path) != "talk.wav" {
			t.Errorf("%s is used from frame %d", u.Path, u.Start)
		}
	}
	var text strings.Builder
	report.WriteTo(&text)
	if report.Speakers[0].LeftOut != 1 || !strings.Contains(text.String(), "left out") {
		t.Errorf("the report says\n%s", &text)
	}
}

// framesOf is the frames of one recording.
func framesOf(t *testing.T, path string) (features.Frames, error) {
	t.Helper()
	all, err := readAll(context.Background(), []Speaker{{Name: "x", Files: []string{path}}}, features.DefaultConfig(), nil, PrepareOptions{Workers: 1, KeepEnds: true})
	if err != nil {
		return features.Frames{}, err
	}
	return all[0].frames, nil
}

// TestPeople: pieces of two people are told apart, those of one in two moods are not.
func TestPeople(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	voice := func(n int, x, y float32) (all [][]float32) {
		for range n {
			all = append(all, []float32{x + 0.2*float32(r.NormFloat64()), y + 0.2*float32(r.NormFloat64()), 0.2 * float32(r.NormFloat64())})
		}
		return all
	}
	for _, test := range []struct {
		name string
		of   [][]float32
		want int
	}{
		{"one", voice(20, 1, 0), 0},
		{"one, in two moods", append(voice(20, 1, 0), voice(10, 0.9, 0.45)...), 0},
		{"two", append(voice(20, 1, 0), voice(8, 0.1, 1)...), 2},
		{"one, and two strange pieces", append(voice(20, 1, 0), voice(2, 0, 1)...), 0},
		{"one piece that cannot be told", append(voice(3, 1, 0), nil), 0},
		{"three", append(append(voice(9, 1, 0), voice(9, 0, 1)...), voice(9, -1, 0)...), 3},
	} {
		frames := make([]int, len(test.of))
		for i := range frames {
			frames[i] = 500
		}
		if got := several(people(test.of, frames)); len(got) != test.want {
			t.Errorf("%s: %d people, want %d", test.name, len(got), test.want)
		}
	}
}
