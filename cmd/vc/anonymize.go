package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/anonymize"
	"github.com/starvc/vc/internal/atomicfile"
	"github.com/starvc/vc/internal/batch"
	"github.com/starvc/vc/internal/judge"
	"github.com/urfave/cli/v2"
)

const anonymizeDescription = `Converts a corpus, as "vc batch" does, to voices of nobody: random styles and mixtures of the model's voices, of which each
speaker is given one that is far from the speaker's own voice and from the others', by the judge that "vc eval" uses. The speaker
is the folder that a recording lies in, or what --speakers says; with --per utterance each recording has its own pseudo-speaker.

Without --seed the voices are drawn by chance and who became what is written nowhere. Whoever knows the seed, the recordings and
the model can find that out again. Titles, artists and other tags of the recordings are left out; names of files and folders are
kept, so rename those that name somebody.

This is no guarantee: words, accent, manner of speaking and, without --flatten rate, rate stay, and may tell who speaks.
"vc anonymize report" measures how well attackers tell the speakers of the results.

--flatten rate brings all to one rate of speech, as the phone network hears it. Results then last 0.75 to 1.33 times as long as the
recordings, and so no longer run beside a video, labels of times or another speaker's recording.

EXAMPLES

   a folder with a folder for each speaker:
      vc anonymize interviews/ --out-dir anonymous/

   a Kaldi corpus, the same voices on any day, and a list of who became what:
      vc anonymize wav.scp --speakers utt2spk --out-dir anonymous/ --seed 7391 --mapping mapping.tsv

   another voice for each recording, all with one spread of melody and one rate of speech:
      vc anonymize interviews/ --out-dir anonymous/ --per utterance --flatten melody,rate

   how well it hides: make the same again with other voices, and let attackers try:
      vc anonymize interviews/ --out-dir again/
      vc anonymize report interviews/ anonymous/ again/`

// What a pseudo-speaker is given to.
const (
	perSpeaker   = "speaker"
	perUtterance = "utterance"
)

// What --flatten makes alike, in the order in which manifests name it.
const (
	flattenMelody = "melody"
	flattenRate   = "rate"
)

const (
	flatSpreadSemitones = 1.5 // what --flatten melody makes the spread of F0
	candidates          = 32  // pseudo-speakers that are chosen from
	judgedRecordings    = 3   // of a speaker, that tell its voice
	judgedSeconds       = 2   // of the recording that candidates are heard in
)

func anonymizeCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "anonymize",
		Usage:       "convert a corpus to voices of nobody",
		UsageText:   "vc anonymize SOURCE --out-dir DIR [flags]\nvc anonymize report ORIGINALS ANONYMISED [AGAIN] [flags]",
		ArgsUsage:   "SOURCE",
		Description: anonymizeDescription,
		Subcommands: []*cli.Command{anonymizeReportCommand(e)},
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "per", Value: perSpeaker, Usage: "give a pseudo-speaker to each `WHAT`: speaker or utterance"},
			&cli.StringFlag{Name: "speakers", DefaultText: "the folders' names", Usage: "take who speaks from `FILE`, in each line a recording as SOURCE has it, a tab or a space, and a speaker"},
			&cli.StringFlag{Name: "seed", DefaultText: "by chance, and never written", Usage: "draw by `SEED`, a whole number from 0 on; keep it secret"},
			&cli.StringFlag{Name: "mapping", DefaultText: "never written", Usage: "write who became what to `FILE`, which only you can read"},
			&cli.StringSliceFlag{Name: "flatten", Usage: "make `WHAT` alike in all voices: melody, the spread of the pitch; rate, that of speech; or both, joined by a comma"},
			&cli.StringFlag{Name: "judge", Usage: "`FILE` of the judge of similarity, from \"vc train judge\" (default: the one in the program)"},
			&cli.StringFlag{Name: "phones", Usage: "`FILE` of the phone network that tells rates, from \"vc train phones\" (default: the one in the program)"},
		}, corpusFlags()),
		Action: func(c *cli.Context) error {
			o := readCorpusFlags(c)
			o.bare = true
			o.anonymous = &anonymousOptions{
				per: c.String("per"), speakers: c.String("speakers"), seed: c.String("seed"), mapping: c.String("mapping"),
				flatten: flattened(c.StringSlice("flatten")), judge: c.String("judge"), phones: c.String("phones"),
			}
			share, err := o.validate(e.getenv, c.IsSet("shards"))
			if err == nil {
				err = o.anonymous.validate(share)
			}
			if err != nil {
				return &usageError{"anonymize", fmt.Errorf("anonymize: %w", err)}
			}
			return runBatch(c.Context, e, o, share)
		},
	}
}

