package vc

import (
	"fmt"
	"math"

	"github.com/starvc/vc/features"
)

// MinTempo and MaxTempo bound how many times as fast as in the recording the words of a result may come.
const (
	MinTempo = 0.5
	MaxTempo = 2
)

func checkTempo(tempo float64) error {
	if tempo != 0 && !(tempo >= MinTempo && tempo <= MaxTempo) {
		return fmt.Errorf("tempo is %g, want %g to %d, or 0 for that of the recording", tempo, MinTempo, MaxTempo)
	}
	return nil
}

// samplesAt is how many samples a result has of a recording that has n at the result's rate, 1 at least. A tempo of 0 stands for 1.
func samplesAt(tempo float64, n int64) int64 {
	if tempo == 0 || tempo == 1 {
		return n
	}
	return max(1, int64(math.Round(float64(n)/tempo)))
}

// tempoChanger reads frames at another speed: its frame k is what lies at k*tempo between those that it was given. The mel values
// are linear in between; where one of the two neighbours is silent, which the generator was not asked about, the nearer one is
// taken. The pitch is linear in its logarithm between two frames with a voice; where only one has a voice the nearer one says.
type tempoChanger struct {
	tempo float64
	nMels int

	first  int // number of the first frame in source
	source toneFrames
	next   int // number of the next frame to be made
}

// toneFrames are frames that the generator has made, with what is asked of F0 and the source's energy.
type toneFrames struct {
	logMel []float32 // [frames, nMels]
	f0     []float32 // Hz, 0 where unvoiced
	energy []float32 // ln RMS, see features.Frames
}

func (f *toneFrames) add(o toneFrames) {
	f.logMel, f.f0, f.energy = append(f.logMel, o.logMel...), append(f.f0, o.f0...), append(f.energy, o.energy...)
}

func (f *toneFrames) clear() { f.logMel, f.f0, f.energy = f.logMel[:0], f.f0[:0], f.energy[:0] }

// newTempoChanger is nil for a tempo that changes nothing.
func newTempoChanger(cfg features.Config, tempo float64) *tempoChanger {
	if tempo == 0 || tempo == 1 {
		return nil
	}
	return &tempoChanger{tempo: tempo, nMels: cfg.NMels}
}

// process takes the next frames and appends to dst those that can be made of what was given so far.
func (c *tempoChanger) process(dst *toneFrames, f toneFrames) {
	c.source.add(f)
	for {
		at := float64(c.next) * c.tempo
		if int(at)+1 >= c.first+len(c.source.f0) {
			break
		}
		c.make(dst, at)
	}
	// What lies before the next frame is not needed any more, but for the last frame, which flush holds on to.
	drop := min(int(float64(c.next)*c.tempo), c.first+len(c.source.f0)-1) - c.first
	if drop <= 0 {
		return
	}
	cut := func(x []float32, n int) []float32 { return x[:copy(x, x[n:])] }
	c.source.logMel = cut(c.source.logMel, drop*c.nMels)
	c.source.f0, c.source.energy = cut(c.source.f0, drop), cut(c.source.energy, drop)
	c.first += drop
}

// flush appends what is left, so that there are as many frames in all. Behind the end the last one lasts.
func (c *tempoChanger) flush(dst *toneFrames, frames int) {
	if len(c.source.f0) == 0 {
		return
	}
	for c.next < frames {
		c.make(dst, float64(c.next)*c.tempo)
	}
}

// make appends the next frame, which lies at a place between those that were given.
func (c *tempoChanger) make(dst *toneFrames, at float64) {
	c.next++
	s := c.source
	last := len(s.f0) - 1
	a := min(int(at)-c.first, last)
	b, part := min(a+1, last), at-math.Floor(at)
	near := a
	if part >= 0.5 {
		near = b
	}
	dst.energy = append(dst.energy, s.energy[near])
	if f, g := float64(s.f0[a]), float64(s.f0[b]); f > 0 && g > 0 {
		dst.f0 = append(dst.f0, float32(f*math.Pow(g/f, part)))
	} else {
		dst.f0 = append(dst.f0, s.f0[near])
	}
	mel := func(t int) []float32 { return s.logMel[t*c.nMels : (t+1)*c.nMels] }
	if (s.energy[a] < silenceLogEnergy) != (s.energy[b] < silenceLogEnergy) {
		dst.logMel = append(dst.logMel, mel(near)...)
		return
	}
	y := mel(b)
	for m, v := range mel(a) {
		dst.logMel = append(dst.logMel, v+float32(part*float64(y[m]-v)))
	}
}
