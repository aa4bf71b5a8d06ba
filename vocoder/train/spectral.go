package train

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/features"
)

// spectralWindows are the window lengths, in samples, of the multi-resolution STFT loss, the longest first; the hop is a
// quarter. The long ones resolve the harmonics, the short ones, shorter than a period of most voices, the shape of a pulse.
var spectralWindows = []int{1024, 512, 256, 128, 64}

// framed cuts x [batch, samples] into frames [batch, frames, length] every hop samples. Samples at the end that fill no frame are
// left out.
func framed(x *Node, length, hop int) *Node {
	batch := x.Shape().Dimensions[0]
	pieces := x.Shape().Dimensions[1] / hop
	rows := (length + hop - 1) / hop
	frames := pieces - rows + 1
	cut := Reshape(SliceAxis(x, 1, AxisRange(0, pieces*hop)), batch, pieces, hop)
	columns := make([]*Node, rows)
	for i := range columns {
		columns[i] = SliceAxis(cut, 1, AxisRange(i, i+frames))
	}
	y := Concatenate(columns, -1)
	if rows*hop > length {
		y = SliceAxis(y, 2, AxisRange(0, length))
	}
	return y
}

// magnitudeFloor keeps the root's gradient finite.
const magnitudeFloor = 1e-12

// magnitudes is the magnitude spectrogram of x [batch, samples] under a periodic Hann window, [batch, frames, bins], scaled so
// that a sine of amplitude 1 has a peak of 1. points is the length of the transform.
func magnitudes(x *Node, length, hop, points int, scale float64) *Node {
	frames := framed(x, length, hop)
	d := frames.Shape().Dimensions
	bins := points/2 + 1
	spec := Dot(Reshape(frames, d[0]*d[1], length), constant(x.Graph(), analysisMatrix(length, points, scale), 2*bins)).Product()
	spec = Reshape(spec, d[0], d[1], 2, bins)
	return Sqrt(AddScalar(ReduceSum(Square(spec), 2), magnitudeFloor))
}

// constant is a matrix of a graph. GoMLX takes much longer over slices of rows.
func constant(g *Graph, rows []float32, columns int) *Node {
	return ConstTensor(g, tensors.FromFlatDataAndDimensions(rows, len(rows)/columns, columns))
}

// analysisMatrix is the windowed Fourier transform [length*2*bins], row-major.
func analysisMatrix(length, points int, scale float64) []float32 {
	bins := points/2 + 1
	m := make([]float32, length*2*bins)
	sin, cos := make([]float64, points), make([]float64, points)
	for i := range sin {
		sin[i], cos[i] = math.Sincos(2 * math.Pi * float64(i) / float64(points))
	}
	for i := range length {
		row := m[i*2*bins:][:2*bins]
		w := scale * (0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(length)))
		for k := range bins {
			at := i * k % points
			row[k], row[bins+k] = float32(w*cos[at]), float32(-w*sin[at])
		}
	}
	return m
}

// logFloor is the magnitude, of a sine in full scale, below which the log-magnitudes stop to count: -86 dB.
const logFloor = 5e-5

// SpectralLoss is the multi-resolution STFT loss (Yamamoto, Song and Kim, "Parallel WaveGAN", 2020) of sound [batch, samples]
// against a recording: the L1 distance of the log-magnitudes, and the spectral convergence, each a mean over the resolutions.
func SpectralLoss(recording, sound *Node) (logDistance, convergence *Node) {
	n := float64(len(spectralWindows))
	for _, length := range spectralWindows {
		scale := 4 / float64(length)
		want, have := magnitudes(recording, length, length/4, length, scale), magnitudes(sound, length, length/4, length, scale)
		l := MulScalar(ReduceAllMean(Abs(Sub(Log(AddScalar(want, logFloor)), Log(AddScalar(have, logFloor))))), 1/n)
		c := MulScalar(Sqrt(AddScalar(Div(ReduceAllSum(Square(Sub(want, have))), AddScalar(ReduceAllSum(Square(want)), 1e-6)), 1e-8)), 1/n)
		if logDistance == nil {
			logDistance, convergence = l, c
			continue
		}
		logDistance, convergence = Add(logDistance, l), Add(convergence, c)
	}
	return logDistance, convergence
}

// MelLoss is the L1 distance of the normalised log-mels, those that features makes but for where frames begin.
func MelLoss(cfg features.Config, recording, sound *Node) *Node {
	return ReduceAllMean(Abs(Sub(logMel(cfg, recording), logMel(cfg, sound))))
}

// logMel is the normalised log-mel of x [batch, samples], [batch, frames, mels].
func logMel(cfg features.Config, x *Node) *Node {
	bank, err := features.NewMelBank(cfg)
	if err != nil {
		panic(err)
	}
	bins := cfg.Bins()
	all := bank.Weights()                      // [mels*bins]
	weights := make([]float32, bins*cfg.NMels) // [bins*mels]
	for i := range weights {
		k, m := i/cfg.NMels, i%cfg.NMels
		weights[i] = float32(all[m*bins+k])
	}
	mags := magnitudes(x, cfg.WinLength, cfg.Hop, cfg.NFFT, 1)
	d := mags.Shape().Dimensions
	mel := Reshape(Dot(Reshape(mags, d[0]*d[1], bins), constant(x.Graph(), weights, cfg.NMels)).Product(), d[0], d[1], cfg.NMels)
	return MulScalar(AddScalar(Log(AddScalar(mel, cfg.LogFloor)), -cfg.MelMean), 1/cfg.MelScale)
}
