package convert

import (
	"errors"
	"fmt"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/base"
	"github.com/starvc/vc/vocoder"
)

// Vocoder names a way from log-mel frames to sound.
type Vocoder string

const (
	Neural       Vocoder = "neural"        // driven by F0 and learnt from recordings, best; needs weights
	SourceFilter Vocoder = "source-filter" // driven by F0, best of those that need no weights
	GriffinLim   Vocoder = "griffin-lim"   // fast Griffin-Lim, whole recordings only; does not know the pitch
	RTISI        Vocoder = "rtisi"         // nor does this

	// Refined is Neural, and then Griffin-Lim with what that made to begin with. It holds on to the fine structure of the frames,
	// and so it is for those of recordings, not for conversions.
	Refined Vocoder = "refined"
)

// Vocoders are the names that a user can choose from for conversions.
func Vocoders() []Vocoder { return []Vocoder{Neural, SourceFilter, GriffinLim, RTISI} }

// CopyVocoders are those for a recording's own frames.
func CopyVocoders() []Vocoder { return append([]Vocoder{Refined}, Vocoders()...) }

// LiveVocoders are those of them that a stream can use.
func LiveVocoders() []Vocoder { return []Vocoder{Neural, SourceFilter, RTISI} }

// FrameVocoder makes sound of frames as they come; see the types of package vocoder.
type FrameVocoder interface {
	Process(dst, logMel, f0 []float32) []float32
	FlushTo(dst []float32, samples int) []float32
	Reset()
	Latency() int
}

// rtisi is an RTISI that leaves F0 aside.
type rtisi struct{ *vocoder.RTISI }

func (r rtisi) Process(dst, logMel, _ []float32) []float32 { return r.RTISI.Process(dst, logMel) }

// noiseSeed makes a recording sound the same each time.
const noiseSeed = 1

// FindNet gives the neural vocoder for a model: its own, or that of the program if it understands the model's frames; nil
// if there is neither. It is an error if the model has one that cannot be used.
func FindNet(m *gan.Model) (*vocoder.Net, error) {
	if p := m.Vocoder(); p != nil {
		n, err := netOf(p, m.Features)
		if err != nil {
			return nil, fmt.Errorf("the model's own vocoder: %w; --vocoder %s does without it", err, SourceFilter)
		}
		return n, nil
	}
	n, err := BaseNet()
	if err != nil || n == nil || n.Features() != m.Features {
		return nil, err
	}
	return n, nil
}

// BaseNet is the neural vocoder that comes with the program, nil if it was built without.
func BaseNet() (*vocoder.Net, error) {
	if !base.Has(base.Vocoder) {
		return nil, nil
	}
	r, err := base.Open(base.Vocoder)
	if err != nil {
		return nil, err
	}
	return vocoder.ReadNet(r)
}

func netOf(p *gan.VocoderPart, f features.Config) (*vocoder.Net, error) {
	cfg, err := vocoder.ParseNetConfig(p.Config)
	if err != nil {
		return nil, err
	}
	if cfg.Features != f {
		return nil, errors.New("it was trained for other features than the model's: train it again for this model")
	}
	return vocoder.NewNet(cfg, p.Tensor)
}

// LoadNet reads the neural vocoder in a file: one that its training wrote, or a voice model that has its own.
func LoadNet(path string) (*vocoder.Net, error) {
	n, err := vocoder.LoadNet(path)
	if err == nil {
		return n, nil
	}
	m, modelErr := gan.Load(path)
	if modelErr != nil {
		return nil, err
	}
	if m.Vocoder() == nil {
		return nil, fmt.Errorf("%s: this voice model has no vocoder of its own", path)
	}
	return FindNet(m)
}

// WithNet is the model with a neural vocoder of its own, that of the file net, as its training writes it.
func WithNet(m *gan.Model, net string) (*gan.Model, error) {
	cfg, tensors, err := vocoder.LoadWeights(net)
	if err != nil {
		return nil, err
	}
	config, err := cfg.JSON()
	if err != nil {
		return nil, err
	}
	p := &gan.VocoderPart{Config: config}
	for _, w := range cfg.Params() {
		p.Weights = append(p.Weights, gan.Weight{Name: w.Name, Shape: w.Shape, Data: tensors[w.Name]})
	}
	if _, err := netOf(p, m.Features); err != nil {
		return nil, fmt.Errorf("vocoder %s: %w", net, err)
	}
	return m.WithVocoder(p)
}

// choose settles which vocoder a name means for a model, "" the best there is, and finds the weights it needs.
func choose(name Vocoder, m *gan.Model) (Vocoder, *vocoder.Net, error) {
	if name != "" && name != Neural {
		return name, nil, nil
	}
	n, err := FindNet(m)
	switch {
	case err != nil:
		return "", nil, err
	case n != nil:
		return Neural, n, nil
	case name == "":
		return SourceFilter, nil, nil
	}
	return "", nil, errNoNet(Neural, m.Features)
}

func errNoNet(v Vocoder, f features.Config) error {
	return fmt.Errorf("vocoder %q: there are no weights for it: neither the model nor this program holds any for sound of %d Hz; "+
		"use --vocoder %s", v, f.SampleRate, SourceFilter)
}

// NewVocoder makes the vocoder that o asks for, for frames of the model.
func (o StreamOptions) NewVocoder(m *gan.Model) (FrameVocoder, error) {
	name, net, err := choose(o.Vocoder, m)
	if err != nil {
		return nil, err
	}
	return frameMaker{
		cfg: m.Features, vocoder: name, net: net, seed: noiseSeed, made: true,
		passes: o.VocoderPasses, lookAhead: o.VocoderLookAhead, iterations: o.VocoderIterations,
	}.make()
}

// frameMaker is what makes a FrameVocoder.
type frameMaker struct {
	cfg     features.Config
	vocoder Vocoder
	net     *vocoder.Net // of Neural
	seed    uint64       // of Neural and SourceFilter
	made    bool         // see SynthesisOptions

	passes                int // of Neural and SourceFilter
	lookAhead, iterations int // of RTISI
}

func (o frameMaker) make() (FrameVocoder, error) {
	switch o.vocoder {
	case Neural:
		s, err := o.net.NewPolishedStream(o.seed, o.passes)
		if err != nil {
			return nil, err
		}
		s.EnvelopeOnly(o.made)
		return s, nil
	case SourceFilter:
		return vocoder.NewPolishedSourceFilter(o.cfg, o.seed, o.passes)
	case RTISI:
		r, err := vocoder.NewRTISI(o.cfg, o.lookAhead, o.iterations)
		if err != nil {
			return nil, err
		}
		return rtisi{r}, nil
	}
	return nil, fmt.Errorf("vocoder %q cannot be used live, these can: %q", o.vocoder, LiveVocoders())
}
