package train

import (
	"fmt"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/vocoder"
)

// widen makes the weights of a vocoder fit features of a higher sample rate, whose bands up to 8 kHz are the same: up to 8 kHz it then
// gives the sound that it gave before. It does not hear the bands above that yet, and the bins above take the gain and phase of the
// highest ones that it knows, so what they hold is the excitation under the envelope of those bands: a good place to learn on from.
func widen(net *vocoder.Net, to features.Config) (*vocoder.Net, error) {
	from := net.Features()
	if from == to {
		return net, nil
	}
	if !features.SameSpeech(from, to) || from.HasUpper() || !to.HasUpper() {
		return nil, fmt.Errorf("the vocoder has sound of %d Hz, which does not go over into %d Hz", from.SampleRate, to.SampleRate)
	}
	narrow, wide := net.Config(), net.Config()
	wide.Features = to
	weights := make(map[string][]float32)
	for _, p := range wide.Params() {
		data := net.Tensor(p.Name)
		switch p.Name {
		case "voc.stem.w":
			data = widenStem(narrow, wide, data)
		case "voc.head.w", "voc.head.b":
			data = widenHead(narrow, wide, data)
		}
		weights[p.Name] = data
	}
	return vocoder.NewNet(wide, net.Trained(), weights)
}

// widenStem takes the stem's rows [Inputs, Width] to their new places: three groups of mel bands, then what tells of the pitch.
func widenStem(net, wide vocoder.NetConfig, rows []float32) []float32 {
	w, n, m := net.Width, net.Features.NMels, wide.Features.NMels
	out := make([]float32, wide.Inputs()*w)
	for group := range 3 {
		copy(out[group*m*w:], rows[group*n*w:(group+1)*n*w])
	}
	copy(out[3*m*w:], rows[3*n*w:])
	return out
}

// The bins above take the mean of these, which are counted down from the highest bin: recordings of 16 kHz fade out above them.
const (
	knownFrom = 64 // 6 kHz
	knownTo   = 24 // 7.25 kHz
)

// widenHead takes the head's columns [rows, 4*bins] to their new places, any number of rows.
func widenHead(net, wide vocoder.NetConfig, data []float32) []float32 {
	n, m := net.Features.Bins(), wide.Features.Bins()
	rows := len(data) / net.Outputs()
	out := make([]float32, rows*wide.Outputs())
	for r := range rows {
		for part := range 4 {
			old, fresh := data[r*4*n+part*n:][:n], out[r*4*m+part*m:][:m]
			var mean float32
			for _, v := range old[n-knownFrom : n-knownTo] {
				mean += v / (knownFrom - knownTo)
			}
			copy(fresh, old[:n-1]) // the highest bin had no part in the sound
			for k := n - 1; k < m; k++ {
				fresh[k] = mean
			}
		}
	}
	return out
}
