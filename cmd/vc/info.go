package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/judge"
	"github.com/starvc/vc/internal/livesound"
	"github.com/starvc/vc/internal/phones"
	"github.com/starvc/vc/internal/synth"
	"github.com/starvc/vc/vocoder"
	"github.com/urfave/cli/v2"
)

const infoDescription = `Says what a file is. Of a model: its voices, rate, size and delay. Of a vocoder: its size and training. Of a saved voice: how it
came about. Of a recording: its rate, length, level and pitch. Without a file it describes the model that the other commands would use; base is the one
that comes with the program.

EXAMPLES

   vc info
   vc info base
   vc info my.safetensors
   vc info my.voice
   vc info in.wav`

func infoCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "info",
		Usage:       "describe a model, a saved voice or a recording",
		UsageText:   "vc info [MODEL|VOICE|RECORDING]...",
		ArgsUsage:   "[MODEL|VOICE|RECORDING]...",
		Description: infoDescription,
		Flags:       []cli.Flag{modelFlag()},
		Action: func(c *cli.Context) error {
			paths := c.Args().Slice()
			if len(paths) == 0 || c.String("model") != "" {
				path, err := findModel(e, c.String("model"))
				if err != nil {
					return err
				}
				paths = append([]string{path}, paths...)
			}
			return runInfo(c, e, paths)
		},
	}
}

func runInfo(c *cli.Context, e env, paths []string) error {
	jobs := make([]job, len(paths))
	for i, p := range paths {
		if i > 0 {
			fmt.Fprintln(e.stdout)
		}
		jobs[i] = job{in: p, err: describeFile(c, e, p)}
	}
	return failures(jobs)
}

func describeFile(c *cli.Context, e env, path string) error {
	if path == standardStream {
		clip, err := readClip(c.Context, e, path)
		if err != nil {
			return err
		}
		return describeClip(e, "standard input", clip)
	}
	if path == baseModel {
		m, size, err := loadBase(e)
		if err != nil {
			return err
		}
		return describeModel(e, "base, which comes with the program", size, m)
	}
	if isVoiceFile(path) {
		return describeVoice(e, path)
	}
	model, err := looksLikeModel(path)
	if err != nil {
		return err
	}
	if model {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		m, err := vc.Open(path)
		if err != nil {
			if n, netErr := vocoder.Load(path); netErr == nil {
				return describeNet(e, path, info.Size(), n)
			}
			if _, phonesErr := phones.Load(path); phonesErr == nil {
				return describeHelper(e, path, info.Size(), "phone network, which keeps the words in training and counts them in scores",
					"vc train --phones "+path+", or vc eval --phones "+path)
			}
			if _, judgeErr := judge.Load(path); judgeErr == nil {
				return describeHelper(e, path, info.Size(), "judge, which tells speakers apart in scores", "vc eval --judge "+path)
			}
			return err
		}
		return describeModel(e, path, info.Size(), m)
	}
	clip, err := audio.ReadFile(path)
	if err != nil {
		return err
	}
	return describeClip(e, path, clip)
}

// looksLikeModel tells a safetensors file by its name or its first bytes: a length of 8 bytes, then JSON.
func looksLikeModel(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, plainCause(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return false, errors.New("is a folder: name a model or a recording")
	}
	if strings.HasSuffix(strings.ToLower(path), ".safetensors") {
		return true, nil
	}
	head := make([]byte, 9)
	if _, err := io.ReadFull(f, head); err != nil {
		return false, nil // too short for either; the audio reader says so best
	}
	return head[8] == '{' && bytes.Equal(head[5:8], []byte{0, 0, 0}), nil
}

// table prints pairs of words in two columns.
type table struct{ w *tabwriter.Writer }

func newTable(w io.Writer) table { return table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)} }

func (t table) row(name, format string, a ...any) {
	fmt.Fprintf(t.w, name+"\t"+format+"\n", a...)
}

func describeModel(e env, name string, size int64, model *vc.Model) error {
	count := func(params []gan.Param) (n int) {
		for _, p := range params {
			n += numbersOf(p.Shape)
		}
		return n
	}
	m := model.Networks()
	f, c, speakers := m.Features, m.Config, len(m.Speakers)
	t := newTable(e.stdout)
	t.row("model", "%s", name)
	t.row("size", "%s", bytesText(size))
	t.row("voices", "%d: %s", speakers, strings.Join(speakerNames(model.Voices()), ", "))
	t.row("rate", "%d Hz", f.SampleRate)
	t.row("features", "%d mel bands of %g to %g Hz, %g frames a second", f.NMels, f.FMinHz, f.FMaxHz, float64(f.SampleRate)/float64(f.Hop))
	t.row("generator", "%s weights, %d encoder and %d decoder blocks, %d wide", countText(count(c.GeneratorParams())), c.EncoderBlocks, c.DecoderBlocks, c.Width)
	t.row("styles", "%d numbers each, networks of %s weights", c.StyleDim, countText(count(c.MappingParams(speakers))+count(c.StyleParams(speakers))))
	t.row("style space", "%s", model.StyleSpace())
	sound, err := vocoderText(m)
	if err != nil {
		return err
	}
	t.row("vocoder", "%s", sound)
	trained := "unknown"
	if m.Trained.Steps > 0 || m.Trained.Preset != "" {
		trained = fmt.Sprintf("%d steps from preset %s", m.Trained.Steps, m.Trained.Preset)
		if m.Trained.Program != "" {
			trained += ", by vc " + m.Trained.Program
		}
	}
	t.row("trained", "%s", trained)
	for _, l := range livesound.Latencies() {
		ms, err := streamLatency(model, l)
		if err != nil {
			return err
		}
		t.row("delay", "%.0f ms live with --latency %s", ms, l.Name)
	}
	return t.w.Flush()
}

