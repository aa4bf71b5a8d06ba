package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/atomicfile"
	"github.com/starvc/vc/internal/base"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/disturb"
	"github.com/starvc/vc/internal/eval"
	"github.com/starvc/vc/internal/judge"
	"github.com/starvc/vc/internal/livesound"
	"github.com/starvc/vc/internal/phones"
	"github.com/starvc/vc/internal/synth"
)

// suiteOptions are the flags of the full evaluation.
type suiteOptions struct {
	sources, targets   string
	from, to           []string
	utterances         []string
	sameWords          bool
	judge, phones      string
	labels, table      string
	perSource          int
	json, html, export string
	examples, random   int
	disturb            []disturb.Condition
	latency            string // of the stream that converts; empty for none
}

// runSuite scores conversions of all sources to all targets.
func runSuite(ctx context.Context, e env, o evalOptions) error {
	for _, path := range []string{o.suite.json, o.suite.html} {
		if err := checkWritable(path, false); err != nil {
			return err
		}
	}
	m, path, err := loadConverter(e, o.model, o.noMark)
	if err != nil {
		return err
	}
	converter, err := newConverter(m, vc.Options{Vocoder: o.vocoder, Strength: o.strength, Threads: 1})
	if err != nil {
		return err
	}
	so := eval.SuiteOptions{
		PerSource: o.suite.perSource, SameWords: o.suite.sameWords, Text: transcripts(), Features: m.Features(),
		Vocoder: string(converter.sound.Vocoder()), Model: path, Config: eval.DefaultConfig(), Export: o.suite.export, Disturb: o.suite.disturb,
	}
	if o.suite.html != "" {
		so.Keep = o.suite.examples
	}
	if err := findSpeakers(&so, m, o.suite); err != nil {
		return err
	}
	if err := findJudges(&so, o.suite); err != nil {
		return err
	}
	voices := map[string]vc.Voice{}
	for _, t := range so.Targets {
		if voices[t.Name], err = m.Voice(t.Name); err != nil {
			return err
		}
	}
	if so.Latency, err = liveLatency(m, voices[so.Targets[0].Name], o.vocoder); err != nil {
		return err
	}
	var live *livesound.Latency
	if o.suite.latency != "" {
		l, err := findLatency(o.suite.latency)
		if err != nil {
			return err
		}
		live = &l
	}
	turn := func(ctx context.Context, clip audio.Clip, v vc.Voice) (eval.Conversion, error) {
		r, err := m.Convert(ctx, clip, v, converter.ask)
		if err != nil {
			return eval.Conversion{}, err
		}
		if live != nil { // the melody that was asked for is that of the file's conversion
			r.Clip, err = convertLive(m, clip, v, *live, converter.ask)
		}
		return eval.Conversion{Clip: r.Clip, Mapped: r.Mapped}, err
	}
	so.Convert = func(ctx context.Context, clip audio.Clip, target string) (eval.Conversion, error) {
		return turn(ctx, clip, voices[target])
	}
	so.Vocode = converter.vocode
	bar := newProgress(e.stderr, e.stderrIsTerminal, "scoring")
	so.Progress = func(done, total int) { bar.set(float64(done) / float64(total)) }
	report, err := eval.Suite(ctx, so)
	bar.done()
	if err != nil {
		return err
	}
	if o.suite.random > 0 {
		if report.Random, err = checkRandom(ctx, e, so, m, converter.sound.Vocoder(), o.suite.random, turn); err != nil {
			return err
		}
	}
	if err := report.WriteText(e.stdout); err != nil {
		return err
	}
	for _, out := range []struct {
		path  string
		write func(io.Writer) error
	}{{o.suite.json, report.WriteJSON}, {o.suite.html, report.WritePage}} {
		if out.path == "" {
			continue
		}
		if err := atomicfile.Write(out.path, out.write); err != nil {
			return err
		}
		e.tell("wrote %s", out.path)
	}
	if o.suite.export != "" {
		e.tell("conversions lie in %s, listed in %s", o.suite.export, filepath.Join(o.suite.export, "manifest.tsv"))
	}
	return nil
}

