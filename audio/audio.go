// Package audio brings sound into the program and takes it out again.
//
// Everything inside the program is one thing: mono float32 samples in [-1, 1] at a known rate. This package turns
// what the world offers into that: WAV, FLAC, MP3 and Ogg Vorbis of any rate, depth and channel count, whatever an ffmpeg on
// the PATH reads besides, WAV on a pipe, raw PCM from a microphone program. And it turns the result back into 16-bit WAV or raw PCM. Two rules hold everywhere.
// A decoder never guesses in silence: what can be used is used with a warning in plain words, the rest is an error
// that says what to do. And a file appears under its name only when it is complete.
//
// Rates are converted with [Resample], or for streams with [Resampler]; both run the same code and give the same
// samples. [Level], [Normalize] and [TrimSilence] measure and prepare recordings.
package audio

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The limits within which input is believed. They are far beyond speech; what lies outside is a damaged header.
const (
	// MinRate and MaxRate bound sample rates, in Hz.
	MinRate = 1000
	MaxRate = 768000
	// MaxChannels bounds the channels of one input.
	MaxChannels = 256
	// MaxSamples bounds one clip after mixing down to mono: 1 GiB of memory, 93 minutes at 48 kHz.
	MaxSamples = 1 << 28
)

// Clip is one mono recording.
type Clip struct {
	Samples []float32 // mono, [-1, 1]
	Rate    int       // Hz
	// Warnings says in plain words what was wrong with the source and was coped with, for instance how much of a
	// truncated file is missing. Nil when the source was sound.
	Warnings []string
}

// Duration returns the length of the clip, 0 when the rate is not set.
func (c Clip) Duration() time.Duration { return samplesDuration(int64(len(c.Samples)), c.Rate) }

func samplesDuration(samples int64, rate int) time.Duration {
	if rate <= 0 {
		return 0
	}
	whole, rest := samples/int64(rate), samples%int64(rate)
	return time.Duration(whole)*time.Second + time.Duration(rest)*time.Second/time.Duration(rate)
}

// Decode reads a whole WAV, FLAC, MP3 or Ogg Vorbis stream, told apart by their first bytes, and mixes the channels to mono. It never seeks,
// so that a pipe will do. Two channels are averaged, unless one is silent or they cancel each other: then the live or the
// louder one is taken. More are mixed by their places, where those are known (ITU-R BS.775-4). Float samples beyond full
// scale are clipped.
//
// Lengths in headers are not believed against what is there: a WAV without one is read to its end, a recording that goes on
// behind its claimed end is read on, files joined into one are read one after the other, tags of music players are passed
// over, and a stream cut short gives what is there. Clip.Warnings says what was guessed, missing or left out.
//
// All else is an error: another format, a damaged header, samples that are no numbers, no samples at all, more than
// [MaxSamples]. Memory grows with what was really read, whatever the header claims.
func Decode(r io.Reader) (Clip, error) { return decode(r, MaxSamples) }

// readAhead is a whole page of Ogg, the longest that any format needs to look ahead.
const readAhead = 1<<16 + 1<<10

func decode(r io.Reader, maxSamples int) (Clip, error) {
	return decodeWhole(maxSamples, func(to *receiver) (Clip, error) { return decodeTo(r, to) })
}

// decodeTo gives the sound to a receiver. The clip has no samples.
func decodeTo(r io.Reader, to *receiver) (Clip, error) {
	br := bufio.NewReaderSize(r, readAhead)
	tagged, err := skipTags(br)
	if err != nil {
		return Clip{}, err
	}
	head, err := br.Peek(sniffBytes)
	if err != nil && err != io.EOF {
		return Clip{}, fmt.Errorf("reading audio: %w", err)
	}
	switch kind := sniff(head); {
	case kind == kindWAV:
		return decodeWAV(br, to)
	case kind == kindFLAC:
		return decodeFLAC(br, to)
	case kind == kindMP3 && (tagged || isMP3(br)), kind == "" && tagged:
		return decodeMP3(br, to)
	case kind == kindOgg:
		return decodeOgg(br, to)
	case len(head) == 0:
		return Clip{}, errors.New("the input is empty: expected a recording (" + ReadHere + ")")
	case kind != "":
		return Clip{}, &formatError{kind: kind}
	}
	return Clip{}, &formatError{kind: fmt.Sprintf("no audio known here (it begins with %q)", head[:min(len(head), 8)])}
}

// ReadFile decodes the recording at path: WAV, FLAC, MP3 and Ogg Vorbis as [Decode] does, anything else by an ffmpeg on the
// PATH. Errors begin with the path.
func ReadFile(path string) (Clip, error) { return ReadFileContext(context.Background(), path) }

