package run

import (
	"bytes"
	"errors"
	"io"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/atomicfile"
	"github.com/starvc/vc/internal/plot"
)

// Sample is one recording that went through what is trained, beside others to compare it with.
type Sample struct {
	Title   string
	File    string        // what the names of its files begin with
	Kind    string        // what its own sound is, for TensorBoard: "copy"
	Name    string        // for TensorBoard
	Brief   string        // for a sentence
	Fault   string        // what is wrong with it, see Fault; empty for nothing
	Sounds  []Sound       // its own first; empty where it made none
	Mels    []byte        // PNG of the spectrograms
	Shown   string        // what they are of, for who cannot see them
	Spectra []byte        // PNG of the long-term spectra
	curves  []plot.Series // of Spectra
}

// Sound is a recording to listen to.
type Sound struct {
	Label         string
	WAV           []byte
	Rate, Samples int
}

// shownSeconds bounds the recordings that are put beside a sample's own sound.
const shownSeconds = 12

// Add puts a recording into the sample: all of the first, which is its own, and the beginning of the others.
func (s *Sample) Add(label string, clip audio.Clip) error {
	s.curves = append(s.curves, spectrum(label, clip))
	if len(s.Sounds) > 0 {
		clip.Samples = clip.Samples[:min(len(clip.Samples), shownSeconds*clip.Rate)]
	}
	var b bytes.Buffer
	if err := audio.EncodeWAV(&b, clip); err != nil {
		return err
	}
	s.Sounds = append(s.Sounds, Sound{Label: label, WAV: b.Bytes(), Rate: clip.Rate, Samples: len(clip.Samples)})
	return nil
}

// Draw makes the pictures: panels, of what shown says, and the spectra of the sounds that were added.
func (s *Sample) Draw(panels []plot.Mel, shown string) error {
	var mels, curves bytes.Buffer
	spectra := plot.Chart{Title: "Long-term spectra", XLabel: "Hz", YLabel: "dB", Series: s.curves}
	err := errors.Join(plot.Mels(&mels, panels, plot.MelOptions{}), plot.Lines(&curves, []plot.Chart{spectra}, plot.LineOptions{}))
	s.Mels, s.Shown, s.Spectra = mels.Bytes(), shown, curves.Bytes()
	return err
}

// Write writes the sample's own sound and its pictures to files whose names begin with name.
func (s *Sample) Write(name string) error {
	for _, f := range []struct {
		ending string
		data   []byte
	}{{".wav", s.Sounds[0].WAV}, {"-spectra.png", s.Spectra}, {".png", s.Mels}} {
		err := atomicfile.Write(name+f.ending, func(w io.Writer) error {
			_, err := w.Write(f.data)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Show hands the sample to TensorBoard, as a picture "mel/NAME" and a sound "KIND/NAME".
func (s *Sample) Show(b *Board, step int) {
	b.Picture(step, "mel/"+s.Name, s.Mels)
	if len(s.Sounds) > 0 {
		b.Sound(step, s.Kind+"/"+s.Name, s.Sounds[0].WAV, s.Sounds[0].Rate, s.Sounds[0].Samples)
	}
}

// spectrum is the curve of a recording's long-term spectrum, up to the 8 kHz that matter in speech.
func spectrum(name string, clip audio.Clip) plot.Series {
	s := plot.Series{Name: name}
	for _, p := range features.LongTermSpectrum(clip.Samples, clip.Rate) {
		if p.Hz <= 8000 {
			s.X, s.Y = append(s.X, p.Hz), append(s.Y, p.DB)
		}
	}
	return s
}

// Turns picks up to n recordings, of the speakers in turn: of each first the held-out ones, then others, and none twice from either.
func Turns[T any](n, speakers int, speaker func(T) int, held, others []T) []T {
	var chosen []T
	for round := 0; round < n && len(chosen) < n; round++ {
		for s := range speakers {
			if u, ok := Nth(held, speaker, s, round); ok {
				chosen = append(chosen, u)
			} else if u, ok := Nth(others, speaker, s, round); ok {
				chosen = append(chosen, u)
			}
			if len(chosen) == n {
				break
			}
		}
	}
	return chosen
}

// Nth is a speaker's recording number n, from 0.
func Nth[T any](us []T, speaker func(T) int, s, n int) (u T, ok bool) {
	for _, u := range us {
		if speaker(u) == s {
			if n == 0 {
				return u, true
			}
			n--
		}
	}
	return u, false
}
