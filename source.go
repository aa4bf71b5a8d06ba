package vc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

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

// FixedSource is a voice whose mean pitch is known, in Hz, 20 to 2000, and its spread in semitones, 0.3 to 24, or 0 where that is not
// known. It stays whatever is heard.
func FixedSource(meanHz, spreadSemitones float64) (Source, error) {
	switch {
	case !(meanHz >= minSourceHz && meanHz <= maxSourceHz):
		return Source{}, fmt.Errorf("source: mean pitch of %g Hz, want %d to %d Hz", meanHz, minSourceHz, maxSourceHz)
	case spreadSemitones != 0 && !(spreadSemitones >= minSourceSpread && spreadSemitones <= maxSourceSpread):
		return Source{}, fmt.Errorf("source: spread of %g semitones, want %g to %d semitones", spreadSemitones, minSourceSpread, maxSourceSpread)
	}
	return Source{Pitch: features.Pitch{Mean: math.Log(meanHz), Std: spreadSemitones * math.Ln2 / 12}, Fixed: true}, nil
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

// ErrNotSource says that what was read is no source's profile at all.
var ErrNotSource = errors.New("not a source profile")

// ReadSource reads what Write has written.
func ReadSource(r io.Reader) (Source, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSourceFile+1))
	if err != nil {
		return Source{}, err
	}
	var f sourceFile
	if len(text) > maxSourceFile || json.Unmarshal(text, &f) != nil || f.Format != sourceFormat {
		return Source{}, ErrNotSource
	}
	switch {
	case f.Version != sourceVersion:
		return Source{}, fmt.Errorf("source profile: version %d, this program reads %d: make it again", f.Version, sourceVersion)
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
