package train

import (
	"math"
	"math/rand/v2"

	"github.com/starvc/vc/internal/acoustics"
)

// phoneWorker renders crops, one at a time.
type phoneWorker struct {
	mixer    *acoustics.Mixer
	mel      *acoustics.LogMel
	sound    []float32 // lead-in, crop and the end of the last window
	other    []float32
	babble   []float32
	response []float32
	lead     int // samples before the centre of the first frame
}

// newPhoneWorker makes what renders crops of so many frames. Before a crop lies as much sound as the longest room and
// the window of the first frame hear.
func newPhoneWorker(c Config, frames int) *phoneWorker {
	f := c.Features
	lead := acoustics.ResponseSamples(f.SampleRate) + f.WinLength/2
	n := lead + (frames-1)*f.Hop + f.WinLength/2
	mel, err := acoustics.NewLogMel(f)
	if err != nil { // which Validate has refused
		panic(err)
	}
	return &phoneWorker{
		mixer: acoustics.NewMixer(f.SampleRate, n), mel: mel, lead: lead,
		sound: make([]float32, n), other: make([]float32, n), babble: make([]float32, n),
	}
}

// outcome is what is drawn for a crop: a place in the world.
type outcome struct {
	clean   bool
	levelDB float64 // of its speech, dBFS
	room    *acoustics.Room
	noise   acoustics.Curve
	babble  int // voices
	hum     bool
	filters []acoustics.Curve
	codec   bool

	noiseDB, babbleDB, humDB float64 // below the speech
}

const usualLevelDB = -23

func drawOutcome(r *rand.Rand, c Config) outcome {
	o := outcome{levelDB: usualLevelDB + 2*r.NormFloat64(), clean: r.Float64() < c.CleanShare}
	between := func(low, high float64) float64 { return low + r.Float64()*(high-low) }
	if r.Float64() < c.LevelShare {
		o.levelDB = between(c.MinLevelDB, c.MaxLevelDB)
	}
	if o.clean {
		return o
	}
	if r.Float64() < c.RoomShare {
		o.room = &acoustics.Room{
			RT60: math.Max(0.05, between(c.MinRT60, c.MaxRT60)), DirectDB: between(c.MinDirectDB, c.MaxDirectDB),
			Damping: between(0.3, 0.9),
		}
	}
	if r.Float64() < c.NoiseShare {
		o.noise, o.noiseDB = acoustics.RandomCurve(r, between(-9, 3), 6), between(c.MinSNRDB, c.MaxSNRDB)
	}
	if r.Float64() < c.BabbleShare {
		o.babble, o.babbleDB = 3+r.IntN(6), between(c.MinSNRDB, c.MaxSNRDB)
	}
	if r.Float64() < c.HumShare {
		o.hum, o.humDB = true, between(c.MinSNRDB, c.MaxSNRDB)
	}
	if r.Float64() < c.EQShare {
		o.filters = append(o.filters, acoustics.RandomCurve(r, between(-2, 2), c.EQRangeDB))
	}
	if r.Float64() < c.BandShare {
		switch r.IntN(4) {
		case 0:
			o.filters = append(o.filters, acoustics.Telephone())
		case 1:
			o.filters = append(o.filters, acoustics.Band(between(20, 400), between(3000, 5000)))
		default:
			o.filters = append(o.filters, acoustics.Band(0, between(3000, 8000)))
		}
	}
	o.codec = r.Float64() < c.CodecShare
	return o
}

// render fills x, [frames, nMels], with the log-mel of the sound of u from a sample on, at a speed, in the place that
// o says.
func (w *phoneWorker) render(r *rand.Rand, b *batcher, u labelled, x []float32, from, speed float64, o outcome) {
	f := b.cfg.Features
	n := w.lead + (len(x)/f.NMels-1)*f.Hop + f.WinLength/2
	sound := w.sound[:n]
	level := math.Pow(10, o.levelDB/20)
	gain := u.sound.gain * float32(level/u.sound.level)
	acoustics.ReadAt(sound, u.sound.samples, gain, from-float64(w.lead)*speed, speed)
	if o.touches() {
		w.mixer.Begin(sound)
		if o.room != nil {
			w.response = o.room.Response(w.response[:0], r, f.SampleRate)
			w.mixer.Reverberate(w.response)
		}
		below := func(db float64) float64 { return level * math.Pow(10, -db/20) }
		if o.noise != nil {
			w.mixer.AddNoise(r, o.noise, below(o.noiseDB))
		}
		if o.babble > 0 && w.gatherBabble(r, b.all, u.sound, n, o.babble) {
			w.mixer.AddSound(w.babble[:n], float32(below(o.babbleDB)))
		}
		if o.hum {
			w.mixer.AddSound(acoustics.Hum(r, f.SampleRate, n), float32(below(o.humDB)))
		}
		if len(o.filters) > 0 {
			before := w.mixer.Power()
			for _, c := range o.filters {
				w.mixer.Filter(c)
			}
			w.mixer.Scale(math.Sqrt(before / math.Max(w.mixer.Power(), 1e-30))) // the level is what the listener gets
		}
		w.mixer.End(sound)
	}
	for i, v := range sound {
		sound[i] = max(-1, min(1, v))
	}
	w.mel.Fill(x, sound, w.lead)
}

// touches tells whether the sound passes through the mixer at all.
func (o outcome) touches() bool {
	return o.room != nil || o.noise != nil || o.babble > 0 || o.hum || len(o.filters) > 0
}

// gatherBabble fills babble with the sum of so many stretches of other recordings, RMS about 1. It is false where
// there are none.
func (w *phoneWorker) gatherBabble(r *rand.Rand, us []labelled, own *phoneSound, n, voices int) bool {
	babble, other := w.babble[:n], w.other[:n]
	clear(babble)
	found := 0
	for range 3 * voices {
		s := us[r.IntN(len(us))].sound
		if s == nil || s == own {
			continue
		}
		from := 0
		if spare := len(s.samples) - n; spare > 0 {
			from = r.IntN(spare)
		}
		gain := math.Pow(10, (r.Float64()-0.5)*6/20) / (s.level * math.Sqrt(float64(voices)))
		acoustics.ReadAt(other[:min(n, len(s.samples))], s.samples, s.gain*float32(gain), float64(from), 1)
		shift := r.IntN(n) // a short one begins anywhere
		for i, v := range other[:min(n, len(s.samples))] {
			babble[(i+shift)%n] += v
		}
		if found++; found == voices {
			return true
		}
	}
	return found > 0
}

// codec makes of x, normalised log-mel, what a lossy coder leaves of it: holes among the bands above 4 kHz, and values
// in steps.
func codec(r *rand.Rand, c Config, x []float32) {
	m := c.GAN.NMels
	floor := c.Features.NormalizeMel(0)
	first := 0
	for first < m && c.Features.BandHz(first) < 4000 {
		first++
	}
	lost := 0.2 + 0.5*r.Float64()
	step := float32((0.05 + 0.25*r.Float64()) / c.Features.MelScale) // nepers
	for t := 0; t < len(x)/m; {
		long := 1 + r.IntN(4)
		for k := first; k < m; {
			wide := 1 + r.IntN(5)
			if r.Float64() < lost {
				for i := t; i < min(t+long, len(x)/m); i++ {
					for j := k; j < min(k+wide, m); j++ {
						x[i*m+j] = floor
					}
				}
			}
			k += wide
		}
		t += long
	}
	for i, v := range x {
		x[i] = step * float32(math.Round(float64(v/step)))
	}
}
