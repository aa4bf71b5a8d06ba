package convert

import (
	"fmt"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/vocoder"
)

// Vocoder names a way from log-mel frames to sound.
type Vocoder string

const (
	SourceFilter Vocoder = "source-filter" // driven by F0, best
	GriffinLim   Vocoder = "griffin-lim"   // fast Griffin-Lim, whole recordings only; does not know the pitch
	RTISI        Vocoder = "rtisi"         // nor does this
)

// Vocoders are the names that a user can choose from.
func Vocoders() []Vocoder { return []Vocoder{SourceFilter, GriffinLim, RTISI} }

// LiveVocoders are those of them that a stream can use.
func LiveVocoders() []Vocoder { return []Vocoder{SourceFilter, RTISI} }

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

// NewVocoder makes the vocoder that o asks for.
func (o StreamOptions) NewVocoder(cfg features.Config) (FrameVocoder, error) {
	switch o.Vocoder {
	case SourceFilter, "":
		return vocoder.NewPolishedSourceFilter(cfg, noiseSeed, o.VocoderPasses)
	case RTISI:
		r, err := vocoder.NewRTISI(cfg, o.VocoderLookAhead, o.VocoderIterations)
		return rtisi{r}, err
	}
	return nil, fmt.Errorf("vocoder %q cannot be used live, these can: %q", o.Vocoder, LiveVocoders())
}
