package corpus

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/starvc/vc/features"
)

// disturber puts crops of log-mel into noise, babble and rooms without a waveform: powers of sounds that have nothing to do with
// each other add up, band by band. The phone network learns from real mixtures of waveforms; this is for those who learn from
// cached features, and need only what a disturbed recording looks like, not how it sounds.
type disturber struct {
	cfg   features.Config
	noise []float32 // [noiseFrames*NMels] power of white noise in each band, relative to its mean
	width []float64 // [NMels] bandwidth, by which the power in a band counts for that of the frame
}

const (
	noiseFrames = 3000

	// What is drawn. A crop gets at most one of noise and babble, and a room besides.
	noiseChance, babbleChance, roomChance = 0.5, 0.25, 0.5

	minSNRDB, maxSNRDB       = 5, 30
	noiseTiltDB              = 12 // from the lowest band to the highest, either way
	minRT60, maxRT60         = 0.1, 0.8
	minDirectDB, maxDirectDB = -9, 12 // of the direct sound over all that comes after it; 1 m away in a living room about -5
)

func newDisturber(cfg features.Config) (*disturber, error) {
	r := rand.New(rand.NewPCG(0x6e6f697365, 1))
	x := make([]float32, noiseFrames*cfg.Hop)
	for i := range x {
		x[i] = float32(0.05 * r.NormFloat64())
	}
	f, err := features.Extract(cfg, x)
	if err != nil {
		return nil, fmt.Errorf("disturbance: %w", err)
	}
	d := &disturber{cfg: cfg, noise: make([]float32, noiseFrames*cfg.NMels), width: make([]float64, cfg.NMels)}
	for m := range cfg.NMels {
		var mean float64
		for t := range noiseFrames {
			mean += d.power(f.Mel(t)[m]) / noiseFrames
		}
		for t := range noiseFrames {
			d.noise[t*cfg.NMels+m] = float32(d.power(f.Mel(t)[m]) / mean)
		}
		low, high := 0.0, cfg.BandHz(m)
		if m > 0 {
			low = cfg.BandHz(m - 1)
		}
		d.width[m] = high - low // a mel band's triangle has area 1, so its power counts by its width
	}
	return d, nil
}

// power is the square of a normalised log-mel's magnitude.
func (d *disturber) power(v float32) float64 {
	p := d.cfg.DenormalizeMel(v)
	return p * p
}

// disturb changes x [frames*NMels] and its log-energy [frames] in place. limit is the log-energy that speech passes, others are
// crops of the same length of other recordings, for babble.
func (d *disturber) disturb(r *dice, x, energy []float32, limit float32, others [][]float32) {
	m, frames := d.cfg.NMels, len(energy)
	before := make([]float64, frames*m)
	for i, v := range x {
		before[i] = d.power(v)
	}
	after := append([]float64(nil), before...)
	if r.Float64() < roomChance {
		d.room(r, after, frames)
	}
	var speech float64 // mean power of the frames with speech
	n := 0
	for t, e := range energy {
		if e > limit {
			speech += d.frame(before[t*m : (t+1)*m])
			n++
		}
	}
	snr := minSNRDB + (maxSNRDB-minSNRDB)*r.Float64()
	wanted := speech / math.Max(float64(n), 1) * math.Pow(10, -snr/10)
	switch kind := r.Float64(); {
	case n == 0:
	case kind < noiseChance:
		d.add(after, d.coloured(r, frames), wanted, frames)
	case kind < noiseChance+babbleChance && len(others) > 0:
		babble := make([]float64, frames*m)
		for _, o := range others {
			for i, v := range o {
				babble[i] += d.power(v)
			}
		}
		d.add(after, babble, wanted, frames)
	}
	for t := range frames {
		was, is := d.frame(before[t*m:(t+1)*m]), d.frame(after[t*m:(t+1)*m])
		if was > 0 {
			energy[t] = float32(math.Max(float64(energy[t])+0.5*math.Log(is/was), floorLogRMS))
		}
	}
	for i, p := range after {
		if p != before[i] {
			x[i] = d.cfg.NormalizeMel(math.Sqrt(p))
		}
	}
}

// frame is the power of a frame of band powers, up to a factor.
func (d *disturber) frame(powers []float64) float64 {
	var sum float64
	for m, p := range powers {
		sum += d.width[m] * p
	}
	return sum
}

// coloured is noise with a spectrum of its own.
func (d *disturber) coloured(r *dice, frames int) []float64 {
	m := d.cfg.NMels
	colour := make([]float64, m)
	tilt, bow := noiseTiltDB*(2*r.Float64()-1), noiseTiltDB/2*(2*r.Float64()-1)
	speechLike := r.Float64() < 0.5 // falling above 500 Hz by 9 dB an octave, as long-term speech about does
	for k := range colour {
		at := 2*float64(k)/float64(max(m-1, 1)) - 1
		db := tilt*at/2 + bow*(at*at-1./3)
		if hz := d.cfg.BandHz(k); speechLike && hz > 500 {
			db -= 9 * math.Log2(hz/500)
		}
		colour[k] = math.Pow(10, db/10)
	}
	out := make([]float64, frames*m)
	from := r.IntN(noiseFrames)
	for t := range frames {
		row := d.noise[(from+t)%noiseFrames*m:][:m]
		for k, v := range row {
			out[t*m+k] = float64(v) * colour[k]
		}
	}
	return out
}

// add adds noise of a mean power per frame to powers.
func (d *disturber) add(powers, noise []float64, wanted float64, frames int) {
	m := d.cfg.NMels
	var mean float64
	for t := range frames {
		mean += d.frame(noise[t*m:(t+1)*m]) / float64(frames)
	}
	if !(mean > 0) {
		return
	}
	for i, v := range noise {
		powers[i] += v * wanted / mean
	}
}

// room lets the powers ring on: an exponential tail behind the direct sound (Polack 1988), whose bands fluctuate as those of noise
// do, as loud together as what went in.
func (d *disturber) room(r *dice, powers []float64, frames int) {
	m := d.cfg.NMels
	perSecond := float64(d.cfg.SampleRate) / float64(d.cfg.Hop)
	decay := math.Exp(-6 * math.Ln10 / (perSecond * (minRT60 + (maxRT60-minRT60)*r.Float64()))) // of power, per frame
	direct := math.Pow(10, (minDirectDB+(maxDirectDB-minDirectDB)*r.Float64())/10)
	share := direct / (1 + direct)
	from := r.IntN(noiseFrames)
	ringing := make([]float64, m)
	for t := range frames {
		row := d.noise[(from+t)%noiseFrames*m:][:m]
		for k := range ringing {
			p := powers[t*m+k]
			powers[t*m+k] = share*p + (1-share)*ringing[k]*float64(row[k])
			ringing[k] = decay*ringing[k] + (1-decay)*p
		}
	}
}
