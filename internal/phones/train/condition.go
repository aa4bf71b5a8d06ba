package train

import (
	"cmp"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"

	"github.com/starvc/vc/internal/acoustics"
	"github.com/starvc/vc/internal/cores"
)

// phoneCondition is a way in which held-out speech is heard when it is scored.
type phoneCondition struct {
	name, metric string
	outcome      outcome // levelDB is each recording's own
}

// phoneConditions are those that are scored: the first is the recording as it is. Noise falls by 3 dB per octave.
func phoneConditions() []phoneCondition {
	pink := acoustics.Curve{{Hz: 50, DB: 13}, {Hz: 8000, DB: -9}}
	return []phoneCondition{
		{name: "clean"},
		{"noise at 15 dB", "noise15", outcome{noise: pink, noiseDB: 15}},
		{"babble at 15 dB", "babble15", outcome{babble: 5, babbleDB: 15}},
		{"a room of 0.6 s", "room06", outcome{room: &acoustics.Room{RT60: 0.6, DirectDB: 0, Damping: 0.6}}},
	}
}

// under are utterances as they are heard under a condition: a pure function of the seed, the names of the utterances,
// and, for babble, of the recordings to train on, which it is made of. Those without a waveform are left out. Of the
// first condition they are the utterances themselves.
func under(c Config, speech *phoneSpeech, us []labelled, k phoneCondition) []labelled {
	if k.metric == "" {
		return us
	}
	us = slices.DeleteFunc(slices.Clone(us), func(u labelled) bool { return u.sound == nil })
	b := newBatcher(c, speech.train)
	byLength := make([]map[int]*phoneWorker, runtime.GOMAXPROCS(0)) // of each goroutine, by a power of two
	cores.All(len(us), func(worker, i int) {
		u := &us[i]
		n := 256
		for n < u.frames.Len() {
			n *= 2
		}
		workers := byLength[worker]
		if workers == nil {
			workers = map[int]*phoneWorker{}
			byLength[worker] = workers
		}
		if workers[n] == nil {
			workers[n] = newPhoneWorker(c, n)
		}
		h := fnv.New64a()
		h.Write([]byte(k.metric + "/" + speech.speakers[u.speaker].Name + "/" + u.name()))
		r := rand.New(rand.NewPCG(c.Seed, h.Sum64()))
		o := k.outcome
		o.levelDB = 20 * math.Log10(u.sound.level)
		x := make([]float32, u.frames.Len()*c.GAN.NMels)
		workers[n].render(r, b, *u, x, float64(u.start*c.Features.Hop), 1, o)
		u.frames.LogMel = x
	})
	return us
}

// scoredInTraining are at most ScoreMinutes of the utterances to score, the same for the whole run: as many of each
// speaker, as far as there are.
func scoredInTraining(c Config, speech *phoneSpeech) []labelled {
	most := int(c.ScoreMinutes * 60 * float64(c.Features.SampleRate) / float64(c.Features.Hop))
	own := make([][]labelled, len(speech.speakers))
	total := 0
	for _, u := range speech.score {
		own[u.speaker] = append(own[u.speaker], u)
		total += u.frames.Len()
	}
	if most <= 0 || total <= most {
		return speech.score
	}
	r := rand.New(rand.NewPCG(c.Seed, 0x73636f7265))
	for _, us := range own {
		r.Shuffle(len(us), func(i, j int) { us[i], us[j] = us[j], us[i] })
	}
	var some []labelled
	for round, frames := 0, 0; frames < most; round++ {
		for _, us := range own {
			if round < len(us) && frames < most {
				some = append(some, us[round])
				frames += us[round].frames.Len()
			}
		}
	}
	slices.SortFunc(some, func(a, b labelled) int {
		return cmp.Or(cmp.Compare(a.speaker, b.speaker), cmp.Compare(a.path, b.path))
	})
	return some
}
