package corpus

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/acoustics"
	"github.com/starvc/vc/internal/cores"
)

// A log-mel can be put into noise and rooms without a waveform (see disturber), but not the pitch: in a room the tracker hears voice in the
// pauses, where the last vowel rings on, and loses it where vowels meet. A generator that has learnt with the pitch of the clean recording
// believes the tracker and says vowels there. So each recording is disturbed once more as sound, and analysed as a source would be.

// What a copy is put into: a room, noise, or both.
const (
	copyRoom, copyNoise = 0.7, 0.5 // chances; a copy that would get neither gets a room

	minCopySNRDB, maxCopySNRDB = 5, 30

	copyBlockSeconds = 20 // that are disturbed at a time
)

// Disturb gives each training utterance a copy in a room or noise, with the pitch and the energy that are heard in it. It reads all
// recordings again, on all cores, and keeps the copies in memory, 37 kB a second at 24 kHz. What is drawn depends on the seed and the recording alone.
// progress, when not nil, is told how many recordings are done, from one goroutine at a time. It is an error if
// a recording cannot be read any more, or ctx ends; the set is then as before.
func (s *Set) Disturb(ctx context.Context, seed uint64, progress func(done, total int)) error {
	byPath := map[string][]int{}
	var paths []string
	for i, u := range s.Train {
		if byPath[u.Path] == nil {
			paths = append(paths, u.Path)
		}
		byPath[u.Path] = append(byPath[u.Path], i)
	}
	copies := make([]features.Frames, len(s.Train))
	disturbers := make([]*soundDisturber, min(runtime.GOMAXPROCS(0), len(paths)))
	tell := func(done int) {
		if progress != nil {
			progress(done, len(paths))
		}
	}
	err := cores.Each(ctx, len(disturbers), len(paths), tell, func(ctx context.Context, worker, i int) error {
		if disturbers[worker] == nil {
			disturbers[worker] = newSoundDisturber(s.Features.SampleRate)
		}
		utterances := byPath[paths[i]]
		whole, err := disturbers[worker].copy(ctx, s.Features, s.Train[utterances[0]], seed)
		if err != nil {
			return fmt.Errorf("%s: %w", paths[i], err)
		}
		for _, k := range utterances {
			u := s.Train[k]
			if end := u.Start + u.Frames.Len(); end <= whole.Len() { // else the file is another one by now
				copies[k] = cloned(whole.Slice(u.Start, end))
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("disturbing the recordings: %w", err)
	}
	s.copies = copies
	return nil
}

func cloned(f features.Frames) features.Frames {
	return features.Frames{NMels: f.NMels, LogMel: slices.Clone(f.LogMel), F0: slices.Clone(f.F0), LogEnergy: slices.Clone(f.LogEnergy)}
}

// soundDisturber puts waveforms into rooms and noise. Each goroutine needs its own.
type soundDisturber struct {
	rate, lead int // lead is how much of the past a block is begun with, whose beginning wraps around
	mixer      *acoustics.Mixer
	block      []float32
	response   []float32
}

func newSoundDisturber(rate int) *soundDisturber {
	lead := acoustics.ResponseSamples(rate)
	d := &soundDisturber{rate: rate, lead: lead, mixer: acoustics.NewMixer(rate, copyBlockSeconds*rate+lead)}
	d.block = make([]float32, d.mixer.Samples())
	return d
}

// copy is the features of the whole recording that u was cut from, in a place of its own.
func (d *soundDisturber) copy(ctx context.Context, cfg features.Config, u Utterance, seed uint64) (features.Frames, error) {
	clip, err := audio.ReadFileContext(ctx, u.Path)
	if err != nil {
		return features.Frames{}, err
	}
	r := rand.New(rand.NewPCG(seed^0x636f70696573, binary.LittleEndian.Uint64(u.Hash[:])))
	x := d.disturb(r, features.Level(cfg, clip).Samples)
	recording, err := features.Analyze(cfg, audio.Clip{Samples: x, Rate: cfg.SampleRate})
	return recording.Frames, err
}

// disturb is speech at audio.SpeechDB in a place that is drawn.
func (d *soundDisturber) disturb(r *rand.Rand, x []float32) []float32 {
	between := func(low, high float64) float64 { return low + (high-low)*r.Float64() }
	room, noise := r.Float64() < copyRoom, r.Float64() < copyNoise
	d.response = acoustics.RandomRoom(r).Response(d.response[:0], r, d.rate)
	colour := acoustics.RandomCurve(r, between(-9, 3), 6)
	rms := math.Pow(10, (audio.SpeechDB-between(minCopySNRDB, maxCopySNRDB))/20)

	out := make([]float32, 0, len(x))
	step := len(d.block) - d.lead
	for at := 0; at < len(x); at += step {
		n := min(step, len(x)-at)
		block := d.block[:d.lead+n]
		past := min(at, d.lead)
		clear(block[:d.lead-past])
		copy(block[d.lead-past:], x[at-past:at+n])
		d.mixer.Begin(block)
		if room || !noise {
			d.mixer.Reverberate(d.response)
		}
		if noise {
			d.mixer.AddNoise(r, colour, rms)
		}
		d.mixer.End(block)
		out = append(out, block[d.lead:]...)
	}
	return out
}
