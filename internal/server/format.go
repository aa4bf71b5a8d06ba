package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/starvc/vc/audio"
)

// format is how the sound of an answer is written.
type format struct {
	name   string
	kind   string // what media type it has
	rate   int    // Hz, 0 for the model's
	own    string // pcm, wav or flac; empty where ffmpeg writes it
	ffmpeg []string
}

// formats are what output_format may name.
func formats() []format {
	var all []format
	rates := []int{8000, 16000, 22050, 24000, 32000, 44100, 48000}
	for _, r := range rates {
		all = append(all, format{name: fmt.Sprintf("pcm_%d", r), kind: "application/octet-stream", rate: r, own: "pcm"})
	}
	all = append(all, format{name: "wav", kind: "audio/wav", own: "wav"})
	for _, r := range rates {
		all = append(all, format{name: fmt.Sprintf("wav_%d", r), kind: "audio/wav", rate: r, own: "wav"})
	}
	all = append(all, format{name: "flac", kind: "audio/flac", own: "flac"})
	for _, m := range []struct{ rate, kbits int }{{22050, 32}, {24000, 48}, {44100, 32}, {44100, 64}, {44100, 96}, {44100, 128}, {44100, 192}} {
		all = append(all, format{name: fmt.Sprintf("mp3_%d_%d", m.rate, m.kbits), kind: "audio/mpeg", rate: m.rate,
			ffmpeg: []string{"-c:a", "libmp3lame", "-b:a", strconv.Itoa(m.kbits) + "k", "-f", "mp3"}})
	}
	for _, kbits := range []int{32, 64, 96, 128, 192} {
		all = append(all, format{name: fmt.Sprintf("opus_48000_%d", kbits), kind: "audio/ogg", rate: 48000,
			ffmpeg: []string{"-c:a", "libopus", "-b:a", strconv.Itoa(kbits) + "k", "-f", "ogg"}})
	}
	for _, law := range []string{"ulaw", "alaw"} {
		all = append(all, format{name: law + "_8000", kind: "application/octet-stream", rate: 8000,
			ffmpeg: []string{"-c:a", "pcm_" + strings.Replace(law, "ulaw", "mulaw", 1), "-f", strings.Replace(law, "ulaw", "mulaw", 1)}})
	}
	return all
}

func formatNames() []string {
	var names []string
	for _, f := range formats() {
		names = append(names, f.name)
	}
	return names
}

// usualFormat is what ElevenLabs gives where nothing is asked for, if it can be made.
func usualFormat() string {
	if audio.HasFFmpeg() {
		return "mp3_44100_128"
	}
	return "wav_44100"
}

func findFormat(name string) (format, *problem) {
	if name == "" {
		name = usualFormat()
	}
	all := formats()
	i := slices.IndexFunc(all, func(f format) bool { return f.name == name })
	if i < 0 {
		return format{}, invalid(fmt.Sprintf("%q is not known: want one of %s", oneLine(name, maxNameRunes), strings.Join(formatNames(), ", ")), "query", "output_format")
	}
	if all[i].own == "" && !audio.HasFFmpeg() {
		return format{}, fail(400, "output_format_unavailable", "%s is written by ffmpeg, and there is none on this server: ask for pcm_16000, pcm_22050, "+
			"pcm_24000, pcm_44100, pcm_48000, wav or flac, or install ffmpeg there", name)
	}
	return all[i], nil
}

// encoder writes a sound that was announced, piece by piece.
type encoder interface {
	Write(x []float32) error
	Close() error
}

