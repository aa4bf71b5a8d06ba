// Package vc changes voices: it says what somebody said in the voice of somebody else, in recordings and in sound that is still
// arriving, in pure Go, on a CPU.
//
//	model, err := vc.Base()                                      // the voices that come with the package
//	voice, err := model.Voice("lj")                              // one of them
//	in, err := audio.ReadFile("in.wav")                          // any rate, any number of channels
//	out, err := model.Convert(ctx, in, voice, vc.Options{})      // out.Clip is as long as in
//	err = audio.WriteFile("out.wav", out.Clip)
//
// A [Model] holds voices and the networks that speak in them: [Open] reads one from a file, [Base] gives the one inside the
// package. A [Voice] is what speech is turned into. It is one of the model's own ([Model.Voice]), that of a recording
// ([Model.LikeVoice]), a random one ([Model.RandomVoice]), a mixture of others ([Mix]), or one that was saved ([LoadVoice]).
// [Model.Convert] converts a recording that fits into memory, [Conversion] one of any length, and a [Stream] sound that is still
// arriving. Sample k of the output belongs to sample k of the input, and there are as many of them at equal rates, unless [Options] ask for
// another tempo; a Stream gives them out later, by [Stream.Latency].
//
// How it works: speech is analysed into frames of 10 ms, each a log-mel spectrum, a pitch and an energy. The pitch is moved from
// the speaker's range into the voice's. A generator turns the spectrum into what the voice would have had, and a vocoder makes
// sound of both (StarGAN v2, Choi et al. 2020, in a causal form; see packages features, gan and vocoder).
//
// Sound is mono, float32, in [-1, 1]; package audio reads and writes files of it. A Model is immutable and may be used by several
// goroutines at once; a Stream and a Conversion are for one at a time.
package vc

import (
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/base"
	"github.com/starvc/vc/internal/synth"
	"github.com/starvc/vc/vocoder"
)

// Model is a set of voices with the networks that speak in them. It is immutable and may be used by several goroutines at once.
type Model struct {
	networks  *gan.Model
	net       func() (*vocoder.Net, error)   // see synth.FindNet
	generator func() (*gan.Generator, error) // with all of its look-ahead; never run itself, only forked
	meanStyle func() []float64               // of all speakers, [styleDim]
	unmarked  bool
}

// Open reads a model from a file, as its training writes it. A file that is cut short, damaged in any bit, of another kind or of
// a later version is an error that begins with the path.
func Open(path string) (*Model, error) {
	m, err := gan.Load(path)
	if err != nil {
		return nil, err
	}
	return New(m), nil
}

// Read is Open for any source of bytes.
func Read(r io.Reader) (*Model, error) {
	m, err := gan.Read(r)
	if err != nil {
		return nil, err
	}
	return New(m), nil
}

// Base is the model inside the package. Each call decodes it anew. It is an error if the package was built without one.
func Base() (*Model, error) {
	r, err := base.Open(base.Voices)
	if err != nil {
		return nil, err
	}
	m, err := Read(r)
	if err != nil {
		return nil, fmt.Errorf("the model inside the program: %w", err)
	}
	return m, nil
}

// New makes a model of networks at hand, which must not change any more.
func New(networks *gan.Model) *Model {
	return &Model{
		networks: networks,
		net:      sync.OnceValues(func() (*vocoder.Net, error) { return synth.FindNet(networks) }),
		generator: sync.OnceValues(func() (*gan.Generator, error) {
			return gan.NewGenerator(networks, networks.Config.StemFuture)
		}),
		meanStyle: sync.OnceValue(func() []float64 {
			mean := make([]float64, networks.Config.StyleDim)
			for i := range networks.Speakers {
				for k, s := range networks.Style(i) {
					mean[k] += float64(s) / float64(len(networks.Speakers))
				}
			}
			return mean
		}),
	}
}

// Unmarked is the model without the mark that says of all that it converts that it was converted (see package mark). Whoever passes
// such speech on should say so by other means; in the European Union the law asks for it.
func (m *Model) Unmarked() *Model {
	n := *m
	n.unmarked = true
	return &n
}

// Networks is what the model was made of, not to be changed.
func (m *Model) Networks() *gan.Model { return m.networks }

// Features is how the model sees sound. Its SampleRate, in Hz, is that of all that Convert makes.
func (m *Model) Features() features.Config { return m.networks.Features }

// Voices are the model's own voices: what each is called, its pitch, and a line about it. The slice belongs to the caller.
func (m *Model) Voices() []gan.SpeakerInfo { return slices.Clone(m.networks.Speakers) }
