package corpus

import (
	"fmt"
	"math"
	"slices"

	"github.com/starvc/vc/audio"
)

// Quality is what a recording is like to learn a voice from, measured at its own rate and level.
type Quality struct {
	LevelDB float64 `json:"level"` // of speech, below full scale: the 20 ms blocks that 5 % are louder than
	NoiseDB float64 `json:"noise"` // how far the quietest parts lie under that
	// DecayDB is how many dB a second the sound falls at the ends of words, where it falls fastest: a room holds it up. 0 is not known.
	DecayDB float64 `json:"decay"`
	Clipped int     `json:"clipped"` // places
	BandHz  float64 `json:"band"`    // half the rate
}

// measureQuality measures a recording that lintClip has found usable.
func measureQuality(x []float32, rate int) Quality {
	q := Quality{Clipped: ClippedRuns(x, max(3, rate/8000)), BandHz: float64(rate) / 2}
	clean := audio.WithoutRumble(x, rate)
	levels := blockLevels(clean, rate/50)
	sorted := slices.Sorted(slices.Values(levels))
	if len(sorted) == 0 {
		return q
	}
	q.LevelDB = percentile(sorted, 0.95)
	q.NoiseDB = q.LevelDB - percentile(sorted, 0.05)
	if q.NoiseDB >= decayNoiseDB { // a fall is not followed below the noise
		q.DecayDB = decay(blockLevels(clean, rate/100), q.LevelDB)
	}
	return q
}

const (
	decayBlocks = 10  // of 10 ms, over which a fall is measured
	quietBlocks = 20  // in which it must not come back
	riseDB      = 3.0 // that a block of a fall may be louder than the one before
	decayTopDB  = 10  // a fall begins at most so far below the speech level
	leastFalls  = 20

	decayNoiseDB = 32.0
)

// decay is the 90th percentile of how steeply the level falls, in dB a second, where a word ends; 0 where there are too few such
// ends. Without a room the level of a voice that ends falls by more than 250 dB a second; in one that takes T seconds for 60 dB nothing
// falls much faster than 60/T.
func decay(levels []float64, speechDB float64) float64 {
	var falls []float64
	for i := 0; i+quietBlocks < len(levels); i++ {
		if levels[i] < speechDB-decayTopDB || slices.Max(levels[i+1:i+quietBlocks]) >= levels[i]-1 {
			continue
		}
		rises := false
		for j := i + 1; j <= i+decayBlocks; j++ {
			rises = rises || levels[j] > levels[j-1]+riseDB
		}
		if !rises {
			falls = append(falls, (levels[i]-levels[i+decayBlocks])*100/decayBlocks)
		}
	}
	if len(falls) < leastFalls {
		return 0
	}
	slices.Sort(falls)
	return percentile(falls, 0.9)
}

// What costs points of a score, and how many.
const (
	goodNoiseDB  = 35.0
	goodDecayDB  = 260.0
	goodLevelDB  = -35.0
	goodBandHz   = 8000.0
	goodMinutes  = 5.0
	pointsNoise  = 2.2  // a dB
	pointsDecay  = 0.35 // a dB a second
	pointsLevel  = 1.5  // a dB
	pointsMinute = 9.0  // a minute
	worthSaying  = 6.0  // points
)

// shortcoming is what keeps a recording from being better, and what it costs.
type shortcoming struct {
	points float64
	what   string // "room"
	remedy string // "less room: ..."
}

func (q Quality) shortcomings() []shortcoming {
	list := []shortcoming{
		{max(0, goodNoiseDB-q.NoiseDB) * pointsNoise, "noise", "less noise: the quietest parts are only " + fmt.Sprintf("%.0f dB", q.NoiseDB) +
			" under the speech; go nearer to the microphone, and turn off what hums or blows"},
		{max(0, goodLevelDB-q.LevelDB) * pointsLevel, "level", fmt.Sprintf("more level: speech is at %.0f dB; go nearer to the microphone or turn it up", q.LevelDB)},
		{min(40, 10*math.Sqrt(float64(q.Clipped))), "clipping", fmt.Sprintf("less level: it is clipped at %s; turn the microphone down", count(q.Clipped, "place"))},
		{max(0, goodBandHz-q.BandHz) / 100, "narrow band", fmt.Sprintf("a wider band: nothing is above %.0f Hz; record at 24000 Hz or more, not over a telephone", q.BandHz)},
	}
	if q.DecayDB > 0 {
		list = append(list, shortcoming{max(0, goodDecayDB-q.DecayDB) * pointsDecay, "room",
			"less room: the sound dies away slowly at the ends of words; go nearer to the microphone, or to a room with soft furniture"})
	}
	return list
}

// Score is how good a recording is to learn from, 0 to 100, and the greatest of what it lacks, empty for nothing to speak of.
func (q Quality) Score() (score int, lacks string) {
	left, worst := 100.0, shortcoming{points: worthSaying}
	for _, s := range q.shortcomings() {
		left -= s.points
		if s.points > worst.points {
			worst = s
		}
	}
	return int(math.Round(max(left, 0))), worst.what
}

// ScoredFile is a recording with its score.
type ScoredFile struct {
	Path    string
	Seconds float64 // usable
	Quality Quality
}

// mostHelp says what would help a voice most, of minutes and of what its recordings lack on the whole, in words; empty where
// nothing would help much.
func mostHelp(files []ScoredFile) string {
	var seconds float64
	points, words := map[string]float64{}, map[string]shortcoming{}
	for _, f := range files {
		seconds += f.Seconds
		for _, s := range f.Quality.shortcomings() {
			points[s.what] += s.points * f.Seconds
			if w := words[s.what]; s.points > w.points {
				words[s.what] = s
			}
		}
	}
	minutes := seconds / 60
	best := shortcoming{points: worthSaying}
	if p := max(0, goodMinutes-minutes) * pointsMinute; p > best.points {
		best = shortcoming{p, "minutes", fmt.Sprintf("more minutes: here are %.1f, and up to %.0f each minute is heard", minutes, goodMinutes)}
	}
	for _, what := range []string{"noise", "room", "level", "clipping", "narrow band"} {
		if p := points[what] / max(seconds, 1e-9); p > best.points {
			best = shortcoming{p, what, words[what].remedy}
		}
	}
	return best.remedy
}
