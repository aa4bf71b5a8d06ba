package mark

import (
	"math/rand/v2"
	"sync"
)

// The grid of the mark: cells of so many frames by so many mel bands of features.DefaultConfig, of which those at higher rates
// have the same below 8 kHz. A block of cells repeats for as long as the sound lasts.
const (
	cellFrames  = 4  // 40 ms, about what the vocoder's window blurs
	cellBands   = 4  // wide enough to lie over harmonics and between them
	firstBand   = 4  // near 150 Hz
	groups      = 16 // up to 5 kHz, which telephones cut and codecs keep
	blockCells  = 64
	blockFrames = blockCells * cellFrames // 2.56 s
)

// Half of a block's places are the pilot, by which the mark is found; the others are shared by the symbols.
const (
	places       = blockCells * groups
	pilotPlaces  = places / 2
	symbols      = 4
	symbolBits   = 6
	symbolPlaces = (places - pilotPlaces) / symbols
)

// pattern is what the key makes: which places belong to what, and which way they go.
type pattern struct {
	pilot   [pilotPlaces]int32                              // places, each cell*groups+group
	symbol  [symbols][symbolPlaces]int32                    // places
	signs   [pilotPlaces]float32                            // +1 or -1
	symSign [symbols][1 << symbolBits][symbolPlaces]float32 // of each value
}

// The key is no secret: whoever has the program can find the mark, which is what it is for.
var keyed = sync.OnceValue(func() *pattern { return newPattern(0x7663_6d61_726b, 1) })

func newPattern(key1, key2 uint64) *pattern {
	draw := rand.New(rand.NewPCG(key1, key2))
	sign := func() float32 { return float32(2*int(draw.Uint64()>>63) - 1) }
	p := new(pattern)
	order := draw.Perm(places)
	for i := range p.pilot {
		p.pilot[i], p.signs[i] = int32(order[i]), sign()
	}
	for s := range p.symbol {
		for i := range p.symbol[s] {
			p.symbol[s][i] = int32(order[pilotPlaces+s*symbolPlaces+i])
		}
		for v := range p.symSign[s] {
			for i := range p.symSign[s][v] {
				p.symSign[s][v][i] = sign()
			}
		}
	}
	return p
}

// block writes the sign of each place of a mark that says info to b, [places].
func (p *pattern) block(b []float32, info Info) {
	for i, place := range p.pilot {
		b[place] = p.signs[i]
	}
	for s, v := range info.symbols() {
		for i, place := range p.symbol[s] {
			b[place] = p.symSign[s][v][i]
		}
	}
}