type anonymousOptions struct {
	per, speakers, seed, mapping, judge, phones string
	flatten                                     []string // each once, in the order of the constants
}

// flattened brings what is to be alike into one order, so that settings know each other. Unknown words come last.
func flattened(words []string) []string {
	known := []string{flattenMelody, flattenRate}
	place := func(word string) int {
		if i := slices.Index(known, word); i >= 0 {
			return i
		}
		return len(known)
	}
	var all []string
	for _, word := range strings.Split(strings.Join(words, ","), ",") {
		if word = strings.TrimSpace(word); word != "" && !slices.Contains(all, word) {
			all = append(all, word)
		}
	}
	slices.SortStableFunc(all, func(a, b string) int { return place(a) - place(b) })
	return all
}

func (o anonymousOptions) flattens(what string) bool { return slices.Contains(o.flatten, what) }

func (o anonymousOptions) validate(share batch.Shard) error {
	switch {
	case o.per != perSpeaker && o.per != perUtterance:
		return fmt.Errorf("--per is %q, want %s or %s", o.per, perSpeaker, perUtterance)
	case o.per == perUtterance && o.speakers != "":
		return errors.New("--speakers says who speaks, which --per utterance makes no use of: give one of them")
	case o.phones != "" && !o.flattens(flattenRate):
		return errors.New("--phones names the network that tells rates of speech: it goes with --flatten rate")
	case o.seed == "" && share.Count > 1:
		return errors.New("several shards must draw the same voices: give all of them the same --seed")
	}
	for _, what := range o.flatten {
		if what != flattenMelody && what != flattenRate {
			return fmt.Errorf("--flatten is %q, want %s, %s, or both, joined by a comma", what, flattenMelody, flattenRate)
		}
	}
	if o.seed != "" {
		if _, err := strconv.ParseUint(o.seed, 10, 64); err != nil {
			return fmt.Errorf("--seed is %q, want a whole number, 0 or more", o.seed)
		}
	}
	return nil
}

// speakersOf says whose voice each item is.
func (c *collection) speakersOf() ([]string, error) {
	o := c.o.anonymous
	names := make([]string, len(c.items))
	plain := c.plainItems()
	for i, item := range plain {
		switch dir := path.Dir(item.Key); {
		case item.Voice != "":
			return nil, fmt.Errorf("the list names a voice for %s, but pseudo-speakers are drawn: leave the second column out", item.Key)
		case o.per == perUtterance:
			names[i] = item.Key
		case o.speakers == "" && dir != "." && !c.scp:
			names[i] = dir
		case o.speakers == "":
			return nil, fmt.Errorf("nothing says who speaks in %s: put it into a folder for its speaker, or give --speakers, or --per utterance", item.Key)
		}
	}
	if o.speakers == "" {
		return names, nil
	}
	if err := batch.ReadVoices(o.speakers, plain); err != nil {
		return nil, fmt.Errorf("--speakers: %w", plainCause(err))
	}
	for i, item := range plain {
		if names[i] = item.Voice; item.Voice == "" {
			return nil, fmt.Errorf("--speakers: %s says nothing of %s", o.speakers, item.Key)
		}
	}
	return names, nil
}

