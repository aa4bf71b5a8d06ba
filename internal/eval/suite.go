package eval

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/disturb"
	"github.com/starvc/vc/internal/judge"
	"github.com/starvc/vc/internal/phones"
)

// Speaker is a voice with its recordings, as source, as target, or as both.
type Speaker struct {
	Name string
	Sex  string // "F", "M", or "" where not known
	Seen bool   // the model was trained on this voice
	// Files are recordings that the model was not trained on: WAV or FLAC.
	Files []string
}

// Conversion is a recording in another voice.
type Conversion struct {
	Clip   audio.Clip
	Mapped []float32 // F0 that was asked of it, Hz per frame of SuiteOptions.Features, 0 where unvoiced
}

// SuiteOptions says what Suite converts and scores.
type SuiteOptions struct {
	Sources, Targets []Speaker // a speaker of both is not converted to itself
	PerSource        int       // recordings of a source that are converted, at most; 0 for all
	SameWords        bool      // files of one name hold the same words
	// Text is what a recording says, "" where not known; recordings of the same text are compared by MCD. nil knows none.
	Text func(path string) string
	// Labels are the phones that a speaker says in a recording, without silence; nil where not known.
	Labels func(speaker, path string) []uint8

	Features features.Config // of the model
	// Convert brings a recording into the voice of the target, on one core. Several goroutines call it at once.
	Convert func(ctx context.Context, clip audio.Clip, target string) (Conversion, error)
	// Vocode makes that many samples of frames with the vocoder that Convert uses, for the baseline.
	Vocode  func(ctx context.Context, cfg features.Config, f features.Frames, samples int) ([]float32, error)
	Vocoder string // its name
	Model   string // what to call the model in the report
	Latency time.Duration

	Judge  *judge.Judge    // nil leaves similarity out
	Phones *phones.Network // nil leaves phone errors out
	Config Config          // for the MCD

	// Disturb are further evaluations of the same conversions: the sources are disturbed and judged by what the clean ones say.
	Disturb []disturb.Condition

	Export  string // folder that gets conversions, copies through the vocoder and a manifest; "" for none
	Keep    int    // examples to keep for the page
	Workers int    // files worked on at once, 0 for one per processor
	// Progress, unless nil, is told after each piece of work, by one goroutine at a time.
	Progress func(done, total int)
}

// Utterance names of recordings are their file names without the extension.
func utteranceOf(path string) string {
	base := filepath.Base(path)
	return base[:len(base)-len(filepath.Ext(base))]
}

// task is one conversion.
type task struct {
	source, target Speaker
	path           string   // of the source's recording
	reference      string   // the target saying the same words, or anything; "" where it has no recording
	sameWords      bool     // of reference
	enrolTarget    []string // the target's recordings that stand for its voice: not reference, if there are others
	enrolSource    []string // likewise, not path
}

// mostEnrolled bounds the recordings that stand for a voice.
const mostEnrolled = 12

// planSuite lists the conversions, pair by pair, and those of voices to themselves.
func planSuite(o SuiteOptions) (tasks, own []task, err error) {
	text := func(path string) string {
		if o.Text == nil {
			return ""
		}
		return o.Text(path)
	}
	known := map[string][]string{} // all recordings by speaker
	for _, s := range slices.Concat(o.Targets, o.Sources) {
		for _, f := range s.Files {
			if !slices.Contains(known[s.Name], f) {
				known[s.Name] = append(known[s.Name], f)
			}
		}
	}
	without := func(files []string, path string) []string {
		rest := slices.DeleteFunc(slices.Clone(files), func(f string) bool { return f == path || utteranceOf(f) == utteranceOf(path) })
		return rest[:min(len(rest), mostEnrolled)]
	}
	for _, source := range o.Sources {
		files := source.Files
		if o.PerSource > 0 && len(files) > o.PerSource {
			files = files[:o.PerSource]
		}
		for _, target := range o.Targets {
			for i, path := range files {
				t := task{source: source, target: target, path: path}
				t.enrolSource = without(known[source.Name], path)
				if len(t.enrolSource) == 0 {
					t.enrolSource = []string{path} // the conversion is compared with the very recording that it was made of
				}
				if target.Name == source.Name {
					t.enrolTarget = t.enrolSource
					own = append(own, t)
					continue
				}
				for _, f := range target.Files {
					if o.SameWords && utteranceOf(f) == utteranceOf(path) || text(path) != "" && text(f) == text(path) {
						t.reference, t.sameWords = f, true
						break
					}
				}
				if n := len(target.Files); t.reference == "" && n > 0 {
					t.reference = target.Files[i%n]
				}
				// Nor may the enrolled recordings say the same words as what is compared with them: the judge hears words too.
				t.enrolTarget = without(without(known[target.Name], t.reference), path)
				if len(t.enrolTarget) == 0 {
					t.enrolTarget = without(known[target.Name], "")
				}
				tasks = append(tasks, t)
			}
		}
	}
	if len(tasks) == 0 {
		return nil, nil, errors.New("eval: nothing to convert: no source has a recording, or the only one is the target")
	}
	return tasks, own, nil
}

