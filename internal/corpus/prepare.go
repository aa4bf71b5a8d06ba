package corpus

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/cores"
)

// PrepareOptions tells Prepare how to work. The zero value is good but caches nothing.
type PrepareOptions struct {
	// CacheDir keeps features between runs, in files that are mapped into memory; it is made where needed. "" keeps
	// none, and all features in memory. So does a folder that cannot be written, which costs a warning in the report.
	// Runs and programs may share a folder at the same time, and it may be removed at any time. Prepare itself removes
	// from it what nobody used for 60 days.
	CacheDir string
	// Progress, when not nil, is told how many of all recordings are done, from one goroutine at a time.
	Progress func(done, total int)
	// ValidFraction of each speaker's utterances is held out. 0 stands for 0.05, a negative value for none.
	ValidFraction float64
	// Workers is the number of recordings read at a time. 0 stands for one per processor.
	Workers int
	// KeepEnds leaves long silences at the ends of recordings.
	KeepEnds bool
	// Cut makes several utterances of a long recording, and looks whether what is in them is speech. Their Start tells where they are.
	Cut bool
	// Embed, when not nil and with Cut, has the report say where the recordings of a speaker sound like several people.
	Embed Embedder

	shardBytes int // of features in a shard, for tests
}

const defaultValidFraction = 0.05

// Prepare reads, checks and measures all recordings and splits them into training and held-out ones.
//
// A recording that cannot be used is named in the report and left out. It is an error when a speaker is left with
// fewer than two usable utterances or less than two seconds; the error speaks of all such speakers and says what to
// do. The report is not nil then, unless the error came before any recording was read (bad options or configuration) or
// ctx was done.
//
// Which utterances are held out depends on the content of each file, so adding files moves no utterance from training
// to validation or back, but where chance would hold out none of a speaker's three or more, or more than twice the
// fraction: then it is one, or the twice, in order of their hashes. At least two stay in training.
func Prepare(ctx context.Context, speakers []Speaker, cfg features.Config, opts PrepareOptions) (*Set, *Report, error) {
	if err := cfg.Validate(); err != nil {
		return nil, nil, err
	}
	if len(speakers) == 0 {
		return nil, nil, errors.New("speakers: none given")
	}
	switch f := opts.ValidFraction; {
	case f == 0:
		opts.ValidFraction = defaultValidFraction
	case !(f <= 0.5):
		return nil, nil, fmt.Errorf("speakers: held-out fraction %g, want at most 0.5", f)
	}
	if opts.Workers <= 0 {
		opts.Workers = runtime.GOMAXPROCS(0)
	}
	store, err := newCache(opts.CacheDir, cfg)
	if err != nil {
		return nil, nil, err
	}
	if opts.shardBytes > 0 && store != nil {
		store.limit = opts.shardBytes
	}
	recordings, err := readAll(ctx, speakers, cfg, store, opts)
	if err != nil {
		return nil, nil, err
	}
	store.tidy(time.Now())
	refuseDuplicates(recordings, speakers)

	set := &Set{Features: cfg, Speakers: make([]SpeakerInfo, len(speakers))}
	report := &Report{Speakers: make([]SpeakerReport, len(speakers))}
	if err := store.failure(); err != nil {
		report.Warnings = append(report.Warnings,
			fmt.Sprintf("cache folder %q cannot be written, so features are computed anew each time: %v", opts.CacheDir, err))
	}
	var faults []string
	for i, sp := range speakers {
		set.Speakers[i].Name, set.Speakers[i].About = sp.Name, sp.About
		report.Speakers[i] = SpeakerReport{Name: sp.Name, Files: len(sp.Files)}
		own := recordings[:len(sp.Files)]
		recordings = recordings[len(sp.Files):]
		set.addSpeaker(i, own, &report.Speakers[i], opts)
		for _, r := range own {
			switch {
			case r.cached:
				report.Cached++
			case r.computed:
				report.Computed++
			}
		}
		if fault := report.Speakers[i].fault(); fault != "" {
			faults = append(faults, fault)
		}
	}
	if len(faults) > 0 {
		return nil, report, fmt.Errorf("speakers: %s", strings.Join(faults, "\nspeakers: "))
	}
	sortUtterances(set.Train)
	sortUtterances(set.Valid)
	return set, report, nil
}

// recording is what reading one file gave.
type recording struct {
	speaker  int
	path     string
	hash     digest
	frames   features.Frames // those of part
	part     stretch
	quality  Quality
	problems []Problem
	skip     bool
	cached   bool
	computed bool
}