// convertLive is clip as a stream converts it that begins with it, knowing nothing of the speaker.
func convertLive(m *vc.Model, clip audio.Clip, v vc.Voice, l livesound.Latency, ask vc.Options) (audio.Clip, error) {
	o := l.Options(m, clip.Rate)
	o.OutputRate, o.Vocoder, o.Strength = m.Features().SampleRate, ask.Vocoder, ask.Strength
	s, err := m.NewStream(v, o)
	if err != nil {
		return audio.Clip{}, err
	}
	return audio.Clip{Samples: s.Flush(s.Process(nil, clip.Samples)), Rate: o.OutputRate}, nil
}

// randomSources is how many recordings the check of random styles converts with each.
const randomSources = 2

func checkRandom(ctx context.Context, e env, so eval.SuiteOptions, m *vc.Model, vocoder synth.Vocoder, draws int,
	turn func(context.Context, audio.Clip, vc.Voice) (eval.Conversion, error)) ([]eval.RandomScores, error) {
	ro := eval.RandomOptions{Draws: draws, Targets: so.Targets,
		Convert: func(ctx context.Context, clip audio.Clip, target string, draw int) (eval.Conversion, error) {
			v, _, err := m.RandomVoice(target, uint64(draw+1))
			if err != nil {
				return eval.Conversion{}, err
			}
			return turn(ctx, clip, v)
		},
	}
	for i := range randomSources { // of different speakers, as far apart in the list as can be
		s := so.Sources[i*(len(so.Sources)-1)/max(1, randomSources-1)]
		if f := s.Files[i%len(s.Files)]; !slices.Contains(ro.Sources, f) {
			ro.Sources = append(ro.Sources, f)
		}
	}
	if vocoder == synth.SourceFilter || vocoder == synth.Neural {
		net, err := synth.FindNet(m.Networks())
		if err != nil {
			return nil, err
		}
		ro.Revocode = func(ctx context.Context, cfg features.Config, f features.Frames, samples int, seed uint64) ([]float32, error) {
			s, err := synth.New(cfg, synth.Options{Vocoder: vocoder, Net: net, Seed: seed})
			if err != nil {
				return nil, err
			}
			return s.Synthesize(ctx, f.LogMel, f.F0, samples, nil)
		}
	}
	bar := newProgress(e.stderr, e.stderrIsTerminal, "drawing")
	so.Progress = func(done, total int) { bar.set(float64(done) / float64(total)) }
	defer bar.done()
	return eval.RandomCheck(ctx, so, ro)
}

// liveLatency is that of a stream with the usual settings, 0 for a vocoder that no stream can use.
func liveLatency(m *vc.Model, v vc.Voice, vocoder vc.Vocoder) (time.Duration, error) {
	if vocoder != "" && !slices.Contains(vc.LiveVocoders(), vocoder) {
		return 0, nil
	}
	l, err := findLatency(livesound.Normal)
	if err != nil {
		return 0, err
	}
	o := l.Options(m, m.Features().SampleRate)
	o.Vocoder = vocoder
	s, err := m.NewStream(v, o)
	if err != nil {
		return 0, err
	}
	return s.Delay(s.Pieces(l.Chunk)), nil
}

// findSpeakers lists who is converted to whom.
func findSpeakers(so *eval.SuiteOptions, m *vc.Model, o suiteOptions) error {
	sources, err := corpus.Scan(o.sources)
	if err != nil {
		return err
	}
	targets := sources
	if o.targets != o.sources {
		if targets, err = corpus.Scan(o.targets); err != nil {
			return err
		}
	}
	sexes, err := readSexes(o)
	if err != nil {
		return err
	}
	names := speakerNames(m.Voices())
	describe := func(s corpus.Speaker) eval.Speaker {
		return eval.Speaker{Name: s.Name, Sex: sexes[s.Name], Seen: slices.Contains(names, s.Name), Files: s.Files}
	}
	chosen := func(all []corpus.Speaker, wanted []string, flag, dir string) ([]corpus.Speaker, error) {
		if len(wanted) == 0 {
			return all, nil
		}
		var some []corpus.Speaker
		for _, name := range wanted {
			i := slices.IndexFunc(all, func(s corpus.Speaker) bool { return s.Name == name })
			if i < 0 {
				return nil, fmt.Errorf("%s: there are no recordings of %q in %s", flag, name, dir)
			}
			some = append(some, all[i])
		}
		return some, nil
	}
	if sources, err = chosen(sources, o.from, "--from", o.sources); err != nil {
		return err
	}
	for _, name := range o.to {
		if _, err := m.Voice(name); err != nil {
			return err
		}
	}
	if targets, err = chosen(targets, o.to, "--speakers", o.targets); err != nil {
		return err
	}
	for _, s := range sources {
		d := describe(s)
		if len(o.utterances) > 0 {
			d.Files = slices.DeleteFunc(slices.Clone(d.Files), func(f string) bool { return !slices.Contains(o.utterances, corpus.UtteranceName(f)) })
		}
		if len(d.Files) > 0 {
			so.Sources = append(so.Sources, d)
		}
	}
	for _, s := range targets {
		if slices.Contains(names, s.Name) {
			so.Targets = append(so.Targets, describe(s))
		}
	}
	switch {
	case len(so.Sources) == 0:
		return fmt.Errorf("--utterances: no speaker in %s has a recording of that name", o.sources)
	case len(so.Targets) == 0:
		return fmt.Errorf("no folder in %s is named like a voice of the model, which has %s: name them alike, or another folder with --targets",
			o.targets, strings.Join(names, ", "))
	}
	return nil
}