// encode begins a sound of so many samples at rate from, in Hz, which goes to w in format f. mark says what the sound is.
func (f format) encode(ctx context.Context, w io.Writer, from int, samples int64, mark audio.Tags) (encoder, error) {
	to := f.rate
	if to == 0 {
		to = from
	}
	frames := (2*samples*int64(to) + int64(from)) / (2 * int64(from))
	var inner encoder
	var err error
	announced := audio.Sound{Rate: to, Channels: 1, Frames: frames, Tags: mark}
	switch f.own {
	case "pcm":
		inner = &pcmEncoder{w: w}
	case "wav":
		inner, err = audio.NewWAVEncoder(w, announced)
	case "flac":
		inner, err = audio.NewFLACEncoder(w, announced)
	default:
		inner, err = startFFmpeg(ctx, w, f, mark)
	}
	if err != nil {
		return nil, err
	}
	r, err := audio.NewResampler(from, to)
	if err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	return &resampling{encoder: inner, r: r, left: frames}, nil
}

// resampling brings sound to the rate of an encoder, exactly as many samples as were announced.
type resampling struct {
	encoder
	r    *audio.Resampler
	y    []float32
	left int64
}

func (e *resampling) Write(x []float32) error {
	e.y = e.r.Process(e.y[:0], x)
	return e.give()
}

func (e *resampling) give() error {
	e.y = e.y[:min(int64(len(e.y)), e.left)]
	e.left -= int64(len(e.y))
	return e.encoder.Write(e.y)
}

func (e *resampling) Close() error {
	e.y = e.r.Flush(e.y[:0])
	err := e.give()
	if err == nil && e.left > 0 {
		e.y = make([]float32, e.left) // a sample, by rounding twice
		err = e.give()
	}
	return errors.Join(err, e.encoder.Close())
}

// pcmEncoder writes samples of 16 bits without a header.
type pcmEncoder struct {
	w io.Writer
	b []byte
}

func (e *pcmEncoder) Write(x []float32) error {
	e.b = e.b[:0]
	for _, v := range x {
		e.b = binary.LittleEndian.AppendUint16(e.b, uint16(int16(math.RoundToEven(float64(max(-1, min(1, v)))*math.MaxInt16))))
	}
	_, err := e.w.Write(e.b)
	return err
}

func (e *pcmEncoder) Close() error { return nil }

// ffmpegEncoder has an ffmpeg write to w as it is made.
type ffmpegEncoder struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	errors *firstBytes
	b      []byte
}

func startFFmpeg(ctx context.Context, w io.Writer, f format, mark audio.Tags) (encoder, error) {
	args := []string{"-hide_banner", "-nostdin", "-loglevel", "error", "-protocol_whitelist", "pipe", "-f", "f32le", "-ar", strconv.Itoa(f.rate), "-ac", "1",
		"-i", "pipe:0", "-vn", "-flush_packets", "1"}
	if text := mark.Mark(); text != "" {
		args = append(args, "-metadata", "comment="+text)
	}
	args = append(append(args, f.ffmpeg...), "pipe:1")
	e := &ffmpegEncoder{cmd: exec.CommandContext(ctx, "ffmpeg", args...), errors: &firstBytes{}}
	e.cmd.Stdout, e.cmd.Stderr = w, e.errors
	var err error
	if e.stdin, err = e.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := e.cmd.Start(); err != nil {
		return nil, fmt.Errorf("ffmpeg: %w", err)
	}
	return e, nil
}

func (e *ffmpegEncoder) Write(x []float32) error {
	e.b = e.b[:0]
	for _, v := range x {
		e.b = binary.LittleEndian.AppendUint32(e.b, math.Float32bits(v))
	}
	_, err := e.stdin.Write(e.b)
	return err
}

func (e *ffmpegEncoder) Close() error {
	err := e.stdin.Close()
	if failed := e.cmd.Wait(); failed != nil {
		return fmt.Errorf("ffmpeg: %w: %s", failed, e.errors.b)
	}
	return err
}

// firstBytes keeps the beginning of what a program says.
type firstBytes struct{ b []byte }

func (f *firstBytes) Write(p []byte) (int, error) {
	f.b = append(f.b, p[:min(len(p), 2048-len(f.b))]...)
	return len(p), nil
}