func (r *recording) refuse(kind Kind, detail string) {
	r.skip = true
	r.frames = features.Frames{}
	r.problems = append(r.problems, Problem{Path: r.path, Kind: kind, Detail: detail, Skipped: true})
}

// readAll reads all files with opts.Workers goroutines. The result is in the order of the speakers' files.
func readAll(ctx context.Context, speakers []Speaker, cfg features.Config, store *cache, opts PrepareOptions) ([]recording, error) {
	var all []recording
	for i, sp := range speakers {
		for _, path := range sp.Files {
			all = append(all, recording{speaker: i, path: path})
		}
	}
	tell := func(done int) {
		if opts.Progress != nil {
			opts.Progress(done, len(all))
		}
	}
	err := cores.Each(ctx, opts.Workers, len(all), tell, func(ctx context.Context, _, i int) error {
		return all[i].read(ctx, cfg, store, opts.KeepEnds)
	})
	store.flush() // also what was read before a stop
	if err != nil {
		return nil, fmt.Errorf("reading the recordings: %w", err)
	}
	return all, nil
}

// read fills in r. It returns an error only for what concerns all recordings alike.
func (r *recording) read(ctx context.Context, cfg features.Config, store *cache, keepEnds bool) error {
	file, err := openRegular(r.path)
	if err != nil {
		r.refuse(Unreadable, plainCause(err))
		return nil
	}
	defer file.Close()
	st := stampOf(file)
	e, hit := store.known(st)
	if !hit {
		h := sha256.New()
		if _, err := io.Copy(h, file); err != nil {
			r.refuse(Unreadable, plainCause(err))
			return nil
		}
		content := digest(h.Sum(nil))
		if e, hit = store.find(content); !hit {
			if _, err := file.Seek(0, io.SeekStart); err != nil {
				r.refuse(Unreadable, plainCause(err))
				return nil
			}
			if mark := audio.ReadTags(ctx, r.path).Mark(); mark != "" {
				r.refuse(Converted, mark)
				return nil
			}
			clip, err := audio.DecodeFile(ctx, file)
			if err != nil {
				r.refuse(Unreadable, plainCause(err))
				return nil
			}
			if e, err = analyse(clip, cfg); err != nil {
				return fmt.Errorf("%s: %w", r.path, err)
			}
			if e.Content = content; stampOf(file) == st {
				e.Stamp = st
			}
		}
	}
	r.hash, r.quality, r.cached, r.computed = e.Content, e.Quality, hit, !hit
	for _, p := range e.Problems {
		p.Path = r.path
		r.problems = append(r.problems, p)
		r.skip = r.skip || p.Skipped
	}
	if r.skip {
		return nil
	}
	r.part = e.Trimmed
	if keepEnds {
		r.part = e.Whole
	}
	r.frames = e.frames.Slice(r.part.From, r.part.To)
	if !hit {
		store.put(e, func(f features.Frames) { r.frames = f.Slice(r.part.From, r.part.To) })
	}
	return nil
}

// analyse lints a decoded recording, extracts its features, and measures them.
func analyse(clip audio.Clip, cfg features.Config) (entry, error) {
	if clip.Rate <= 0 || len(clip.Samples) == 0 {
		return entry{record: record{Problems: []Problem{{Kind: TooShort, Detail: "no samples", Skipped: true}}}}, nil
	}
	var e entry
	e.Problems = lintClip(clip.Samples, clip.Rate, cfg.SampleRate)
	for _, w := range clip.Warnings {
		e.Problems = append(e.Problems, Problem{Kind: Incomplete, Detail: w})
	}
	if slices.ContainsFunc(e.Problems, func(p Problem) bool { return p.Skipped }) {
		return e, nil
	}
	recording, err := features.Analyze(cfg, clip)
	if err != nil {
		return entry{}, err
	}
	f := recording.Frames
	n := f.Len()
	if f.NMels != cfg.NMels || len(f.F0) != n || len(f.LogEnergy) != n {
		panic(fmt.Sprintf("corpus: %d frames of %d mels with %d F0 and %d energies", n, f.NMels, len(f.F0), len(f.LogEnergy)))
	}
	for _, part := range []struct {
		name     string
		values   []float32
		perFrame int
	}{{"log-mel", f.LogMel, f.NMels}, {"F0", f.F0, 1}, {"log-energy", f.LogEnergy, 1}} {
		i := slices.IndexFunc(part.values, func(v float32) bool { return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) })
		if i >= 0 { // the samples are finite, so the fault is not the recording's
			detail := fmt.Sprintf("the %s of frame %d is %v, a fault of this program", part.name, i/part.perFrame, part.values[i])
			e.Problems = append(e.Problems, Problem{Kind: NonFinite, Detail: detail, Skipped: true})
			return e, nil
		}
	}
	e.frames, e.Quality = f, measureQuality(clip.Samples, clip.Rate)
	e.Whole = measure(f, 0, n)
	from, to := trimEnds(f)
	e.Trimmed = measure(f, from, to)
	return e, nil
}