// findPseudoSpeakers gives each item its voice. It depends on all items, the seed and the model, and on no shard.
func (c *collection) findPseudoSpeakers(ctx context.Context) error {
	o := c.o.anonymous
	names, err := c.speakersOf()
	if err != nil {
		return err
	}
	if o.phones != "" {
		if c.sums[o.phones], err = batch.Checksum(ctx, o.phones); err != nil {
			return fmt.Errorf("--phones: %w", err)
		}
	}
	if c.o.check {
		return nil
	}
	ask := suiteOptions{judge: o.judge, phones: o.phones}
	if !o.flattens(flattenRate) {
		ask.phones = "none"
	}
	so, err := needJudge(ask)
	if err != nil {
		return err
	}
	if o.flattens(flattenRate) {
		if so.Phones == nil {
			return errors.New("--flatten rate tells rates by a phone network, and this program has none: make one with \"vc train phones\", and give it with --phones")
		}
		c.findTempos(ctx, names, so.Phones)
	}
	var order []string
	heard := map[string][][]float32{} // by speaker
	tried := map[string]int{}
	var probe audio.Clip
	for i, item := range c.items {
		name := names[i]
		if tried[name] == 0 {
			order = append(order, name)
		}
		if tried[name]++; len(heard[name]) >= judgedRecordings {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		clip, err := readClip(ctx, c.env, item.Path)
		if err != nil {
			continue // its conversion says why
		}
		embedding, err := so.Judge.EmbedClip(clip)
		if err != nil {
			continue // too short
		}
		heard[name] = append(heard[name], embedding)
		if probe.Rate == 0 {
			probe = clip
			probe.Samples = clip.Samples[:min(len(clip.Samples), judgedSeconds*clip.Rate)]
		}
	}
	if probe.Rate == 0 {
		return errors.New("no recording has enough speech to judge voices by: there must be one with more than half a second of it")
	}
	seed := rand.Uint64()
	if o.seed != "" {
		seed, _ = strconv.ParseUint(o.seed, 10, 64) // validate has seen to it
	}
	var pool []chosenVoice
	var embeddings [][]float32
	quick := c.ask
	quick.Threads = c.o.cores(c.env.getenv)
	draw := rand.New(rand.NewPCG(seed, 0))
	for range candidates {
		voice, err := pseudoSpeaker(c.model, draw, len(pool)%2 == 1)
		if err != nil {
			return err
		}
		if o.flattens(flattenMelody) {
			voice.LogF0.Std = flatSpreadSemitones * math.Ln2 / 12
		}
		result, err := c.model.Convert(ctx, probe, voice.Voice, quick)
		if err != nil {
			return err
		}
		if embedding, err := so.Judge.EmbedClip(result.Clip); err == nil {
			pool, embeddings = append(pool, voice), append(embeddings, embedding)
		}
	}
	if len(pool) == 0 {
		return errors.New("the judge hears no speech in what the model makes: choose another --model")
	}
	sources := make([][]float32, len(order))
	draw.Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
	for i, name := range order {
		if e := heard[name]; len(e) > 0 {
			sources[i] = judge.Enrol(e)
		}
	}
	voices := map[string]chosenVoice{}
	for i, k := range anonymize.Choose(sources, embeddings) {
		voices[order[i]] = pool[k]
	}
	c.pseudo = map[string]chosenVoice{}
	for i, item := range c.items {
		c.pseudo[item.Key] = voices[names[i]]
	}
	slices.Sort(order)
	return o.writeMapping(order, voices)
}

// pseudoSpeaker draws a voice: a random style, or a mixture of three or four of the model's voices.
func pseudoSpeaker(m *vc.Model, draw *rand.Rand, mixture bool) (chosenVoice, error) {
	const label = "pseudo-speaker" // in the mark of results: it must not tell one from another
	if !mixture {
		seed := draw.Uint64()
		v, of, err := m.RandomVoice("", seed)
		return chosenVoice{Voice: v, label: label, origin: fmt.Sprintf("random %s %d", of, seed)}, err
	}
	speakers := m.Voices()
	n := min(3+draw.IntN(2), len(speakers))
	var voices []vc.Voice
	var weights []float64
	var words []string
	for _, k := range draw.Perm(len(speakers))[:n] {
		voices = append(voices, m.SpeakerVoice(k))
		weights = append(weights, draw.ExpFloat64()) // Dirichlet(1, ..., 1), once they sum to 1
		words = append(words, fmt.Sprintf("%s=%.4g", speakers[k].Name, weights[len(weights)-1]))
	}
	v, err := vc.Mix(voices, weights)
	return chosenVoice{Voice: v, label: label, origin: "mix " + strings.Join(words, ",")}, err
}

// writeMapping writes who became what, where that is asked for.
func (o anonymousOptions) writeMapping(names []string, voices map[string]chosenVoice) error {
	if o.mapping == "" {
		return nil
	}
	claimed := false
	if o.seed == "" { // an earlier run has drawn other voices for what it has finished, and one beside this draws others too
		f, err := os.OpenFile(o.mapping, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, os.ErrExist) {
			return fmt.Errorf("--mapping: %s is there, and may be the mapping of an earlier run: name another file", o.mapping)
		}
		if err != nil {
			return fmt.Errorf("--mapping: cannot write %s: %w", o.mapping, plainCause(err))
		}
		f.Close()
		claimed = true
	}
	err := atomicfile.WriteMode(o.mapping, 0o600, func(w io.Writer) error {
		for _, name := range names {
			if _, err := fmt.Fprintf(w, "%s\t%s\n", name, voices[name].origin); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		if claimed {
			os.Remove(o.mapping)
		}
		return fmt.Errorf("--mapping: %w", err)
	}
	return nil
}
