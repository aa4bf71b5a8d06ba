package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/untrained"
)

func TestPipeReader(t *testing.T) {
	frames := []float32{0.5, -0.25, 0.125, 0.75, -1}
	var stereo []float32
	for _, v := range frames {
		stereo = append(stereo, v, v)
	}
	raw := pcm16(stereo, 1)
	header := wavHeader(pipeFormat{audio.S16LE, 22050, 2})
	for name, data := range map[string][]byte{"raw": raw, "wav": append(slices.Clone(header), raw...), "half a frame more": append(slices.Clone(raw), 1, 2, 3)} {
		for _, chunk := range []int{1, 2, 3, 100} {
			t.Run(fmt.Sprint(name, chunk), func(t *testing.T) {
				// One byte at a time is the worst that a pipe can do.
				p, err := openPipe(iotest.OneByteReader(bytes.NewReader(data)), pipeFormat{audio.S16LE, 48000, 2})
				if err != nil {
					t.Fatal(err)
				}
				if name == "wav" && (p.wav == nil || p.format.rate != 22050) {
					t.Errorf("header not understood: %+v", p.format)
				}
				var got []float32
				for x := make([]float32, chunk); ; {
					n, err := p.readFull(x)
					got = append(got, x[:n]...)
					if err == io.EOF {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
					if n != chunk {
						t.Fatalf("%d samples before the end, want %d", n, chunk)
					}
				}
				if len(got) != len(frames) {
					t.Fatalf("%d samples, want %d", len(got), len(frames))
				}
				for i, v := range got {
					if math.Abs(float64(v-frames[i])) > 1e-4 {
						t.Errorf("sample %d is %g, want %g", i, v, frames[i])
					}
				}
			})
		}
	}
}

// readFull fills x, unless the stream ends before.
func (p *pipeReader) readFull(x []float32) (got int, err error) {
	for got < len(x) && err == nil {
		var n int
		n, err = p.read(x[got:])
		got += n
	}
	return got, err
}

func FuzzWAVHeader(f *testing.F) {
	f.Add(wavHeader(pipeFormat{audio.F32LE, 48000, 1}))
	f.Add(riff(1, 2, 44100, 24, nil, 77))
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEdata"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := openPipe(bytes.NewReader(b), pipeFormat{audio.S16LE, 16000, 1})
		if err != nil {
			return
		}
		x := make([]float32, 64)
		for {
			if _, err := p.readFull(x); err != nil {
				return
			}
		}
	})
}

func TestSettingsWith(t *testing.T) {
	base := settings{voiceChoice: voiceChoice{to: "a"}, wet: 1}
	for _, c := range []struct {
		line string
		want settings
		bad  bool
	}{
		{line: "to b", want: settings{voiceChoice: voiceChoice{to: "b"}, wet: 1, voiceChanged: true}},
		{line: "  mix a=0.5,b=0.5 ", want: settings{voiceChoice: voiceChoice{mix: "a=0.5,b=0.5"}, wet: 1, voiceChanged: true}},
		{line: "pitch -2.5", want: settings{voiceChoice: voiceChoice{to: "a"}, wet: 1, pitch: -2.5}},
		{line: "gain 3", want: settings{voiceChoice: voiceChoice{to: "a"}, wet: 1, gainDB: 3}},
		{line: "gate  -50", want: settings{voiceChoice: voiceChoice{to: "a"}, wet: 1, gateDB: -50}},
		{line: "dry-wet 0.25", want: settings{voiceChoice: voiceChoice{to: "a"}, wet: 0.25}},
		{line: "pitch", bad: true},
		{line: "pitch high", bad: true},
		{line: "volume 3", bad: true},
	} {
		got, err := base.with(c.line)
		if (err != nil) != c.bad || !c.bad && got != c.want {
			t.Errorf("%q: %+v, %v", c.line, got, err)
		}
	}
	for _, s := range []settings{{}, {voiceChoice: voiceChoice{to: "a", mix: "b"}}, {voiceChoice: voiceChoice{to: "a"}, wet: 2}, {voiceChoice: voiceChoice{to: "a"}, wet: math.NaN()}, {voiceChoice: voiceChoice{to: "a"}, gainDB: 900}, {voiceChoice: voiceChoice{to: "a"}, gateDB: 1}, {voiceChoice: voiceChoice{to: "a"}, pitch: 99}} {
		if s.validate() == nil {
			t.Errorf("%+v: no error", s)
		}
	}
}

