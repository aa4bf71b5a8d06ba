package features

import (
	"fmt"
	"slices"
)

// Frames are the features of a stretch of sound, one value per frame in every slice but LogMel, which holds NMels. A
// slice that is not used may be nil.
type Frames struct {
	NMels     int
	LogMel    []float32 // [frames*NMels], frame-major, normalised by Config.NormalizeMel
	F0        []float32 // fundamental frequency in Hz, 0 where there is no voice
	LogEnergy []float32 // natural logarithm of the RMS, under the analysis window, of what lies below SpeechHz, at least ln 1e-5
}

// Len is the number of frames.
func (f Frames) Len() int {
	if f.NMels == 0 {
		return 0
	}
	return len(f.LogMel) / f.NMels
}

// Mel is the log-mel of frame t, [NMels]. It shares memory with f.
func (f Frames) Mel(t int) []float32 {
	return f.LogMel[t*f.NMels : (t+1)*f.NMels : (t+1)*f.NMels]
}

// Slice is the frames from, inclusive, to to, exclusive. It shares memory with f, but appending to it does not
// overwrite what follows in f.
func (f Frames) Slice(from, to int) Frames {
	if from < 0 || to < from || to > f.Len() {
		panic(fmt.Sprintf("features: frames %d to %d of %d", from, to, f.Len()))
	}
	s := Frames{NMels: f.NMels, LogMel: f.LogMel[from*f.NMels : to*f.NMels : to*f.NMels]}
	if f.F0 != nil {
		s.F0 = f.F0[from:to:to]
	}
	if f.LogEnergy != nil {
		s.LogEnergy = f.LogEnergy[from:to:to]
	}
	return s
}

// Clear drops all frames and keeps the memory, for the next piece of a stream.
func (f *Frames) Clear() {
	f.LogMel, f.F0, f.LogEnergy = f.LogMel[:0], f.F0[:0], f.LogEnergy[:0]
}

// Grow makes room for n more frames, so that appending them does not allocate. NMels must be set.
func (f *Frames) Grow(n int) {
	f.LogMel = slices.Grow(f.LogMel, n*f.NMels)
	f.F0 = slices.Grow(f.F0, n)
	f.LogEnergy = slices.Grow(f.LogEnergy, n)
}
