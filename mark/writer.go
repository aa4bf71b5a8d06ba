package mark

import (
	"math"

	"github.com/starvc/vc/features"
)

// depthDB is by how much a place is louder or softer than it was.
const depthDB = 1.0

// Writer marks log-mel frames on their way to the vocoder, so that the mark costs no time and no delay. It is for one stream. A nil
// Writer marks nothing.
type Writer struct {
	up    float32   // depth in units of normalised log-mels
	signs []float32 // [places]
	next  int       // frame within the block
}

// NewWriter makes a Writer for frames of a configuration that features.ConfigForRate gives, whose lower bands and hop are the same at
// any rate. For others there is no mark, and the Writer is nil.
func NewWriter(cfg features.Config, info Info) *Writer {
	if known, err := features.ConfigForRate(cfg.SampleRate); err != nil || known.Hop != cfg.Hop || known.NMels != cfg.NMels ||
		known.FMinHz != cfg.FMinHz || known.FMaxHz != cfg.FMaxHz {
		return nil
	}
	w := &Writer{up: float32(depthDB * math.Ln10 / 20 / cfg.MelScale), signs: make([]float32, places)}
	w.Set(info)
	return w
}

// Set changes what the mark says from the next frame on. It does not allocate.
func (w *Writer) Set(info Info) {
	if w != nil {
		keyed().block(w.signs, info)
	}
}

// Reset begins a new stream.
func (w *Writer) Reset() {
	if w != nil {
		w.next = 0
	}
}

// Skip counts a frame that stays as it is, such as a silent one.
func (w *Writer) Skip() {
	if w != nil {
		w.next = (w.next + 1) % blockFrames
	}
}

// Frame marks the next frame, a normalised log-mel, [NMels], in place.
func (w *Writer) Frame(logMel []float32) {
	if w == nil {
		return
	}
	row := w.signs[w.next/cellFrames*groups:][:groups]
	w.Skip()
	for g, sign := range row {
		for i := range logMel[firstBand+g*cellBands:][:cellBands] {
			logMel[firstBand+g*cellBands+i] += w.up * sign
		}
	}
}