func streamThrough(t *testing.T, e env, o streamOptions) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := untrained.Model(gan.Tiny(), 3, 1).Save(path, gan.Full); err != nil {
		t.Fatal(err)
	}
	o.model, o.format, o.latency, o.rate, o.channels = path, "s16le", "low", 16000, 1
	if o.set.to == "" {
		o.set.to, o.set.wet = "spk0", 1
	}
	o.set.gateDB = -90
	return runStream(context.Background(), e, o)
}

// A reader that goes away is no error.
func TestStreamEndsQuietlyWithItsReader(t *testing.T) {
	r, w := io.Pipe()
	in, feed := io.Pipe()
	go func() {
		for {
			if _, err := feed.Write(make([]byte, 3200)); err != nil {
				return
			}
		}
	}()
	go func() {
		io.CopyN(io.Discard, r, 20000)
		r.Close()
	}()
	e := testEnv()
	e.stdin, e.stdout = in, w
	if err := streamThrough(t, e, streamOptions{liveOptions: liveOptions{quiet: true}}); err != nil {
		t.Error(err)
	}
	in.Close()
}

// Sound comes out while the input goes on, and changes while it runs.
func TestStreamIsLive(t *testing.T) {
	dir := t.TempDir()
	control := filepath.Join(dir, "control")
	if err := os.WriteFile(control, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	in, feed := io.Pipe()
	got, out := io.Pipe()
	errs := &bytes.Buffer{}
	e := testEnv()
	e.stdin, e.stdout, e.stderr = in, out, errs
	done := make(chan error, 1)
	go func() {
		done <- streamThrough(t, e, streamOptions{liveOptions: liveOptions{control: control, stats: true}})
		out.Close()
	}()
	piece := pcm16(buzz(16000, 0.1), 1)
	send := func(times int) {
		for range times {
			if _, err := feed.Write(piece); err != nil {
				t.Error(err)
				return
			}
		}
	}
	go send(10)
	// 1 s in; all but the delay of 25 ms must come out without the input having ended.
	b := make([]byte, 2*(16000-400))
	if _, err := io.ReadFull(got, b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(control, []byte("gain -120\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond) // so that a line of figures is due, too
	go func() {
		send(10)
		feed.Close()
	}()
	rest, err := io.ReadAll(got)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := len(b) + len(rest); n != 2*32000 {
		t.Errorf("%d bytes, want %d", n, 2*32000)
	}
	if slices.Max(rest[len(rest)/2:]) != 0 {
		t.Error("the gain of the control file has no effect")
	}
	if !strings.Contains(errs.String(), "rtf ") {
		t.Errorf("no figures in %q", errs)
	}
}

func TestCompleteNamesEveryFlagValue(t *testing.T) {
	app := newApp(testEnv())
	for line, want := range map[string]string{
		"":                                "train",
		"tr":                              "train",
		"convert --voc":                   "--vocoder",
		"convert --vocoder ":              "source-filter",
		"convert x.wav --vocoder gri":     "griffin-lim",
		"vocode x.wav --vocoder ":         "refined",
		"stream --latency ":               "low",
		"stream --format ":                "s16le",
		"train --device ":                 "cuda",
		"completion ":                     "fish",
		"setup ":                          "cpu",
		"train vocoder --preset ":         "large",
		"bench train --vocoder --preset ": "large",
	} {
		words := strings.Split(line, " ")
		if got := complete(testEnv(), app, words); !slices.Contains(got, want) {
			t.Errorf("%q: %q, want %q among them", line, got, want)
		}
	}
	for _, line := range []string{"convert --vocoder x", "pack m --vocoder "} {
		if got := complete(testEnv(), app, strings.Split(line, " ")); len(got) != 0 {
			t.Errorf("%q: completed to %q", line, got)
		}
	}
}
