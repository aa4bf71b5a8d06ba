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
	"github.com/starvc/vc/internal/judge"
	"github.com/starvc/vc/internal/phones"
	"github.com/urfave/cli/v2"
)

const anonymizeReportDescription = `Lets attackers try to tell the speakers of anonymised recordings, by the judge that "vc eval" uses. ORIGINALS has a folder for each
speaker, ANONYMISED the results under the same names. AGAIN holds the same recordings anonymised once more, with other voices.

   ignorant  knows the speakers by original recordings
   lazy      knows that recordings were anonymised, and so knows the speakers by AGAIN, in other voices

Speakers are known by every other recording and tried on the rest. The equal error rate is 50 % for one who guesses, 0 % for one
who is always right. Words lost are the phones that the phone network reads otherwise than in the original. For what conversion
alone loses, run this on the results of "vc batch". The rate of speech is in phones a second of speech, pauses left out.

EXAMPLES

   vc anonymize report interviews/ anonymous/ again/
   vc anonymize report interviews/ anonymous/ --json report.json --html report.html`

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
			&cli.StringFlag{Name: "html", Usage: "write a page with the figures and pictures of the attacks to `FILE`"},
		},
		Action: func(c *cli.Context) error {
			if n := c.NArg(); n != 2 && n != 3 {
				return usagef("anonymize report", "anonymize report: %d folders, want the originals, the anonymised ones and, for the lazy attacker, these made again", n)
			}
			return runAnonymizeReport(c.Context, e, c.Args().Slice(), reportOptions{c.String("judge"), c.String("phones"), c.String("json"), c.String("html")})
		},
	}
}

// needJudge finds the judge of voices, without which nothing can be said, and the phone network where it is asked for.
func needJudge(o suiteOptions) (so eval.SuiteOptions, err error) {
	if err = findJudges(&so, o); err == nil && so.Judge == nil {
		err = errors.New("this program has no judge of voices: make one with \"vc train judge\", and give it with --judge")
	}
	return so, err
}

type reportOptions struct {
	judge, phones, json, html string
}

func runAnonymizeReport(ctx context.Context, e env, folders []string, o reportOptions) error {
	so, err := needJudge(suiteOptions{judge: o.judge, phones: o.phones})
	if err != nil {
		return err
	}
	r, err := anonymityOf(ctx, e, folders, so)
	if err != nil {
		return err
	}
	if o.json != "" {
		err := atomicfile.Write(o.json, func(w io.Writer) error {
			encoder := json.NewEncoder(w)
			encoder.SetIndent("", "  ")
			return encoder.Encode(r)
		})
		if err != nil {
			return err
		}
	}
	if o.html != "" {
		if err := atomicfile.Write(o.html, r.WritePage); err != nil {
			return err
		}
	}
	return writeAnonymity(e.stdout, r)
}

// anonymityOf hears the folders and has attackers try.
func anonymityOf(ctx context.Context, e env, folders []string, so eval.SuiteOptions) (*anonymize.Report, error) {
	speakers, err := speakersIn(ctx, folders[0])
	if err != nil {
		return nil, err
	}
	corpora, heard := make([]anonymize.Corpus, 3), make([]map[string]anonymize.Hearing, len(folders))
	for i, folder := range folders {
		network := so.Phones
		if i == 2 {
			network = nil // the attacker who knows these asks for no words
		}
		if heard[i], err = hearFolder(ctx, e, folder, speakers.named, so.Judge, network); err != nil {
			return nil, err
		}
		if len(heard[i]) == 0 {
			return nil, fmt.Errorf("%s has no recordings of the names in %s: want the results of \"vc anonymize\" of that folder", folder, folders[0])
		}
		corpora[i] = speakers.corpus(heard[i])
	}
	r := anonymize.NewReport(corpora[0], corpora[1], corpora[2])
	r.Recordings = len(heard[1])
	switch {
	case r.Original == nil || r.Ignorant == nil:
		return nil, fmt.Errorf("too few recordings for an attack: want two speakers or more, and two recordings or more of each, in %s and %s", folders[0], folders[1])
	case len(folders) > 2 && r.Lazy == nil:
		return nil, fmt.Errorf("too few recordings for an attack in %s", folders[2])
	}
	var words eval.PhoneErrors
	for name, h := range heard[1] {
		words.Wrong += phones.Distance(heard[0][name].Read.Phones, h.Read.Phones)
		words.Spoken += len(heard[0][name].Read.Phones)
	}
	if rate := words.Rate(); !math.IsNaN(rate) {
		r.WordsLost = &rate
	}
	return r, nil
}

