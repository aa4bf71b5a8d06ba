package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"path/filepath"

	"github.com/starvc/vc/internal/anonymize"
	"github.com/starvc/vc/internal/atomicfile"
	"github.com/starvc/vc/internal/batch"
	"github.com/starvc/vc/internal/eval"
	"github.com/starvc/vc/internal/phones"
	"github.com/urfave/cli/v2"
)

const anonymizeReportDescription = `Lets attackers try to tell the speakers of anonymised recordings, by the judge that "vc eval" uses. ORIGINALS has a folder for each
speaker, ANONYMISED the results under the same names. AGAIN holds the same recordings anonymised once more, with other voices.

   ignorant  knows the speakers by original recordings
   lazy      knows that recordings were anonymised, and so knows the speakers by AGAIN, in other voices

Speakers are known by every other recording and tried on the rest. The equal error rate is 50 % for one who guesses, 0 % for one
who is always right. Words lost are the phones that the phone network reads otherwise than in the original. For what conversion
alone loses, run this on the results of "vc batch".

EXAMPLES

   vc anonymize report interviews/ anonymous/ again/
   vc anonymize report interviews/ anonymous/ --json report.json`

func anonymizeReportCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "report",
		Usage:       "say how well attackers tell the speakers",
		UsageText:   "vc anonymize report ORIGINALS ANONYMISED [AGAIN] [flags]",
		ArgsUsage:   "ORIGINALS ANONYMISED [AGAIN]",
		Description: anonymizeReportDescription,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "judge", Usage: "`FILE` of the judge of similarity, from \"vc train judge\" (default: the one in the program)"},
			&cli.StringFlag{Name: "phones", Usage: "`FILE` of the phone network, from \"vc train phones\", or none (default: the one in the program)"},
			&cli.StringFlag{Name: "json", Usage: "write the figures to `FILE` too"},
		},
		Action: func(c *cli.Context) error {
			if n := c.NArg(); n != 2 && n != 3 {
				return usagef("anonymize report", "anonymize report: %d folders, want the originals, the anonymised ones and, for the lazy attacker, these made again", n)
			}
			return runAnonymizeReport(c.Context, e, c.Args().Slice(), suiteOptions{judge: c.String("judge"), phones: c.String("phones")}, c.String("json"))
		},
	}
}

// judged is what is heard in a recording.
type judged struct {
	embedding []float32 // nil where there is too little speech
	phones    []uint8
}

// anonymityReport is what a report says. Values that could not be had are nil.
type anonymityReport struct {
	Speakers   int               `json:"speakers"`
	Recordings int               `json:"recordings"`
	Original   *anonymize.Attack `json:"original"` // nothing is anonymised
	Ignorant   *anonymize.Attack `json:"ignorant"`
	Lazy       *anonymize.Attack `json:"lazyInformed"`
	WordsLost  *float64          `json:"phonesOtherwise"` // 0 to 1, can pass 1
	// Similarity between two speakers, in the mean and at most.
	SpreadBefore *float64 `json:"spreadBefore"`
	MostBefore   *float64 `json:"mostBefore"`
	Spread       *float64 `json:"spread"`
	Most         *float64 `json:"most"`
	Remark       string   `json:"remark"`
}

const noGuarantee = "This is no guarantee: other attackers may be stronger than this judge, and words, accent, rate and manner of speaking stay."

// needJudge finds the judge of voices, without which nothing can be said, and the phone network where it is asked for.
func needJudge(o suiteOptions) (so eval.SuiteOptions, err error) {
	if err = findJudges(&so, o); err == nil && so.Judge == nil {
		err = errors.New("this program has no judge of voices: make one with \"vc train judge\", and give it with --judge")
	}
	return so, err
}