// suite is a Suite under way.
type suite struct {
	o        SuiteOptions
	tasks    []task
	own      []task              // voices converted to themselves
	heard    map[string]*hearing // recordings as they are
	vocal    map[string]*hearing // the same through the vocoder
	clips    []ClipScores        // of tasks
	ownClips []ClipScores        // of own
	asked    [][]float32         // F0 that was asked of the conversions of tasks, from the clean sources
}

// Suite converts every recording of every source to every target and scores what comes out, beside three baselines: the
// source as it is, a recording of the target, and the same after the vocoder alone. Voices that are sources and targets are
// converted to themselves as well, for the melody. It is an error, which names the file, if a recording cannot be read or a
// conversion fails.
func Suite(ctx context.Context, o SuiteOptions) (*Report, error) {
	if o.Convert == nil || o.Vocode == nil {
		panic("eval: Suite without Convert or Vocode")
	}
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	tasks, own, err := planSuite(o)
	if err != nil {
		return nil, err
	}
	s := &suite{o: o, tasks: tasks, own: own, heard: map[string]*hearing{}, vocal: map[string]*hearing{},
		clips: make([]ClipScores, len(tasks)), ownClips: make([]ClipScores, len(own)), asked: make([][]float32, len(tasks))}
	if err := s.checkBabble(); err != nil {
		return nil, err
	}
	var files, vocoded []string
	for _, t := range slices.Concat(tasks, own) {
		files = append(append(append(files, t.path), t.enrolSource...), t.enrolTarget...)
		if t.reference != "" {
			files, vocoded = append(files, t.reference), append(vocoded, t.reference)
		}
	}
	files, vocoded = distinct(files), distinct(vocoded)
	sources := s.sources()
	p := &pool{workers: o.Workers, progress: o.Progress,
		total: len(files) + len(vocoded) + len(tasks) + len(own) + len(o.Disturb)*(len(sources)+len(tasks))}
	if o.Export != "" {
		p.total += len(sources)
	}
	for _, r := range []struct {
		files   []string
		vocoded bool
		into    map[string]*hearing
	}{{files, false, s.heard}, {vocoded, true, s.vocal}} {
		heard := make([]*hearing, len(r.files))
		err = p.each(ctx, len(r.files), func(i int) (err error) {
			if heard[i], err = s.read(ctx, r.files[i], r.vocoded); err != nil {
				return fmt.Errorf("%s: %w", r.files[i], err)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		for i, f := range r.files {
			r.into[f] = heard[i]
		}
	}
	err = p.each(ctx, len(tasks), func(i int) error {
		if err := s.convert(ctx, i); err != nil {
			return fmt.Errorf("%s to %s: %w", tasks[i].path, tasks[i].target.Name, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = p.each(ctx, len(own), func(i int) (err error) {
		if s.ownClips[i], err = s.convertOwn(ctx, own[i]); err != nil {
			return fmt.Errorf("%s to itself: %w", own[i].path, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	report := s.report()
	for _, c := range o.Disturb {
		if err := s.disturb(ctx, p, c, sources, report); err != nil {
			return nil, err
		}
	}
	if o.Export != "" {
		if err := s.exportCopies(ctx, p, sources); err != nil {
			return nil, err
		}
		if err := s.writeManifest(); err != nil {
			return nil, err
		}
	}
	if report.Speed, err = s.speed(ctx); err != nil {
		return nil, err
	}
	if o.Keep > 0 {
		report.examples, err = s.examples(ctx, report)
	}
	return report, err
}

// sources are the tasks by recording: the first of each.
func (s *suite) sources() []task {
	var first []task
	seen := map[string]bool{}
	for _, t := range s.tasks {
		if !seen[t.path] {
			seen[t.path] = true
			first = append(first, t)
		}
	}
	return first
}

// turn makes one conversion, puts it where it is exported to, and names it. condition is that of the source.
func (s *suite) turn(ctx context.Context, t task, clip audio.Clip, condition string) (Conversion, ClipScores, error) {
	out, err := s.o.Convert(ctx, clip, t.target.Name)
	if err != nil {
		return Conversion{}, ClipScores{}, err
	}
	if s.o.Export != "" {
		if err := writeClip(s.exportPath(t, condition), out.Clip); err != nil {
			return Conversion{}, ClipScores{}, err
		}
	}
	return out, ClipScores{Source: t.source.Name, Target: t.target.Name, Utterance: utteranceOf(t.path), SameWords: t.sameWords,
		Seconds:   float64(len(out.Clip.Samples)) / float64(out.Clip.Rate),
		Converted: noScores(), Copied: noScores(), True: noScores(), Vocoded: noScores()}, nil
}

// convert makes and scores one conversion.
func (s *suite) convert(ctx context.Context, i int) error {
	t := s.tasks[i]
	clip, err := audio.ReadFile(t.path)
	if err != nil {
		return err
	}
	c := &s.clips[i]
	var out Conversion
	if out, *c, err = s.turn(ctx, t, clip, disturb.Clean); err != nil {
		return err
	}
	s.asked[i] = out.Mapped
	source := s.heard[t.path]
	c.Health = examine(out.Clip, source, 1)
	if c.Health.heard() {
		converted, err := s.listen(out.Clip)
		if err != nil {
			return err
		}
		if c.Converted, err = s.score(t, converted, out.Mapped); err != nil {
			return err
		}
	}
	if c.Copied, err = s.score(t, source, nil); err != nil {
		return err
	}
	if t.reference == "" {
		return nil
	}
	if c.True, err = s.scoreReference(t, s.heard[t.reference]); err != nil {
		return err
	}
	c.Vocoded, err = s.scoreReference(t, s.vocal[t.reference])
	return err
}

// convertOwn makes and scores one conversion of a voice to itself.
func (s *suite) convertOwn(ctx context.Context, t task) (ClipScores, error) {
	clip, err := audio.ReadFile(t.path)
	if err != nil {
		return ClipScores{}, err
	}
	out, c, err := s.turn(ctx, t, clip, ownVoice)
	if err != nil {
		return c, err
	}
	source := s.heard[t.path]
	if c.Health = examine(out.Clip, source, 1); !c.Health.heard() {
		return c, nil
	}
	converted, err := s.listen(out.Clip)
	if err != nil {
		return c, err
	}
	if c.Converted, err = s.score(t, converted, out.Mapped); err != nil {
		return c, err
	}
	c.Converted.Melody.Slope = melodySlope(source.frames, converted.frames.F0)
	return c, nil
}

// Speed is how fast conversion is on this machine.
type Speed struct {
	RTF       number  `json:"rtf"`       // of whole recordings on one core, nothing else of ours running
	Recording int     `json:"clips"`     // measured on
	LatencyMS float64 `json:"latencyMS"` // of the live path, without sound cards
}

// speed times a few conversions with nothing else of ours running; the first one, which fills caches, does not count.
func (s *suite) speed(ctx context.Context) (Speed, error) {
	v := Speed{LatencyMS: float64(s.o.Latency) / float64(time.Millisecond)}
	var spent, sound time.Duration
	const counted = 3
	for i := range min(counted+1, len(s.tasks)) {
		t := s.tasks[i*len(s.tasks)/min(counted+1, len(s.tasks))]
		clip, err := audio.ReadFile(t.path)
		if err != nil {
			return v, err
		}
		began := time.Now()
		if _, err := s.o.Convert(ctx, clip, t.target.Name); err != nil {
			return v, err
		}
		if i > 0 || len(s.tasks) == 1 {
			spent, sound = spent+time.Since(began), sound+clip.Duration()
			v.Recording++
		}
	}
	v.RTF = number(spent.Seconds() / sound.Seconds())
	return v, nil
}
