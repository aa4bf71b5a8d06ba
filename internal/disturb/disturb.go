// Package disturb makes good recordings worse in known ways: noise, other people talking, a room, a telephone, a low level, an
// overdriven microphone, a lossy codec. The evaluation converts such recordings beside the clean ones, so that a report says what
// a voice changer does outside of a studio. It shares no code with the disturbances that training uses, since a judge that
// disturbs like the trainer would flatter what it judges.
//
// What comes out keeps the length, the timing and, but for "quiet", the active speech level of what goes in, and is the same every
// time for one seed and one name of the recording.
package disturb

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/starvc/vc/audio"
)

// Clean is what the recordings as they are go by; no Condition has this name.
const Clean = "clean"

// Condition is one way to disturb a recording: one or more steps, in the order in which they are done.
type Condition struct {
	name  string
	steps []step
}

type step struct {
	kind  kind
	value float64
}

// kind is a sort of disturbance.
type kind struct {
	name     string
	unit     string // of its value, "" where it takes none
	min, max float64
	apply    func(x []float32, rate int, value float64, o Options, random *rand.Rand) ([]float32, error)
}

// kinds in the order in which messages list them.
var kinds = []kind{
	{"noise", "dB", -20, 60, addNoise},
	{"babble", "dB", -20, 60, addBabble},
	{"room", "s", 0.05, 3, addRoom},
	{"phone", "", 0, 0, throughPhone},
	{"quiet", "dB", 0, 80, makeQuiet},
	{"clip", "dB", 0, 40, overdrive},
	{"codec", "dB", 0, 60, throughCodec},
}

// Parse reads conditions joined by commas, such as "noise=15,babble=15,room=0.6,phone,quiet=30". Each is a step, or several
// joined by "+", such as "room=0.6+noise=15", which are done from left to right:
//
//	noise=15   stationary noise with the spectrum of the recording's own speech, 15 dB below the active speech level
//	babble=15  4 to 6 other people talking at once, together 15 dB below it
//	room=0.6   a room with a reverberation time (RT60) of 0.6 s, the speaker 1 m from the microphone
//	phone      300 to 3400 Hz, 8000 samples a second, mu-law
//	quiet=30   30 dB quieter
//	clip=12    peaks cut off 12 dB below the highest
//	codec=9    a transform codec with noise 9 dB below the sound in every band, and holes in the spectrum where it saves bits
//
// Clean may stand in the list and is left out of the result. What is not known, out of range or named twice is an error.
func Parse(list string) ([]Condition, error) {
	var all []Condition
	for _, text := range strings.Split(list, ",") {
		text = strings.TrimSpace(text)
		if text == "" || text == Clean {
			continue
		}
		c := Condition{name: text}
		for _, part := range strings.Split(text, "+") {
			s, err := parseStep(part)
			if err != nil {
				return nil, err
			}
			c.steps = append(c.steps, s)
		}
		if slices.ContainsFunc(all, func(o Condition) bool { return o.name == c.name }) {
			return nil, fmt.Errorf("%q is there twice", c.name)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("no condition is named: give a list such as noise=15,babble=15,room=0.6,phone,quiet=30")
	}
	return all, nil
}

func parseStep(text string) (step, error) {
	name, value, has := strings.Cut(text, "=")
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	if i < 0 {
		var names []string
		for _, k := range kinds {
			names = append(names, k.name)
		}
		return step{}, fmt.Errorf("disturbance %q is not known, want one of %s", name, strings.Join(names, ", "))
	}
	k := kinds[i]
	switch {
	case k.unit == "" && has:
		return step{}, fmt.Errorf("%q: %s takes no value", text, name)
	case k.unit == "":
		return step{kind: k}, nil
	case !has:
		return step{}, fmt.Errorf("%s needs a value in %s, such as %s=%g", name, k.unit, name, math.Round((k.min+k.max)/2))
	}
	v, err := strconv.ParseFloat(value, 64)
	if err != nil || !(v >= k.min && v <= k.max) {
		return step{}, fmt.Errorf("%q: want a number of %s from %g to %g", text, k.unit, k.min, k.max)
	}
	return step{k, v}, nil
}

// String is the condition as Parse read it.
func (c Condition) String() string { return c.name }

// Babble tells whether the condition wants other recordings.
func (c Condition) Babble() bool {
	return slices.ContainsFunc(c.steps, func(s step) bool { return s.kind.name == "babble" })
}

// Options say what a disturbance is drawn by.
type Options struct {
	Seed      uint64
	Recording string   // a name for the recording that does not depend on where it lies, such as speaker/utterance
	Others    []string // files with other recordings, for babble: at least FewestTalkers
}

// Apply is clip disturbed, in new memory. The peak is at most 1: where it would pass that, the whole is turned down. It is an
// error if the clip is silent, if a value is no number, or if babble finds too few others or cannot read one.
func (c Condition) Apply(clip audio.Clip, o Options) (audio.Clip, error) {
	x := slices.Clone(clip.Samples)
	for i, s := range c.steps {
		h := fnv.New64a()
		fmt.Fprintf(h, "%s\x00%d\x00%s=%g", o.Recording, i, s.kind.name, s.value)
		if level := ActiveLevel(x, clip.Rate); !(level > 0) || math.IsInf(level, 0) {
			return audio.Clip{}, fmt.Errorf("disturb: %s: the recording is silent or holds values that are not numbers", c.name)
		}
		var err error
		if x, err = s.kind.apply(x, clip.Rate, s.value, o, rand.New(rand.NewPCG(o.Seed, h.Sum64()))); err != nil {
			return audio.Clip{}, fmt.Errorf("disturb: %s: %w", c.name, err)
		}
	}
	var peak float32
	for _, v := range x {
		peak = max(peak, v, -v)
	}
	if peak > 1 {
		scale(x, 1/float64(peak))
	}
	return audio.Clip{Samples: x, Rate: clip.Rate}, nil
}

// makeQuiet turns x down by so many dB.
func makeQuiet(x []float32, _ int, db float64, _ Options, _ *rand.Rand) ([]float32, error) {
	scale(x, fromDB(-db))
	return x, nil
}

// overdrive cuts off what lies within so many dB of the highest peak.
func overdrive(x []float32, rate int, db float64, _ Options, _ *rand.Rand) ([]float32, error) {
	level := ActiveLevel(x, rate)
	var peak float32
	for _, v := range x {
		peak = max(peak, v, -v)
	}
	limit := peak * float32(fromDB(-db))
	for i, v := range x {
		x[i] = min(max(v, -limit), limit)
	}
	return keepLevel(x, rate, level), nil
}