func runAnonymizeReport(ctx context.Context, e env, folders []string, o suiteOptions, jsonPath string) error {
	so, err := needJudge(o)
	if err != nil {
		return err
	}
	var order []string
	bySpeaker := map[string][]string{} // names of recordings, without endings
	heard := make([]map[string]judged, len(folders))
	for i, folder := range folders {
		heard[i] = map[string]judged{}
		for _, in := range inFolder(ctx, folder) {
			if in.err != nil {
				return fmt.Errorf("%s: %w", in.path, in.err)
			}
			name := filepath.ToSlash(batch.WithoutEnding(in.inside))
			if speaker := path.Dir(name); i == 0 {
				if speaker == "." {
					return fmt.Errorf("%s lies in no speaker's folder: put it into one", in.path)
				}
				if bySpeaker[speaker] == nil {
					order = append(order, speaker)
				}
				bySpeaker[speaker] = append(bySpeaker[speaker], name)
			} else if _, ok := heard[0][name]; !ok {
				continue
			}
			clip, err := readClip(ctx, e, in.path)
			if err != nil {
				return err
			}
			var h judged
			if h.embedding, err = so.Judge.EmbedClip(clip); err != nil {
				h.embedding = nil
			}
			if so.Phones != nil && i < 2 {
				if h.phones, err = so.Phones.ReadClip(clip); err != nil {
					return fmt.Errorf("%s: %w", in.path, err)
				}
			}
			heard[i][name] = h
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(heard[i]) == 0 {
			return fmt.Errorf("%s has no recordings of the names in %s: want the results of \"vc anonymize\" of that folder", folder, folders[0])
		}
	}
	// part gives every other recording, from the first or the second on, or all.
	part := func(folder, from, step int) [][][]float32 {
		all := make([][][]float32, len(order))
		for i, speaker := range order {
			for k := from; k < len(bySpeaker[speaker]); k += step {
				all[i] = append(all[i], heard[folder][bySpeaker[speaker][k]].embedding)
			}
		}
		return all
	}
	attack := func(enrol, trial int) *anonymize.Attack {
		a := anonymize.Verify(part(enrol, 0, 2), part(trial, 1, 2))
		if math.IsNaN(a.Rate) {
			return nil
		}
		return &a
	}
	r := anonymityReport{Speakers: len(order), Recordings: len(heard[1]), Original: attack(0, 0), Ignorant: attack(0, 1), Remark: noGuarantee}
	if r.Original == nil || r.Ignorant == nil {
		return fmt.Errorf("too few recordings for an attack: want two speakers or more, and two recordings or more of each, in %s and %s", folders[0], folders[1])
	}
	if len(folders) > 2 {
		if r.Lazy = attack(2, 1); r.Lazy == nil {
			return fmt.Errorf("too few recordings for an attack in %s", folders[2])
		}
	}
	spread := func(folder int) (mean, most *float64) {
		a, b := anonymize.Spread(part(folder, 0, 1))
		if math.IsNaN(a) {
			return nil, nil
		}
		return &a, &b
	}
	r.SpreadBefore, r.MostBefore = spread(0)
	r.Spread, r.Most = spread(1)
	var words eval.PhoneErrors
	for name, h := range heard[1] {
		words.Wrong += phones.Distance(heard[0][name].phones, h.phones)
		words.Spoken += len(heard[0][name].phones)
	}
	if rate := words.Rate(); !math.IsNaN(rate) {
		r.WordsLost = &rate
	}
	if jsonPath != "" {
		err := atomicfile.Write(jsonPath, func(w io.Writer) error {
			encoder := json.NewEncoder(w)
			encoder.SetIndent("", "  ")
			return encoder.Encode(r)
		})
		if err != nil {
			return err
		}
	}
	return r.writeText(e.stdout)
}

func (r anonymityReport) writeText(w io.Writer) error {
	t := newTable(w)
	t.row("recordings", "%d, of %d speakers", r.Recordings, r.Speakers)
	for _, a := range []struct {
		name string
		*anonymize.Attack
	}{{"nothing anonymised", r.Original}, {"ignorant attacker", r.Ignorant}, {"lazy-informed attacker", r.Lazy}} {
		if a.Attack != nil {
			t.row(a.name, "equal error rate %.1f %% (%d trials of the same speaker, %d of others)", 100*a.Rate, a.Same, a.Different)
		}
	}
	if r.WordsLost != nil {
		t.row("words lost", "%.1f %% of the phones are read otherwise", 100**r.WordsLost)
	}
	if r.Spread != nil && r.SpreadBefore != nil {
		t.row("voices", "similarity of two %.2f in the mean and %.2f at most; before %.2f and %.2f", *r.Spread, *r.Most, *r.SpreadBefore, *r.MostBefore)
	}
	if err := t.w.Flush(); err != nil {
		return standardOutputError(err)
	}
	if n := r.Ignorant.Same; n < 100 {
		fmt.Fprintf(w, "With %d trials of the same speaker a rate can be off by %.0f points: more recordings say more.\n", n, 100*1.96*math.Sqrt(0.25/float64(n)))
	}
	_, err := fmt.Fprintln(w, r.Remark)
	return err
}
