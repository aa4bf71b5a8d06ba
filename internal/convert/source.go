package convert

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/starvc/vc/features"
)

// Melody says what becomes of the source's intervals.
type Melody string

const (
	Fit  Melody = "fit"  // the source's mean and spread become the target's: a lively voice speaks lively
	Keep Melody = "keep" // only the mean is moved, a semitone stays a semitone: for singing
)

// Melodies are all that can be asked for.
func Melodies() []Melody { return []Melody{Fit, Keep} }

func (m Melody) check() error {
	if m != "" && m != Fit && m != Keep {
		return fmt.Errorf("melody %q is not known, known are %q", m, Melodies())
	}
	return nil
}

// Source is what is known of the pitch of the voice that is to be converted, before any of it is heard. The zero value is nothing.
type Source struct {
	Pitch features.Pitch // Std is 0 where the spread is not known
	Fixed bool           // what is known stays, whatever is heard; else it gives way to what is heard
	// Frames is how many voiced frames of 10 ms have shown it, where it is not fixed.
	Frames float64
}

// The range of a source's mean, and of its spread in semitones.
const (
	minSourceHz, maxSourceHz         = 20, 2000
	minSourceSpread, maxSourceSpread = 0.3, 24
)

// ParseSource reads a mean in Hz and, after a comma, a spread in semitones, such as "180" or "180,2.5". Both are fixed.
func ParseSource(text string) (Source, error) {
	mean, spread, both := strings.Cut(text, ",")
	hz, err := strconv.ParseFloat(strings.TrimSpace(mean), 64)
	if err != nil || !(hz >= minSourceHz && hz <= maxSourceHz) {
		return Source{}, fmt.Errorf("source pitch %q: want the mean pitch of your voice in Hz, %d to %d, and after a comma its spread in semitones if "+
			"known, as in 180,2.5", text, minSourceHz, maxSourceHz)
	}
	s := Source{Pitch: features.Pitch{Mean: math.Log(hz)}, Fixed: true}
	if !both {
		return s, nil
	}
	semitones, err := strconv.ParseFloat(strings.TrimSpace(spread), 64)
	if err != nil || !(semitones >= minSourceSpread && semitones <= maxSourceSpread) {
		return Source{}, fmt.Errorf("source pitch %q: the spread is %q, want %g to %d semitones", text, spread, minSourceSpread, maxSourceSpread)
	}
	s.Pitch.Std = semitones * math.Ln2 / 12
	return s, nil
}

// of is the pitch of a recording's voice, which is to be turned into v.
func (s Source) of(f0 []float32, v Voice) features.Pitch {
	if s.Pitch == (features.Pitch{}) {
		return features.MeasureSource(f0, v.LogF0.Std)
	}
	var r features.RunningPitch
	r.Expect(v.LogF0.Std)
	s.start(&r)
	for _, hz := range f0 {
		r.Add(hz)
	}
	return r.Pitch()
}

// start makes r begin with what is known.
func (s Source) start(r *features.RunningPitch) {
	if s.Pitch == (features.Pitch{}) {
		r.Reset()
		return
	}
	mean := s.Frames
	if s.Fixed {
		mean = math.Inf(1)
	}
	spread := mean
	if s.Pitch.Std == 0 {
		spread = 0
	}
	r.Start(s.Pitch, mean, spread)
}

// heardSource is what r has learnt, to begin another stream with.
func heardSource(r *features.RunningPitch) Source {
	return Source{Pitch: r.Pitch(), Frames: r.Frames()}
}

const (
	sourceFormat  = "starvc-source"
	sourceVersion = 1
	maxSourceFile = 1 << 16
)

// sourceFile is a saved profile of a voice.
type sourceFile struct {
	Format          string  `json:"format"`
	Version         int     `json:"version"`
	PitchHz         float64 `json:"pitchHz"`
	SpreadSemitones float64 `json:"spreadSemitones"`
	VoicedSeconds   float64 `json:"voicedSeconds"` // that have shown it, a minute at most
}

// minSourceSeconds is how much voice a profile must rest on.
const minSourceSeconds = 1

// Write writes a profile, some lines of JSON. A source that little was heard of is an error.
func (s Source) Write(w io.Writer) error {
	seconds := s.Frames / 100
	if seconds < minSourceSeconds {
		return fmt.Errorf("source profile: %.1f s of voice were heard, want %d at least: speak some sentences", seconds, minSourceSeconds)
	}
	text, err := json.MarshalIndent(sourceFile{
		Format: sourceFormat, Version: sourceVersion, VoicedSeconds: math.Round(10*seconds) / 10,
		PitchHz: math.Round(100*math.Exp(s.Pitch.Mean)) / 100, SpreadSemitones: math.Round(1000*s.Pitch.Std*12/math.Ln2) / 1000,
	}, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// ReadSource reads what Write has written.
func ReadSource(r io.Reader) (Source, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSourceFile+1))
	if err != nil {
		return Source{}, err
	}
	var f sourceFile
	if len(text) > maxSourceFile || json.Unmarshal(text, &f) != nil || f.Format != sourceFormat {
		return Source{}, errors.New("not a source profile: make one with vc stream --save-profile FILE")
	}
	switch {
	case f.Version != sourceVersion:
		return Source{}, fmt.Errorf("source profile: version %d, this program reads %d: make it again with --save-profile", f.Version, sourceVersion)
	case !(f.PitchHz >= minSourceHz && f.PitchHz <= maxSourceHz):
		return Source{}, fmt.Errorf("source profile: pitchHz is %g, want %d to %d", f.PitchHz, minSourceHz, maxSourceHz)
	case !(f.SpreadSemitones >= minSourceSpread && f.SpreadSemitones <= maxSourceSpread):
		return Source{}, fmt.Errorf("source profile: spreadSemitones is %g, want %g to %d", f.SpreadSemitones, minSourceSpread, maxSourceSpread)
	case !(f.VoicedSeconds >= minSourceSeconds && f.VoicedSeconds <= 1e6):
		return Source{}, fmt.Errorf("source profile: voicedSeconds is %g, want %d or more", f.VoicedSeconds, minSourceSeconds)
	}
	return Source{
		Pitch:  features.Pitch{Mean: math.Log(f.PitchHz), Std: f.SpreadSemitones * math.Ln2 / 12},
		Frames: min(100*f.VoicedSeconds, features.RunningPitchFrames),
	}, nil
}
