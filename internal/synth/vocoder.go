// Package synth chooses among the ways from log-mel frames to sound that package vocoder has, finds the weights that the neural
// one needs, and makes sound of whole recordings with any of them.
package synth

import (
	"fmt"

	"github.com/starvc/vc/features"
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

// Choose settles which vocoder a name means for conversions to frames of that configuration, "" the best there is, and gives the
// weights it needs, for which it calls net. It is a *NetError if there are none.
func Choose(name Vocoder, f features.Config, net func() (*vocoder.Net, error)) (Vocoder, *vocoder.Net, error) {
	if name != "" && name != Neural {
		return name, nil, nil
	}
	n, err := net()
	switch {
	case err != nil:
		return "", nil, err
	case n != nil:
		return Neural, n, nil
	case name == "":
		return SourceFilter, nil, nil
	}
	return "", nil, errNoNet(Neural, f)
}

func errNoNet(v Vocoder, f features.Config) error {
	return &NetError{fmt.Errorf("vocoder %q: there are no weights for it: neither the model nor this program holds any for sound of %d Hz", v,
		f.SampleRate)}
}

// NewLive makes one of LiveVocoders for the frames of a conversion, as they come. net is for Neural. passes is how often Neural and
// SourceFilter go over their result, two frames of latency each, and the iterations that RTISI makes per frame.
func NewLive(cfg features.Config, v Vocoder, net *vocoder.Net, passes int) (FrameVocoder, error) {
	return frameMaker{cfg: cfg, vocoder: v, net: net, seed: noiseSeed, made: true, passes: passes, iterations: passes}.make()
}

// frameMaker is what makes a FrameVocoder.
type frameMaker struct {
	cfg     features.Config
	vocoder Vocoder
	net     *vocoder.Net // of Neural
	seed    uint64       // of Neural and SourceFilter
	made    bool         // see Options

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
