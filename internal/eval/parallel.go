package eval

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/vocoder"
)

// Triple names three recordings of the same words: the source's, the same converted to the target's voice, and the
// target's own. Each is the path of a WAV or FLAC file.
type Triple struct {
	Source, Converted, Target string
}

// Direction is all that was converted from one speaker to another.
type Direction struct {
	From, To string
	Triples  []Triple
}

// ParallelConfig says how Parallel works.
type ParallelConfig struct {
	Config
	// Vocode makes that many samples of frames, for the vocoder baseline: it should do so as the conversions were made,
	// since what it takes off the target's own recordings is no fault of the conversion. It is called by several
	// goroutines at once. nil leaves the baseline out.
	Vocode func(ctx context.Context, cfg features.Config, f features.Frames, samples int) ([]float32, error)
	// Vocoder is its name.
	Vocoder string
	// Workers is how many files are worked on at once, 0 for one per processor.
	Workers int
	// Progress, unless nil, is told after each piece of work, by one goroutine at a time.
	Progress func(done, total int)
}

// DefaultParallelConfig is DefaultConfig with a source filter of three passes as the vocoder baseline.
func DefaultParallelConfig() ParallelConfig {
	return ParallelConfig{Config: DefaultConfig(), Vocoder: "source-filter",
		Vocode: func(_ context.Context, cfg features.Config, f features.Frames, samples int) ([]float32, error) {
			s, err := vocoder.NewPolishedSourceFilter(cfg, 1, 3)
			if err != nil {
				return nil, err
			}
			return s.FlushTo(s.Process(nil, f.LogMel, f.F0), samples), nil
		},
	}
}

// Parallel scores conversions on parallel recordings. Every file is read once, however many Triples name it. It is an
// error, which names the file, if one cannot be read or is silent; no table is made of a part.
func Parallel(ctx context.Context, directions []Direction, cfg ParallelConfig) (*Table, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	var files, targets []string // without duplicates
	var total int
	for _, d := range directions {
		if len(d.Triples) == 0 {
			return nil, fmt.Errorf("eval: nothing to score from %s to %s: no recordings of the same words", d.From, d.To)
		}
		for _, t := range d.Triples {
			files = append(files, t.Source, t.Converted, t.Target)
			targets = append(targets, t.Target)
			total++
		}
	}
	if total == 0 {
		return nil, errors.New("eval: nothing to score: no directions")
	}
	files, targets = distinct(files), distinct(targets)
	if cfg.Vocode == nil {
		targets = nil
	}
	p := &pool{workers: cfg.Workers, progress: cfg.Progress, total: len(files) + len(targets) + total}

	// What every file sounds like. Targets go through the vocoder as well, and how far that takes them off is known
	// before any conversion is looked at.
	heard := make([]*Utterance, len(files))
	err := p.each(ctx, len(files), func(i int) error {
		clip, err := audio.ReadFile(files[i])
		if err != nil {
			return fmt.Errorf("eval: %w", err)
		}
		if heard[i], err = Analyze(clip, cfg.Config); err != nil {
			return fmt.Errorf("%s: %w", files[i], err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	file := func(path string) *Utterance {
		i, _ := slices.BinarySearch(files, path)
		return heard[i]
	}
	copied := make([]Result, len(targets))
	err = p.each(ctx, len(targets), func(i int) error {
		clip, err := audio.ReadFile(targets[i])
		if err != nil {
			return fmt.Errorf("eval: %w", err)
		}
		if copied[i], err = scoreCopy(ctx, clip, file(targets[i]), cfg); err != nil {
			return fmt.Errorf("%s: %w", targets[i], err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}

	table := &Table{Method: method(cfg)}
	var all []clipScore
	for _, d := range directions {
		scores := make([]clipScore, len(d.Triples))
		err := p.each(ctx, len(scores), func(i int) (err error) {
			t := d.Triples[i]
			target := file(t.Target)
			if scores[i].source, err = Compare(target, file(t.Source)); err != nil {
				return fmt.Errorf("%s against %s: %w", t.Source, t.Target, err)
			}
			if scores[i].converted, err = Compare(target, file(t.Converted)); err != nil {
				return fmt.Errorf("%s against %s: %w", t.Converted, t.Target, err)
			}
			scores[i].vocoder = missing
			if j, ok := slices.BinarySearch(targets, t.Target); ok {
				scores[i].vocoder = copied[j]
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		table.Pairs = append(table.Pairs, newPair(d.From, d.To, scores))
		all = append(all, scores...)
	}
	table.summarize(all)
	return table, nil
}

func distinct(paths []string) []string {
	slices.Sort(paths)
	return slices.Compact(paths)
}

// scoreCopy compares a recording with what its frames and the vocoder make of it.
func scoreCopy(ctx context.Context, clip audio.Clip, heard *Utterance, cfg ParallelConfig) (Result, error) {
	recording, err := features.Analyze(cfg.Features, clip)
	if err != nil {
		return Result{}, fmt.Errorf("eval: %w", err)
	}
	y, err := cfg.Vocode(ctx, cfg.Features, recording.Frames, len(recording.Samples))
	if err != nil {
		return Result{}, fmt.Errorf("eval: vocoder: %w", err)
	}
	copied, err := Analyze(audio.Clip{Samples: y, Rate: cfg.Features.SampleRate}, cfg.Config)
	if err != nil {
		return Result{}, err
	}
	return Compare(heard, copied)
}

// method says what the scores mean, beside the table.
func method(cfg ParallelConfig) string {
	text := fmt.Sprintf("Method: %d mel-cepstra (c0 left out) of %d mel bands at %d Hz, level equalised, silence left out, "+
		"aligned by dynamic time warping", cfg.Order, cfg.Features.NMels, cfg.Features.SampleRate)
	if cfg.Vocode != nil {
		text += fmt.Sprintf("; vocoder alone: the target through its own frames and the vocoder %q", cfg.Vocoder)
	}
	return text + "."
}

// pool does pieces of work on several goroutines and counts them.
type pool struct {
	workers  int
	progress func(done, total int)
	done     int
	total    int
}

// each calls work(0) to work(n-1), several at once, and waits for all. After an error, or when ctx ends, no new piece
// is begun; the error returned is that of the lowest piece that failed.
func (p *pool) each(ctx context.Context, n int, work func(i int) error) error {
	workers := p.workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	errs := make([]error, n)
	var next atomic.Int64
	var failed atomic.Bool
	var counting sync.Mutex
	var running sync.WaitGroup
	for range min(workers, n) {
		running.Go(func() {
			for ctx.Err() == nil && !failed.Load() {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if errs[i] = work(i); errs[i] != nil {
					failed.Store(true)
				}
				counting.Lock()
				p.done++
				if p.progress != nil {
					p.progress(p.done, p.total)
				}
				counting.Unlock()
			}
		})
	}
	running.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}