// openRegular opens a file, but never a pipe or a device, which could block for ever.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("no ordinary file")
	}
	return os.Open(path)
}

// plainCause leaves out the path, which the report names anyway.
func plainCause(err error) string {
	if pathError := (*os.PathError)(nil); errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}

// refuseDuplicates leaves out recordings with the same features, and so also copies in another format: within a speaker
// all but the first; under two speakers all, since nobody knows whose they are.
func refuseDuplicates(all []recording, speakers []Speaker) {
	groups := map[digest][]*recording{}
	for i := range all {
		if r := &all[i]; !r.skip {
			groups[r.part.Sum] = append(groups[r.part.Sum], r)
		}
	}
	for _, same := range groups {
		first := same[0]
		var stranger *recording
		for _, r := range same {
			if r.speaker != first.speaker {
				stranger = r
				break
			}
		}
		for i, r := range same {
			other := stranger
			if stranger != nil && r.speaker == stranger.speaker {
				other = first
			}
			switch {
			case stranger != nil:
				r.refuse(Shared, fmt.Sprintf("the same as %s of %s", other.path, speakers[other.speaker].Name))
			case i > 0:
				r.refuse(Duplicate, fmt.Sprintf("the same as %s", first.path))
			}
		}
	}
}

// addSpeaker puts a speaker's usable recordings into the set and fills in the report.
func (s *Set) addSpeaker(index int, own []recording, report *SpeakerReport, opts PrepareOptions) {
	info := &s.Speakers[index]
	perFrame := float64(s.Features.Hop) / float64(s.Features.SampleRate)
	var usable []Utterance
	frames, long := 0, longFrames
	if n := len(own) - countSkipped(own); n == 1 {
		long = longAlone
	}
	for _, r := range own {
		report.Problems = append(report.Problems, r.problems...)
		if r.skip {
			report.LeftOut++
			continue
		}
		parts := []Utterance{{Speaker: index, Path: r.path, Start: r.part.From, Hash: r.hash, Frames: r.frames, part: r.part}}
		if opts.Cut {
			parts = r.utterances(index, long, perFrame, report)
		}
		length := 0
		for _, u := range parts {
			length += u.Frames.Len()
		}
		if len(parts) == 0 {
			report.LeftOut++
			continue
		}
		report.Recordings = append(report.Recordings, ScoredFile{r.path, float64(length) * perFrame, r.quality})
		usable = append(usable, parts...)
		frames += length
	}
	sortProblems(report.Problems)
	train, valid := split(usable, opts.ValidFraction)
	tracks := make([][]float32, len(train))
	for i, u := range train {
		tracks[i] = u.Frames.F0
	}
	pitch, voiced := features.MeasurePitch(tracks...)
	info.LogF0Mean, info.LogF0Std = pitch.Mean, pitch.Std
	info.Seconds = float64(frames) * perFrame
	s.Train = append(s.Train, train...)
	s.Valid = append(s.Valid, valid...)

	report.Train, report.Valid, report.Seconds = len(train), len(valid), info.Seconds
	report.F0Hz = pitchOf(*info, voiced)
	report.advise(opts.ValidFraction > 0)
	if opts.Cut && opts.Embed != nil {
		report.lookForPeople(usable, opts.Embed, perFrame)
	}
}

func countSkipped(rs []recording) (n int) {
	for _, r := range rs {
		if r.skip {
			n++
		}
	}
	return n
}

// split sets aside the utterances whose hash, read as a number from 0 to 1, is below fraction: at least one of three or
// more, at most twice the fraction, rounded up, and never so many that fewer than two are left.
func split(us []Utterance, fraction float64) (train, valid []Utterance) {
	order := slices.Clone(us)
	slices.SortStableFunc(order, func(a, b Utterance) int { return bytes.Compare(a.Hash[:], b.Hash[:]) })
	n := 0
	for _, u := range order {
		if float64(binary.BigEndian.Uint64(u.Hash[:8]))/(1<<64) < fraction {
			n++
		}
	}
	if fraction > 0 {
		n = min(max(n, 1), int(math.Ceil(2*fraction*float64(len(us)))))
	}
	n = min(n, max(len(us)-2, 0))
	return order[n:], order[:n]
}
