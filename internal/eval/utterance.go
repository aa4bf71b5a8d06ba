package eval

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
)

// Config says how recordings are compared. Scores made with different Configs cannot be compared.
type Config struct {
	Features features.Config `json:"features"` // recordings are resampled to its rate
	Order    int             `json:"order"`    // mel-cepstra 1 to Order count
	ActiveDB float64         `json:"activeDB"` // frames count whose energy is at most this far below the clip's loud frames
	RangeDB  float64         `json:"rangeDB"`  // mel bands this far below the clip's loudest count as equally silent
}

// DefaultConfig is what published scores mostly use, at 16 kHz: 24 coefficients, silence left out.
func DefaultConfig() Config {
	return Config{Features: features.DefaultConfig(), Order: 24, ActiveDB: 35, RangeDB: 70}
}

// Validate names the first field that makes no sense.
func (c Config) Validate() error {
	if err := c.Features.Validate(); err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	switch {
	case c.Order < 1 || c.Order >= c.Features.NMels:
		return fmt.Errorf("eval: order %d, want 1 to %d, one less than the mel bands", c.Order, c.Features.NMels-1)
	case !(c.ActiveDB > 0):
		return fmt.Errorf("eval: activeDB %g, want more than 0", c.ActiveDB)
	case !(c.RangeDB > 0):
		return fmt.Errorf("eval: rangeDB %g, want more than 0", c.RangeDB)
	}
	return nil
}

// Utterance is a recording made ready for comparison.
type Utterance struct {
	cfg     Config
	cepstra []float64 // [frames*Order], coefficients 1 to Order
	f0      []float32 // [frames] Hz, 0 where unvoiced
	active  []int     // frames that are no silence, rising
}

// Frames is the length in frames, silence included.
func (u *Utterance) Frames() int { return len(u.f0) }

// Active is how many frames are no silence.
func (u *Utterance) Active() int { return len(u.active) }

// Analyze makes clip ready for comparison. The clip is brought to the rate of cfg.Features and to a fixed level of its
// loud parts, so that recordings that differ by a gain come out alike. It is an error if cfg is not valid or the clip
// is silent.
func Analyze(clip audio.Clip, cfg Config) (*Utterance, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if clip.Rate <= 0 {
		return nil, fmt.Errorf("eval: clip at %d samples per second", clip.Rate)
	}
	x := audio.WithoutRumble(audio.Resample(clip.Samples, clip.Rate, cfg.Features.SampleRate), cfg.Features.SampleRate)
	level, err := loudLevel(x, cfg.Features.Hop)
	if err != nil {
		return nil, err
	}
	leveled := make([]float32, len(x))
	gain := float32(loudRMS / level)
	for i, v := range x {
		leveled[i] = v * gain
	}
	frames, err := features.ExtractRecording(cfg.Features, leveled)
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	u := &Utterance{cfg: cfg, f0: frames.F0, cepstra: cepstra(frames, cfg)}
	floor := math.Log(loudRMS) - cfg.ActiveDB*math.Ln10/20
	for t, e := range frames.LogEnergy {
		if float64(e) >= floor {
			u.active = append(u.active, t)
		}
	}
	if len(u.active) == 0 {
		return nil, errSilent
	}
	return u, nil
}

var errSilent = errors.New("eval: the clip is silent: there is nothing to compare")

// loudRMS is the level, out of full scale, to which the loud parts of a clip are brought: high enough that the floor of
// the log-mel lies far below them. Nothing is clipped, since the samples stay float.
const loudRMS = 0.1

// loudLevel is the RMS of the loud parts of x: of the pieces of hop samples within 40 dB of the loudest, the one that
// 5 % are louder than. So neither a click nor the length of the silence matters.
func loudLevel(x []float32, hop int) (float64, error) {
	var levels []float64
	for piece := range slices.Chunk(x, hop) {
		var power float64
		for _, v := range piece {
			power += float64(v) * float64(v)
		}
		levels = append(levels, math.Sqrt(power/float64(len(piece))))
	}
	slices.Sort(levels)
	if len(levels) == 0 {
		return 0, errSilent
	}
	loudest := levels[len(levels)-1]
	heard, _ := slices.BinarySearch(levels, loudest/100)
	levels = levels[heard:]
	level := levels[len(levels)*95/100]
	if !(level > 1e-6) { // 20 dB below the least step of 16 bits; also NaN
		return 0, errSilent
	}
	return level, nil
}

// cepstra are the mel-cepstra 1 to Order of every frame, [frames*Order]: the coefficients c of
//
//	ln |H(m)| = c_0 + sum_d c_d cos(pi d (m + 1/2) / NMels)
//
// over the mel bands m, found by a DCT-II of the log-mel. That is the convention under which 10 sqrt(2)/ln 10 times
// the Euclidean distance is the RMS difference of the two smoothed spectra in dB. The bands are those of the Slaney
// scale, not the all-pass warping of SPTK's mcep, so values are near to but not the same as those made with it.
func cepstra(f features.Frames, cfg Config) []float64 {
	n := f.NMels
	table := make([]float64, cfg.Order*n) // [Order*NMels]
	for d := range cfg.Order {
		for m := range n {
			table[d*n+m] = 2 / float64(n) * math.Cos(math.Pi*float64(d+1)*(float64(m)+0.5)/float64(n))
		}
	}
	top := float32(math.Inf(-1))
	for _, v := range f.LogMel {
		top = max(top, v)
	}
	// Below the floor recordings differ in noise and in rounding only.
	floor := float64(top)*cfg.Features.MelScale - cfg.RangeDB*math.Ln10/20
	mel := make([]float64, n)
	out := make([]float64, f.Len()*cfg.Order)
	for t := range f.Len() {
		for m, v := range f.Mel(t) {
			mel[m] = max(float64(v)*cfg.Features.MelScale, floor)
		}
		for d := range cfg.Order {
			var c float64
			for m, w := range table[d*n : (d+1)*n] {
				c += w * mel[m]
			}
			out[t*cfg.Order+d] = c
		}
	}
	return out
}
