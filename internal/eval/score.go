package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/starvc/vc/audio"
)

// Result is how a recording compares with a reference along an alignment. A score that the recordings do not allow,
// such as a correlation of fewer than two frames, is NaN, and null in JSON.
type Result struct {
	MCD          float64 // mel-cepstral distortion in dB
	LogF0Corr    float64 // correlation of log-F0 where both are voiced, -1 to 1
	LogF0RMSE    float64 // root mean square difference of log-F0 where both are voiced, in cents
	LogF0Bias    float64 // mean of test minus reference there, in cents
	VoicingError float64 // part of the pairs of frames of which one is voiced and one is not, 0 to 1
	Pairs        int     // pairs of frames that counted
	VoicedPairs  int     // pairs of which both are voiced
}

// MarshalJSON writes NaN as null.
func (r Result) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		MCD          number `json:"mcdDB"`
		LogF0Corr    number `json:"logF0Correlation"`
		LogF0RMSE    number `json:"logF0RMSECents"`
		LogF0Bias    number `json:"logF0BiasCents"`
		VoicingError number `json:"voicingError"`
		Pairs        int    `json:"pairs"`
		VoicedPairs  int    `json:"voicedPairs"`
	}{number(r.MCD), number(r.LogF0Corr), number(r.LogF0RMSE), number(r.LogF0Bias), number(r.VoicingError), r.Pairs, r.VoicedPairs})
}

// number is a float64 that JSON can hold whatever its value.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if v := float64(n); !math.IsNaN(v) && !math.IsInf(v, 0) {
		return json.Marshal(v)
	}
	return []byte("null"), nil
}

// missing is the Result of what was not measured.
var missing = Result{MCD: math.NaN(), LogF0Corr: math.NaN(), LogF0RMSE: math.NaN(), LogF0Bias: math.NaN(), VoicingError: math.NaN()}

// MCD compares test with ref, two recordings of the same words, of any rate and level. It is an error if cfg is not
// valid or one of them is silent.
func MCD(ref, test audio.Clip, cfg Config) (Result, error) {
	a, err := Analyze(ref, cfg)
	if err != nil {
		return Result{}, fmt.Errorf("reference: %w", err)
	}
	b, err := Analyze(test, cfg)
	if err != nil {
		return Result{}, fmt.Errorf("test: %w", err)
	}
	return Compare(a, b)
}

// Compare aligns two recordings and scores test against ref.
func Compare(ref, test *Utterance) (Result, error) {
	path, err := Align(ref, test)
	if err != nil {
		return Result{}, err
	}
	return Score(ref, test, path)
}

// decibels times the Euclidean distance of two mel-cepstra is their distortion (Kubichek 1993).
var decibels = 10 * math.Sqrt2 / math.Ln10

const centsPerNeper = 1200 / math.Ln2

// Score compares test with ref along an alignment, which may be that of other recordings with the same timing. It is an
// error if the alignment is empty or points outside of the recordings.
func Score(ref, test *Utterance, path Alignment) (Result, error) {
	if len(path.Ref) == 0 || len(path.Ref) != len(path.Test) {
		return Result{}, fmt.Errorf("eval: alignment of %d to %d frames", len(path.Ref), len(path.Test))
	}
	if ref.cfg != test.cfg {
		return Result{}, errors.New("eval: recordings analysed with different configurations")
	}
	r := Result{Pairs: len(path.Ref)}
	var distance, mismatched float64
	var a, b []float64 // log-F0 where both are voiced
	for i, t := range path.Ref {
		u := path.Test[i]
		if t < 0 || t >= ref.Frames() || u < 0 || u >= test.Frames() {
			return Result{}, fmt.Errorf("eval: alignment of frame %d to %d, the recordings have %d and %d", t, u, ref.Frames(), test.Frames())
		}
		distance += math.Sqrt(squaredDistance(ref.at(t), test.at(u)))
		f, g := float64(ref.f0[t]), float64(test.f0[u])
		switch {
		case f > 0 && g > 0:
			a, b = append(a, math.Log(f)), append(b, math.Log(g))
		case f > 0 || g > 0:
			mismatched++
		}
	}
	n := float64(r.Pairs)
	r.MCD = decibels * distance / n
	r.VoicingError = mismatched / n
	r.VoicedPairs = len(a)
	r.LogF0Corr = correlation(a, b)
	var sum, squares float64
	for i, v := range a {
		d := (b[i] - v) * centsPerNeper
		sum += d
		squares += d * d
	}
	r.LogF0Bias = sum / float64(len(a))
	r.LogF0RMSE = math.Sqrt(squares / float64(len(a)))
	return r, nil
}

// correlation is Pearson's, NaN when one of the two does not vary.
func correlation(a, b []float64) float64 {
	meanA, meanB := mean(a), mean(b)
	var ab, aa, bb float64
	for i, v := range a {
		x, y := v-meanA, b[i]-meanB
		ab += x * y
		aa += x * x
		bb += y * y
	}
	if aa == 0 || bb == 0 {
		return math.NaN()
	}
	return ab / math.Sqrt(aa*bb)
}

// mean is NaN for no values.
func mean(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}
