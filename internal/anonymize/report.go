package anonymize

import (
	"math"

	"github.com/starvc/vc/internal/phones"
)

// Hearing is what is heard in a recording.
type Hearing struct {
	Embedding []float32 // by the judge, nil where there is too little speech
	Read      phones.Reading
}

// Corpus are hearings by speaker.
type Corpus [][]Hearing

// part gives the embeddings of every step-th recording of each speaker, from one on.
func (c Corpus) part(from, step int) [][][]float32 {
	all := make([][][]float32, len(c))
	for i, recordings := range c {
		for k := from; k < len(recordings); k += step {
			all[i] = append(all[i], recordings[k].Embedding)
		}
	}
	return all
}

// Enrolled gives the recordings by which attackers know the speakers: every other one.
func (c Corpus) Enrolled() [][][]float32 { return c.part(0, 2) }

// Tried gives the rest.
func (c Corpus) Tried() [][][]float32 { return c.part(1, 2) }

// rates are those of the speakers, 0 where it is not known.
func (c Corpus) rates() []float64 {
	all := make([]float64, len(c))
	for i, recordings := range c {
		var read []phones.Reading
		for _, h := range recordings {
			read = append(read, h.Read)
		}
		all[i] = Rate(read)
	}
	return all
}

// Remark stands on every report.
const Remark = "This is no guarantee: other attackers may be stronger than this judge, and words, accent and manner of speaking stay, " +
	"as does the rate of speech unless it was flattened."

// Report is how well speakers are hidden. Values that could not be had are nil.
type Report struct {
	Speakers   int      `json:"speakers"`
	Recordings int      `json:"recordings"`
	Original   *Attack  `json:"original"` // nothing is anonymised
	Ignorant   *Attack  `json:"ignorant"`
	Lazy       *Attack  `json:"lazyInformed"`
	WordsLost  *float64 `json:"phonesOtherwise"` // 0 to 1, can pass 1
	// Similarity between two speakers, in the mean and at most.
	SpreadBefore *float64 `json:"spreadBefore"`
	MostBefore   *float64 `json:"mostBefore"`
	Spread       *float64 `json:"spread"`
	Most         *float64 `json:"most"`
	// Rates of speech in phones a second: the mean over speakers, and the standard deviation.
	RateBefore      *float64 `json:"rateBefore"`
	DeviationBefore *float64 `json:"rateDeviationBefore"`
	Rate            *float64 `json:"rate"`
	Deviation       *float64 `json:"rateDeviation"`
	Remark          string   `json:"remark"`

	trials [3]Trials // of Original, Ignorant and Lazy
}

// NewReport has attackers try. originals and anonymised hold the same recordings of the same speakers, and so does again, which may be nil; where an
// original has no counterpart its place is a zero Hearing. Attacks for which there are too few recordings are nil.
func NewReport(originals, anonymised, again Corpus) *Report {
	r := &Report{Speakers: len(originals), Remark: Remark}
	attack := func(i int, enrol, trial Corpus) *Attack {
		r.trials[i] = Try(enrol.Enrolled(), trial.Tried())
		a := r.trials[i].Attack()
		if math.IsNaN(a.Rate) {
			return nil
		}
		return &a
	}
	r.Original, r.Ignorant = attack(0, originals, originals), attack(1, originals, anonymised)
	if again != nil {
		r.Lazy = attack(2, again, anonymised)
	}
	r.SpreadBefore, r.MostBefore = known(Spread(originals.part(0, 1)))
	r.Spread, r.Most = known(Spread(anonymised.part(0, 1)))
	r.RateBefore, r.DeviationBefore = known(RateSpread(originals.rates()))
	r.Rate, r.Deviation = known(RateSpread(anonymised.rates()))
	return r
}

// known are two values that are known together, or nil.
func known(a, b float64) (*float64, *float64) {
	if math.IsNaN(a) || math.IsNaN(b) {
		return nil, nil
	}
	return &a, &b
}

// Row is an attacker, as reports show one.
type Row struct {
	Name   string
	About  string
	Attack *Attack
	Trials Trials
}

// Rows are the attackers that could try.
func (r *Report) Rows() []Row {
	var rows []Row
	for i, row := range []Row{
		{Name: "nothing anonymised", About: "knows the speakers by originals, and tries originals", Attack: r.Original},
		{Name: "ignorant attacker", About: "knows the speakers by originals, and tries the anonymised", Attack: r.Ignorant},
		{Name: "lazy-informed attacker", About: "knows the speakers in other pseudo-voices, and tries the anonymised", Attack: r.Lazy},
	} {
		if row.Attack != nil {
			row.Trials = r.trials[i]
			rows = append(rows, row)
		}
	}
	return rows
}

const normal95 = 1.96 // quantile of a 95 % interval

// Margin is by how much, 0 to 1, a rate near a half can be off by chance, for so few trials of the same speaker: half of a 95 % interval.
func (a Attack) Margin() float64 { return normal95 * math.Sqrt(0.25/float64(a.Same)) }

// Interval is where the rate lies with a probability of 95 %, as far as trials of the same speaker are independent (Wilson 1927).
func (a Attack) Interval() (low, high float64) {
	n, z := float64(a.Same), normal95
	middle := (a.Rate + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(a.Rate*(1-a.Rate)/n+z*z/(4*n*n))
	return max(0, middle-half), min(1, middle+half)
}