// spoken is who speaks in a folder of originals. Recordings are named by their paths inside it, parted by slashes, without endings.
type spoken struct {
	recordings [][]string // by speaker
	named      map[string]bool
}

func speakersIn(ctx context.Context, folder string) (spoken, error) {
	s := spoken{named: map[string]bool{}}
	place := map[string]int{}
	for _, in := range inFolder(ctx, folder) {
		if in.err != nil {
			return s, fmt.Errorf("%s: %w", in.path, in.err)
		}
		name := recordingName(in)
		speaker := path.Dir(name)
		if speaker == "." {
			return s, fmt.Errorf("%s lies in no speaker's folder: put it into one", in.path)
		}
		i, ok := place[speaker]
		if !ok {
			i = len(s.recordings)
			place[speaker] = i
			s.recordings = append(s.recordings, nil)
		}
		s.recordings[i] = append(s.recordings[i], name)
		s.named[name] = true
	}
	return s, ctx.Err()
}

func recordingName(in input) string { return filepath.ToSlash(batch.WithoutEnding(in.inside)) }

// corpus orders what was heard by speaker.
func (s spoken) corpus(heard map[string]anonymize.Hearing) anonymize.Corpus {
	c := make(anonymize.Corpus, len(s.recordings))
	for i, names := range s.recordings {
		for _, name := range names {
			c[i] = append(c[i], heard[name])
		}
	}
	return c
}

// hearFolder hears the recordings in folder that have one of the names, with a phone network if there is one.
func hearFolder(ctx context.Context, e env, folder string, named map[string]bool, voices *judge.Judge, network *phones.Network) (map[string]anonymize.Hearing, error) {
	heard := map[string]anonymize.Hearing{}
	for _, in := range inFolder(ctx, folder) {
		if in.err != nil {
			return nil, fmt.Errorf("%s: %w", in.path, in.err)
		}
		name := recordingName(in)
		if !named[name] {
			continue
		}
		clip, err := readClip(ctx, e, in.path)
		if err != nil {
			return nil, err
		}
		var h anonymize.Hearing
		if h.Embedding, err = voices.EmbedClip(clip); err != nil {
			h.Embedding = nil // too short
		}
		if network != nil {
			if h.Read, err = network.Hear(clip); err != nil {
				return nil, fmt.Errorf("%s: %w", in.path, err)
			}
		}
		heard[name] = h
	}
	return heard, ctx.Err()
}

func writeAnonymity(w io.Writer, r *anonymize.Report) error {
	t := newTable(w)
	t.row("recordings", "%d, of %d speakers", r.Recordings, r.Speakers)
	for _, a := range r.Rows() {
		t.row(a.Name, "equal error rate %.1f %% (%d trials of the same speaker, %d of others)", 100*a.Attack.Rate, a.Attack.Same, a.Attack.Different)
	}
	if r.WordsLost != nil {
		t.row("words lost", "%.1f %% of the phones are read otherwise", 100**r.WordsLost)
	}
	if r.Spread != nil && r.SpreadBefore != nil {
		t.row("voices", "similarity of two %.2f in the mean and %.2f at most; before %.2f and %.2f", *r.Spread, *r.Most, *r.SpreadBefore, *r.MostBefore)
	}
	if r.Rate != nil && r.RateBefore != nil {
		t.row("rate of speech", "%.1f phones a second, standard deviation over speakers %.2f; before %.1f and %.2f", *r.Rate, *r.Deviation, *r.RateBefore, *r.DeviationBefore)
	}
	if err := t.w.Flush(); err != nil {
		return standardOutputError(err)
	}
	if a := r.Ignorant; a.Same < 100 {
		fmt.Fprintf(w, "With %d trials of the same speaker a rate can be off by %.0f points: more recordings say more.\n", a.Same, 100*a.Margin())
	}
	_, err := fmt.Fprintln(w, r.Remark)
	return err
}