// findJudges loads the judge, the phone network and the labels.
func findJudges(so *eval.SuiteOptions, o suiteOptions) (err error) {
	switch {
	case o.judge != "":
		so.Judge, err = judge.Load(o.judge)
	case base.Has(base.Judge):
		var r io.Reader
		if r, err = base.Open(base.Judge); err == nil {
			so.Judge, err = judge.Read(r)
		}
	}
	if err != nil {
		return err
	}
	switch {
	case o.phones == "none":
	case o.phones != "":
		so.Phones, err = phones.Load(o.phones)
	case base.Has(base.Phones):
		var r io.Reader
		if r, err = base.Open(base.Phones); err == nil {
			so.Phones, err = phones.Read(r)
		}
	}
	if err != nil || o.labels == "" {
		return err
	}
	spoken := map[string]map[string][]uint8{} // by speaker and utterance
	for _, s := range slices.Concat(so.Sources, so.Targets) {
		l, err := corpus.FindPhoneLabels(o.labels, s.Name)
		if err != nil {
			return err
		}
		if l == nil {
			continue
		}
		spoken[s.Name] = map[string][]uint8{}
		for utterance, segments := range l.Utterances {
			var own []uint8
			for _, p := range segments {
				if p.Phone != corpus.Silence {
					own = append(own, p.Phone)
				}
			}
			spoken[s.Name][utterance] = own
		}
	}
	if len(spoken) == 0 {
		return fmt.Errorf("--labels %s: holds no table of a speaker here, such as %s.tsv: check the folder, or leave --labels out", o.labels, so.Sources[0].Name)
	}
	so.Labels = func(speaker, path string) []uint8 { return spoken[speaker][corpus.UtteranceName(path)] }
	return nil
}

// readSexes reads a table with the columns id and sex: the one named, or speakers.tsv beside the sources, if there is one.
func readSexes(o suiteOptions) (map[string]string, error) {
	path := o.table
	if path == "" {
		path = filepath.Join(o.sources, "speakers.tsv")
	}
	rows, err := readTable(path, "id", "sex")
	if err != nil {
		if o.table == "" {
			return nil, nil
		}
		return nil, fmt.Errorf("--speaker-table: %w", err)
	}
	return rows, nil
}

// transcripts finds what recordings say in transcripts.tsv, with the columns utt and text, in the folder of each; a folder
// without one says nothing. Links are followed, so that a folder of links to recordings will do.
func transcripts() func(path string) string {
	var lock sync.Mutex
	folders := map[string]map[string]string{}
	return func(path string) string {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		lock.Lock()
		defer lock.Unlock()
		dir := filepath.Dir(path)
		texts, ok := folders[dir]
		if !ok {
			texts, _ = readTable(filepath.Join(dir, "transcripts.tsv"), "utt", "text")
			folders[dir] = texts
		}
		return texts[corpus.UtteranceName(path)]
	}
}

// readTable reads two columns of a table separated by tabs, whose first line names them.
func readTable(path, key, value string) (map[string]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is no such file", path)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows := map[string]string{}
	k, v := -1, -1
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Split(strings.TrimSuffix(lines.Text(), "\r"), "\t")
		if k < 0 {
			k, v = slices.Index(fields, key), slices.Index(fields, value)
			if k < 0 || v < 0 {
				return nil, fmt.Errorf("%s: the first line must name the columns %s and %s, separated by tabs", path, key, value)
			}
			continue
		}
		if len(fields) > max(k, v) {
			rows[fields[k]] = fields[v]
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return rows, nil
}
