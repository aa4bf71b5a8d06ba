package mark

import (
	"math"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
)

const (
	hops     = 2  // positions in parts of a frame at which frames are looked for
	clipDB   = 3  // what differs more from its surroundings tells no more than this
	activeDB = 45 // so far below the loudest a frame counts as a pause
	floor    = 1e-5
)

// sight is a recording as the mark is looked for in it.
type sight struct {
	in    *audio.Resampler
	x     []float32 // not yet analysed
	stft  *features.STFT
	bank  *features.MelBank
	frame []float64
	spec  []complex128
	size  []float64
	mel   []float64

	level []float32 // dB of each group, [n*groups], n frames a part of a hop apart
	loud  []float32 // dB, [n]
	cells [hops][]float32
}

// newSight is for sound at rate Hz that is to be played faster by a factor.
func newSight(rate int, speed float64) (*sight, error) {
	cfg := features.DefaultConfig()
	s := &sight{stft: features.NewSTFT(cfg), frame: make([]float64, cfg.WinLength), spec: make([]complex128, cfg.Bins()),
		size: make([]float64, cfg.Bins()), mel: make([]float64, cfg.NMels), x: make([]float32, cfg.WinLength/2)}
	var err error
	if s.bank, err = features.NewMelBank(cfg); err != nil {
		return nil, err
	}
	s.in, err = audio.NewResampler(int(math.Round(float64(rate)*speed)), cfg.SampleRate)
	return s, err
}

func (s *sight) write(x []float32) {
	s.x = s.in.Process(s.x, x)
	s.analyse()
}

// analyse takes the frames that are complete.
func (s *sight) analyse() {
	hop, from := features.DefaultConfig().Hop/hops, 0
	for ; from+len(s.frame) <= len(s.x); from += hop {
		for i, v := range s.x[from:][:len(s.frame)] {
			s.frame[i] = float64(v)
		}
		s.stft.Forward(s.spec, s.frame)
		for k, c := range s.spec {
			s.size[k] = math.Sqrt(real(c)*real(c) + imag(c)*imag(c))
		}
		s.bank.Apply(s.mel, s.size)
		power := 0.0
		for g := range groups {
			sum := 0.0
			for _, v := range s.mel[firstBand+g*cellBands:][:cellBands] {
				sum += math.Log(max(v, floor))
				power += v * v
			}
			s.level = append(s.level, float32(sum/cellBands*20/math.Ln10))
		}
		s.loud = append(s.loud, float32(10*math.Log10(max(power, floor*floor))))
	}
	s.x = s.x[:copy(s.x, s.x[from:])]
}

// finish ends the sound.
func (s *sight) finish() {
	s.x = append(s.in.Flush(s.x), make([]float32, len(s.frame)/2)...)
	s.analyse()
	least := float32(math.Inf(-1))
	for _, v := range s.loud {
		least = max(least, v-activeDB)
	}
	for p := range s.cells {
		s.cells[p] = residuals(s.level, s.loud, least, p)
	}
	s.level, s.loud = nil, nil
}

// frames is how many there are to look at.
func (s *sight) frames() int { return len(s.cells[0]) / groups }

// residuals are how far cells of level, [n*groups] dB, are from what their neighbours let expect, for cells that begin at each frame.
func residuals(level, loud []float32, least float32, p int) []float32 {
	n := (len(loud) - p + hops - 1) / hops
	cell := make([]float32, max(0, n-cellFrames+1)*groups)
	active := make([]bool, len(cell)/groups)
	for t := range active {
		active[t] = true
		for k := range cellFrames {
			at := (t+k)*hops + p
			active[t] = active[t] && loud[at] > least
			for g := range groups {
				cell[t*groups+g] += level[at*groups+g] / cellFrames
			}
		}
	}
	r := make([]float32, len(cell))
	row := make([]float32, groups)
	for t := cellFrames; t < len(active)-cellFrames; t++ {
		if !active[t] || !active[t-cellFrames] || !active[t+cellFrames] {
			continue
		}
		here, before, after := cell[t*groups:], cell[(t-cellFrames)*groups:], cell[(t+cellFrames)*groups:]
		for g := range row {
			row[g] = here[g] - (before[g]+after[g])/2
		}
		for g, v := range row {
			near := row[max(g-1, 0)] + row[min(g+1, groups-1)]
			r[t*groups+g] = min(max(v-near/2, -clipDB), clipDB)
		}
	}
	return r
}

// fold adds up residuals that lie a block apart, of the frames from, to, into [blockFrames*groups].
func fold(dst, r []float32, from, to int) {
	clear(dst)
	for t := from; t < to; t++ {
		into := dst[t%blockFrames*groups:][:groups]
		for g, v := range r[t*groups:][:groups] {
			into[g] += v
		}
	}
}

// match is a mark as it fits a stretch of sound best.
type match struct {
	z    float64 // about normal with variance 1 for each of tries, where there is no mark
	info Info
}

// tries is how many marks at how many places are compared with each stretch.
const tries = hops * blockFrames << voiceBits

// promising is how well the pilot must fit before the rest is compared.
const promising = 2.5

// search looks for a mark in frames from to before to. Folded is scratch, [blockFrames*groups].
func (s *sight) search(folded []float32, from, to int) match {
	best, key := match{z: math.Inf(-1)}, keyed()
	for _, cells := range s.cells {
		n := len(cells) / groups
		fold(folded, cells, min(from, n), min(to, n))
		for begin := range blockFrames {
			pilot, power := correlate(folded, begin, key.pilot[:], key.signs[:])
			if pilot <= promising*math.Sqrt(power) {
				continue
			}
			var said [symbols][1 << symbolBits]float64
			for k := range said {
				for v := range said[k] {
					sum, p := correlate(folded, begin, key.symbol[k][:], key.symSign[k][v][:])
					said[k][v] = sum
					if v == 0 {
						power += p
					}
				}
			}
			for voice := range 1 << voiceBits {
				info := Info{Program, Format, voice}
				sum := pilot
				for k, v := range info.symbols() {
					sum += said[k][v]
				}
				if z := sum / math.Sqrt(power); z > best.z {
					best = match{z, info}
				}
			}
		}
	}
	return best
}

// correlate is how well places of what was folded fit signs, for a block that begins at a frame, and the power of these places.
func correlate(folded []float32, begin int, at []int32, signs []float32) (sum, power float64) {
	for i, place := range at {
		frame := (begin + int(place)/groups*cellFrames) % blockFrames
		v := float64(folded[frame*groups+int(place)%groups])
		sum += v * float64(signs[i])
		power += v * v
	}
	return sum, power
}