// ReadFileContext is ReadFile; an ffmpeg that is at work ends with ctx.
func ReadFileContext(ctx context.Context, path string) (Clip, error) {
	f, err := os.Open(path)
	if err != nil {
		return Clip{}, fmt.Errorf("%s: %w", path, pathCause(err))
	}
	defer f.Close()
	clip, err := DecodeFile(ctx, f)
	if err != nil {
		return Clip{}, fmt.Errorf("%s: %w", path, pathCause(err))
	}
	return clip, nil
}

// DecodeFile is ReadFileContext for a file that is open, read from where it stands. Errors do not name it.
func DecodeFile(ctx context.Context, f *os.File) (Clip, error) {
	return decodeWhole(MaxSamples, func(to *receiver) (Clip, error) { return decodeFileTo(ctx, f, to) })
}

func decodeFileTo(ctx context.Context, f *os.File, to *receiver) (Clip, error) {
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return Clip{}, errors.New("is a folder: name a recording")
	}
	clip, err := decodeTo(f, to)
	var unread *formatError
	if !errors.As(err, &unread) {
		return clip, err
	}
	unread.path = f.Name()
	return unread.askFFmpeg(ctx, f.Name(), nil, to, err)
}

// DecodeStream is [Decode] with an ffmpeg on the PATH for what it does not read. Some formats, such as MPEG-4 with its
// index at the end, cannot be read from a pipe even so.
func DecodeStream(ctx context.Context, r io.Reader) (Clip, error) {
	return decodeWhole(MaxSamples, func(to *receiver) (Clip, error) { return decodeStreamTo(ctx, r, to) })
}

func decodeStreamTo(ctx context.Context, r io.Reader, to *receiver) (Clip, error) {
	seen := &bytes.Buffer{}
	// No format is refused after more than this, so that ffmpeg can have it from the beginning.
	clip, err := decodeTo(io.MultiReader(io.TeeReader(io.LimitReader(r, 1<<20), seen), r), to)
	var unread *formatError
	if !errors.As(err, &unread) || seen.Len() >= 1<<20 {
		return clip, err
	}
	return unread.askFFmpeg(ctx, "", io.MultiReader(seen, r), to, err)
}

// formatError refuses an input that is not read here, and names the way out.
type formatError struct {
	kind string // what the input is
	path string // its name where known, for a command that can be pasted
}

// ReadHere names the formats that need no ffmpeg.
const ReadHere = "WAV, FLAC, MP3 and Ogg Vorbis"

func (e *formatError) Error() string {
	in, out := "INPUT", "OUTPUT.wav"
	if e.path != "" {
		in = e.path
		out = strings.TrimSuffix(in, filepath.Ext(in)) + "-pcm.wav"
	}
	return fmt.Sprintf("this is %s: only %s are read here; install ffmpeg, and all that it knows is read, or convert it with ffmpeg -i %s %s",
		e.kind, ReadHere, shellQuote(in), shellQuote(out))
}

// askFFmpeg has an ffmpeg on the PATH read what is refused with err. Without one that is the answer.
func (e *formatError) askFFmpeg(ctx context.Context, path string, r io.Reader, to *receiver, err error) (Clip, error) {
	program, missing := exec.LookPath("ffmpeg")
	if missing != nil {
		return Clip{}, err
	}
	if to.restart != nil {
		to.restart()
	}
	clip, err := ffmpeg{program, ffmpegPatience}.convert(ctx, path, r, to)
	switch {
	case ctx.Err() != nil:
		return Clip{}, ctx.Err()
	case err != nil:
		return Clip{}, fmt.Errorf("this is %s: only %s are read here, and %w", e.kind, ReadHere, err)
	}
	return clip, nil
}

