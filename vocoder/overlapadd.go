package vocoder

import "github.com/starvc/vc/features"

// overlapAdd joins frames to a signal, hop by hop: windowed, added up and divided by the sum of the squared windows.
type overlapAdd struct {
	window []float64 // [WinLength]
	hop    int
	least  float64 // divisor

	sum    []float64 // [WinLength] from the first sample of the newest frame's window on
	weight []float64 // as sum: the squared windows
	frame  []float64 // [WinLength] scratch for whoever makes frames
	start  int       // where the span begins in the signal, negative at first
}

func newOverlapAdd(cfg features.Config, window []float64) overlapAdd {
	n := cfg.WinLength
	return overlapAdd{
		window: window, hop: cfg.Hop, least: leastWeight(window, cfg.Hop),
		sum: make([]float64, n), weight: make([]float64, n), frame: make([]float64, n),
	}
}

// reset makes the span begin that many samples before the signal.
func (o *overlapAdd) reset(before int) {
	clear(o.sum)
	clear(o.weight)
	o.start = -before
}

// count says that there is a frame, be it silent.
func (o *overlapAdd) count() {
	for i, w := range o.window {
		o.weight[i] += w * w
	}
}

// add adds a frame that has been counted.
func (o *overlapAdd) add(frame []float64) {
	for i, w := range o.window {
		o.sum[i] += w * frame[i]
	}
}

// estimate turns a frame that has been counted but not added into the signal as it would be with it.
func (o *overlapAdd) estimate(frame []float64) {
	for i, w := range o.window {
		if o.start+i < 0 {
			frame[i] = 0 // nothing sounds before the beginning
			continue
		}
		frame[i] = (o.sum[i] + w*frame[i]) / max(o.weight[i], o.least)
	}
}

// advance writes the samples that no later frame will touch to dst, [hop], and moves the span on. Before the beginning
// of the signal they are zero.
func (o *overlapAdd) advance(dst []float64) {
	for i := range dst {
		dst[i] = 0
		if o.start+i >= 0 {
			dst[i] = o.sum[i] / max(o.weight[i], o.least)
		}
	}
	o.start += o.hop
	for _, s := range [][]float64{o.sum, o.weight} {
		copy(s, s[o.hop:])
		clear(s[len(s)-o.hop:])
	}
}
