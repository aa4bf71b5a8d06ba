package train

import (
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/run"
)

// wildMel is far from every normalised log-mel of sound: digital silence is about -2 and full scale about 4.
const wildMel = 50

// wild names the recordings of a batch whose values are out of all bounds, fit to follow a warning of the step that it made.
func wild(batch *corpus.Batch) string {
	var wild []string
	for i, files := range batch.Files {
		n := len(batch.X) / len(batch.Files)
		m := len(batch.Same) / len(batch.Files)
		frames := len(batch.F0) / len(batch.Files)
		if out(batch.X[i*n:(i+1)*n]) || out(batch.Same[i*m:(i+1)*m]) || out(batch.Ref[i*m:(i+1)*m]) || out(batch.Ref2[i*m:(i+1)*m]) ||
			outOf(batch.F0[i*frames:(i+1)*frames], 1e5) || out(batch.LogEnergy[i*frames:(i+1)*frames]) {
			wild = append(wild, files...)
		}
	}
	if len(wild) == 0 {
		return ""
	}
	return "; values out of all bounds come from one of " + run.FileNames(wild)
}

func out(values []float32) bool { return outOf(values, wildMel) }

func outOf(values []float32, bound float32) bool {
	for _, v := range values {
		if !(v > -bound && v < bound) {
			return true
		}
	}
	return false
}