// shellQuote makes a name safe to paste into a shell.
func shellQuote(name string) string {
	plain := strings.IndexFunc(name, func(r rune) bool {
		return !strings.ContainsRune("/._-+,:@%=", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) < 0
	if plain {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}

// id3Bytes returns the length of the ID3v2 tag whose first 10 bytes head has, with its header and footer.
func id3Bytes(head []byte) int {
	n := 10 + (int(head[6]&0x7f)<<21 | int(head[7]&0x7f)<<14 | int(head[8]&0x7f)<<7 | int(head[9]&0x7f))
	if head[5]&0x10 != 0 {
		n += 10
	}
	return n
}

var errOnlyTag = errors.New("an ID3 tag without sound: the file is cut short; copy or export it again")

// skipTags passes over the ID3v2 tags of music players that some programs put before any format.
func skipTags(br *bufio.Reader) (found bool, err error) {
	for range maxChunks {
		head, _ := br.Peek(10)
		if len(head) < 10 || !bytes.HasPrefix(head, []byte("ID3")) {
			return found, nil // too short for a tag: the sniffing says what it is
		}
		if _, err := br.Discard(id3Bytes(head)); err != nil {
			return true, errOnlyTag
		}
		if _, err := br.Peek(1); err == io.EOF {
			return true, errOnlyTag
		}
		found = true
	}
	return found, nil
}

const (
	kindWAV  = "WAV"
	kindFLAC = "FLAC"
	kindMP3  = "MP3"
	kindOgg  = "Ogg"

	sniffBytes = 16
)

// sniff names the format that starts with head, or returns "".
func sniff(head []byte) string {
	kind := signature(head)
	switch {
	case kind != "":
		return kind
	case len(head) >= 2 && head[0] == 0xff && head[1]&0xf6 == 0xf0:
		return "AAC (ADTS)"
	case len(head) >= 3 && head[0] == 0xff && head[1]&0xe0 == 0xe0 && head[1]&0x06 != 0 && head[2]&0xf0 != 0xf0:
		return kindMP3
	}
	return ""
}

// CheckRaw refuses what cannot be raw samples: a stream that begins with the signature of a known kind of file. head is its
// first bytes, 12 or more. An MP3 without a header has none that samples could not have too.
func CheckRaw(head []byte) error {
	kind := signature(head)
	if kind == "" {
		return nil
	}
	return fmt.Errorf("this is a file (%s), and raw samples or a WAV stream are wanted; decode it on the way, for instance with ffmpeg -i INPUT -f wav -", kind)
}

// signature names the format whose own first bytes head has, or returns "".
func signature(head []byte) string {
	at := func(i int, magic string) bool {
		return len(head) >= i+len(magic) && string(head[i:i+len(magic)]) == magic
	}
	switch {
	case (at(0, "RIFF") || at(0, "RF64") || at(0, "BW64")) && (at(8, "WAVE") || len(head) < 12):
		return kindWAV
	case at(0, "fLaC"):
		return kindFLAC
	case at(0, "RIFX"):
		return "big-endian WAV (RIFX)"
	case at(0, "RIFF"):
		return fmt.Sprintf("a RIFF file that is not WAV (%q)", head[8:12])
	case at(0, "riff"):
		return kindWAV
	case at(0, "OggS"):
		return kindOgg
	case at(4, "ftyp"):
		return "MPEG-4 audio or video (m4a, mp4, mov)"
	case at(0, "FORM") && (at(8, "AIFF") || at(8, "AIFC")):
		return "AIFF"
	case at(0, "caff"):
		return "Core Audio (caf)"
	case at(0, ".snd"):
		return "Sun audio (au)"
	case at(0, "#!AMR"):
		return "AMR"
	case at(0, "\x1aE\xdf\xa3"):
		return "Matroska or WebM"
	case at(0, "0&\xb2u\x8ef\xcf\x11"):
		return "Windows Media (wma, asf)"
	case at(0, "wvpk"):
		return "WavPack"
	case at(0, "MAC "):
		return "Monkey's Audio"
	case at(0, "ID3"):
		return "MP3"
	}
	return ""
}

// missing words how much of a truncated recording is not there.
func missing(have, want int64, rate int) string {
	lost := want - have
	return fmt.Sprintf("cut short: %s s of %s s are missing (%.1f %%); the rest is used",
		seconds(lost, rate), seconds(want, rate), 100*float64(lost)/float64(want))
}

// beyondClaim words how far a recording goes on behind the length that its header gives.
func beyondClaim(claimed, have int64, rate int) string {
	return fmt.Sprintf("longer than its header says: %s s more than %s s were found and read (%.1f %% of all)",
		seconds(have-claimed, rate), seconds(claimed, rate), 100*float64(have-claimed)/float64(have))
}

// secondsOf words a number of samples as a time, with its unit.
func secondsOf(samples int64, rate int) string { return seconds(samples, rate) + " s" }

func seconds(samples int64, rate int) string {
	s := float64(samples) / float64(rate)
	if s < 0.1 {
		return fmt.Sprintf("%.4f", s)
	}
	return fmt.Sprintf("%.2f", s)
}

func checkRate(rate int64) error {
	if rate < MinRate || rate > MaxRate {
		return fmt.Errorf("sample rate %d Hz, must be %d to %d", rate, MinRate, MaxRate)
	}
	return nil
}

func checkChannels(channels int) error {
	if channels < 1 || channels > MaxChannels {
		return fmt.Errorf("%d channels, must be 1 to %d", channels, MaxChannels)
	}
	return nil
}

func tooLong(rate int, most int64) error {
	return fmt.Errorf("longer than %s, the most that is read at once at %d Hz: cut it into pieces first, "+
		"for instance with ffmpeg -i INPUT -f segment -segment_time 1800 part%%03d.wav",
		samplesDuration(most, rate).Round(time.Second), rate)
}

// pathCause takes the path and the system call off an error, which names the path already.
func pathCause(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
