package vc

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/atomicfile"
)

const (
	voiceFormat  = "starvc-voice"
	voiceVersion = 1

	maxVoiceBytes  = 1 << 18
	maxOriginBytes = 1 << 10
	spaceBytes     = 16 // of the hash
)

// VoiceFile is what a saved voice holds, as JSON. Styles mean something to one model only; Space says to which.
type VoiceFile struct {
	Format    string    `json:"format"`
	Version   int       `json:"version"`
	Origin    string    `json:"origin"`            // a line for people: how the voice came about
	Consent   []Consent `json:"consent,omitempty"` // of the people it was made from, as far as it was said; at most 64
	Space     string    `json:"space"`             // Model.StyleSpace
	LogF0Mean float64   `json:"logF0Mean"`
	LogF0Std  float64   `json:"logF0Std"`
	Formant   float64   `json:"formant"` // semitones
	Style     []float32 `json:"style"`   // [styleDim]
}

// ErrNotVoice says that what was read is no saved voice at all.
var ErrNotVoice = errors.New("not a saved voice")

// ErrOtherModel says that a saved voice was made with another model, to which the same numbers mean another voice.
var ErrOtherModel = errors.New("this voice was saved with another model, and its numbers mean nothing to this one")

// VoiceFile makes the content of a file of voice v, which is one of m's, with its consents. What is no line of text in origin is made one.
func (m *Model) VoiceFile(v Voice, origin string) (VoiceFile, error) {
	if err := v.check(m.networks); err != nil {
		return VoiceFile{}, err
	}
	f := VoiceFile{
		Format: voiceFormat, Version: voiceVersion, Origin: oneLine(origin), Consent: v.Consent,
		Space: m.StyleSpace(), LogF0Mean: v.LogF0.Mean, LogF0Std: v.LogF0.Std, Formant: v.Formant, Style: v.Style,
	}
	return f, f.check()
}

// oneLine makes text fit for an origin.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	text = strings.Join(strings.Fields(text), " ")
	return strings.ToValidUTF8(text[:min(len(text), maxOriginBytes)], "")
}

// LoadVoice reads a file that Save has written. An error names the path.
func LoadVoice(path string) (VoiceFile, error) {
	file, err := os.Open(path)
	if err != nil {
		return VoiceFile{}, err
	}
	defer file.Close()
	f, err := ReadVoice(file)
	if err != nil {
		return VoiceFile{}, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Save writes a file, under a temporary name first: on any error what was at path before is still there.
func (f VoiceFile) Save(path string) error { return atomicfile.Write(path, f.Write) }

// Write encodes the file.
func (f VoiceFile) Write(w io.Writer) error {
	text, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return fmt.Errorf("voice: %w", err)
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// ReadVoice decodes and checks what Write has written. Whether it fits a model is seen by Voice.
func ReadVoice(r io.Reader) (VoiceFile, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxVoiceBytes+1))
	if err != nil {
		return VoiceFile{}, err
	}
	var kind struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if len(text) > maxVoiceBytes || json.Unmarshal(text, &kind) != nil || kind.Format != voiceFormat {
		return VoiceFile{}, ErrNotVoice
	}
	if kind.Version != voiceVersion {
		return VoiceFile{}, fmt.Errorf("saved voice of version %d, this program reads %d: update the program or make it again", kind.Version, voiceVersion)
	}
	var f VoiceFile
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return VoiceFile{}, fmt.Errorf("saved voice: %w", err)
	}
	return f, f.check()
}

func (f VoiceFile) check() error {
	v := f.voice()
	switch {
	case len(f.Style) == 0:
		return errors.New("saved voice: holds no style")
	case !allFinite(v.Style) || math.Abs(f.LogF0Mean) > 20 || !(f.LogF0Std >= 0 && f.LogF0Std <= 20):
		return fmt.Errorf("saved voice: log-F0 %g +- %g or the style is out of all measure", f.LogF0Mean, f.LogF0Std)
	case len(f.Origin) > maxOriginBytes || !utf8.ValidString(f.Origin) || strings.ContainsFunc(f.Origin, unicode.IsControl):
		return errors.New("saved voice: the origin is not a line of text")
	case len(f.Space) != 2*spaceBytes:
		return fmt.Errorf("saved voice: style space %q, want %d hexadecimal digits", f.Space, 2*spaceBytes)
	}
	if err := checkConsents(f.Consent); err != nil {
		return fmt.Errorf("saved voice: %w", err)
	}
	if err := checkFormant(f.Formant); err != nil {
		return fmt.Errorf("saved voice: %w", err)
	}
	return nil
}

func (f VoiceFile) voice() Voice {
	return Voice{Style: f.Style, LogF0: features.Pitch{Mean: f.LogF0Mean, Std: f.LogF0Std}, Formant: f.Formant, Consent: f.Consent}
}

// Voice makes the voice of the file ready for use with m, the model that it was made with. With another one the error is
// [ErrOtherModel].
func (f VoiceFile) Voice(m *Model) (Voice, error) {
	if f.Space != m.StyleSpace() {
		return Voice{}, ErrOtherModel
	}
	v := f.voice()
	return v, v.check(m.networks)
}

// StyleSpace tells models apart to which the same [Voice.Style] means different voices: a fingerprint, 32 hexadecimal digits, of the
// weights that styles pass through. It is the same for a model stored with full and with half precision.
func (m *Model) StyleSpace() string {
	h := sha256.New()
	var buf []byte
	for _, p := range m.networks.Config.GeneratorParams() {
		if !strings.Contains(p.Name, ".ada.") {
			continue
		}
		buf = append(buf[:0], p.Name...)
		for _, n := range p.Shape {
			buf = binary.LittleEndian.AppendUint32(buf, uint32(n))
		}
		for _, v := range m.networks.Tensor(p.Name) {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(roundToHalf(v)))
		}
		h.Write(buf)
	}
	return hex.EncodeToString(h.Sum(nil)[:spaceBytes])
}

// roundToHalf rounds to what IEEE 754 binary16 can hold, nearest even, but for its upper bound.
func roundToHalf(v float32) float32 {
	const leastNormal, step = 1.0 / (1 << 14), 1.0 / (1 << 24)
	if math.Abs(float64(v)) < leastNormal {
		return float32(math.RoundToEven(float64(v)/step) * step)
	}
	b := math.Float32bits(v)
	return math.Float32frombits((b + 0xfff + b>>13&1) &^ 0x1fff)
}