// vocoderText says what makes sound of the model's frames where nothing else is asked for.
func vocoderText(m *gan.Model) (string, error) {
	n, err := synth.FindNet(m)
	switch {
	case err != nil:
		return "", err
	case n == nil:
		return "source filter; no neural one fits", nil
	}
	whose := "the program's"
	if m.Vocoder() != nil {
		whose = "the model's own"
	}
	return fmt.Sprintf("%s, neural, %s weights", whose, countText(netWeights(n.Config()))), nil
}

func netWeights(c vocoder.NetConfig) (n int) {
	for _, p := range c.Params() {
		n += numbersOf(p.Shape)
	}
	return n
}

// numbersOf is how many numbers a tensor of that shape holds.
func numbersOf(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// describeNet says what a vocoder's file is.
func describeNet(e env, name string, size int64, n *vocoder.Net) error {
	c := n.Config()
	t := newTable(e.stdout)
	t.row("vocoder", "%s", name)
	t.row("size", "%s, %s weights", bytesText(size), countText(netWeights(c)))
	t.row("rate", "%d Hz, %d mel bands", c.Features.SampleRate, c.Features.NMels)
	t.row("work", "%.2f billion multiplications per second of sound", c.MACs()/1e9)
	for _, key := range slices.Sorted(maps.Keys(n.Trained())) {
		t.row(key, "%s", n.Trained()[key])
	}
	t.row("use", "vc vocode in.wav --net %s, or vc pack MODEL --net %s", name, name)
	return t.w.Flush()
}

// describeHelper says what the file of a network is that serves training and scores.
func describeHelper(e env, name string, size int64, kind, use string) error {
	t := newTable(e.stdout)
	t.row("file", "%s", name)
	t.row("size", "%s", bytesText(size))
	t.row("kind", "%s", kind)
	t.row("use", "%s", use)
	return t.w.Flush()
}

// streamLatency is the delay of a live stream at the model's own rate, without that of sound cards.
func streamLatency(m *vc.Model, l livesound.Latency) (milliseconds float64, err error) {
	o := l.Options(m, m.Features().SampleRate)
	s, err := m.NewStream(m.SpeakerVoice(0), o)
	if err != nil {
		return 0, err
	}
	return delayMilliseconds(s, s.Pieces(l.Chunk)), nil
}

func describeClip(e env, name string, clip audio.Clip) error {
	for _, w := range clip.Warnings {
		e.tell("warning: %s: %s", name, w)
	}
	rms, peak := audio.Level(clip.Samples)
	t := newTable(e.stdout)
	t.row("recording", "%s", name)
	t.row("length", "%.2f s, %d samples", clip.Duration().Seconds(), len(clip.Samples))
	t.row("rate", "%d Hz", clip.Rate)
	t.row("level", "%s RMS, %s peak", decibels(rms), decibels(peak))
	t.row("speech", "%s", speechText(clip))
	return t.w.Flush()
}

// speechText says where sound is and at what pitch.
func speechText(clip audio.Clip) string {
	heard := audio.LevelSpeech(clip.Samples, clip.Rate).Samples
	start, end := audio.TrimSilence(heard, clip.Rate, 40, 0)
	if end <= start {
		return "none, all is silence"
	}
	seconds := func(n int) float64 { return float64(n) / float64(clip.Rate) }
	text := fmt.Sprintf("from %.2f to %.2f s", seconds(start), seconds(end))
	cfg := features.DefaultConfig()
	// A minute is enough to know a voice's pitch.
	x := heard[start:min(end, start+60*clip.Rate)]
	f, err := features.ExtractRecording(cfg, audio.Resample(x, clip.Rate, cfg.SampleRate))
	if err != nil {
		return text
	}
	voiced, sum := 0, 0.0
	for _, hz := range f.F0 {
		if hz > 0 {
			voiced++
			sum += math.Log(float64(hz))
		}
	}
	if voiced == 0 {
		return text + ", without pitch"
	}
	return fmt.Sprintf("%s, mean pitch %.0f Hz", text, math.Exp(sum/float64(voiced)))
}

func decibels(v float64) string {
	if math.IsInf(v, -1) {
		return "silent"
	}
	return fmt.Sprintf("%.1f dB", v)
}

func countText(n int) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.1f million", float64(n)/1e6)
	case n >= 1e4:
		return fmt.Sprintf("%.0f thousand", float64(n)/1e3)
	}
	return fmt.Sprint(n)
}

func bytesText(n int64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d bytes", n)
}
