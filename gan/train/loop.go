package train

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/run"
)

// loop makes the steps and returns how many are done in all. On cancellation it saves and returns without an error.
func (r *runner) loop(ctx context.Context) (done int, err error) {
	cfg := r.req.Config
	draws := corpus.BatchConfig{
		Size: cfg.Batch, CropFrames: cfg.CropFrames, StyleFrames: cfg.StyleFrames, LatentDim: cfg.GAN.LatentDim,
		MaxLookAhead: cfg.GAN.StemFuture, NarrowShare: cfg.NarrowShare,
		DisturbShare: cfg.DisturbShare, WantSteps: cfg.WarmUpSteps(), // the star has no use for them yet
	}
	if r.set.Pairs() > 0 {
		draws.PairShare = cfg.PairShare
	}
	if cfg.AddVoice.On {
		draws.Sources, draws.Targets = voiceDraws(r.set, len(r.req.Voices))
		draws.DisturbShare = 0
	}
	batcher, err := corpus.NewBatcher(r.set, draws, cfg.Seed)
	if err != nil {
		return r.first, err
	}
	log, err := r.folder.openMetrics(r.first)
	if err != nil {
		return r.first, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()

	batches := corpus.Prefetch(context.WithoutCancel(ctx), batcher, r.first, 4)
	defer batches.Close()
	ready, err := r.engine.load(batches.Next, r.first, cfg.Steps)
	if err != nil {
		return r.first, err
	}
	defer func() { err = errors.Join(err, ready.Close()) }() // before what gives it batches
	board := run.OpenBoard(r.folder.dir, r.first, r.say)
	defer board.Close()
	machine := run.WatchMachine(r.device)
	defer machine.Close()
	book := r.newBook(log, board, machine, batcher)
	if r.device.Kind != "go" {
		r.say.Linef("the first step of each phase compiles its graph, which takes a minute or so")
	}
	if r.first == 0 && cfg.ValidEvery > 0 { // what an untrained network scores, to compare with
		if err := r.validate(batcher, book, -1); err != nil {
			return 0, err
		}
	}
	step := r.first
	for ; step < cfg.Steps && ctx.Err() == nil; step++ {
		began := time.Now()
		next, err := ready.Next()
		if err != nil {
			return step, err
		}
		machine.Waited(time.Since(began))
		results, err := r.engine.make(next)
		if err != nil {
			return step, err
		}
		if step == r.first || cfg.translates(step) != cfg.translates(step-1) || step == cfg.WarmUpSteps() || step == cfg.sourceStep() {
			machine.Begin(step + 1) // it had a graph to compile
		}
		if err := book.Add(step, results); err != nil {
			return step, err
		}
		made := step + 1
		last := made == cfg.Steps
		if cfg.ValidEvery > 0 && (made%cfg.ValidEvery == 0 || last) {
			if err := r.validate(batcher, book, step); err != nil {
				return made, err
			}
		}
		switch {
		case last:
			if err := r.save(book, made); err != nil {
				return made, run.SaveRemedy(err)
			}
		case made%cfg.SnapshotEvery == 0, made == cfg.WarmUpSteps(), r.unsaved.Due():
			if err := r.save(book, made); err != nil {
				r.unsaved.Note(r.say, made, err)
			}
		}
	}
	r.say.Finish()
	if line := machine.Verdict(cfg.largerSteps()); line != "" {
		r.say.Linef("%s", line)
	}
	if step < cfg.Steps {
		if err := r.save(book, step); err != nil {
			return step, run.SaveRemedy(err)
		}
	}
	return step, nil
}

// largerSteps says how to give a card more to do at once.
func (c Config) largerSteps() string {
	if c.BFloat16 {
		return fmt.Sprintf("--batch %d", 2*c.Batch)
	}
	return fmt.Sprintf("--batch %d, for which --set bfloat16=true makes room", 2*c.Batch)
}

func (r *runner) save(book *run.Book, step int) error {
	if err := book.Flush(); err != nil {
		return err
	}
	if err := r.folder.save(r.engine.vars, step, r.req.Config.KeepSnapshots); err != nil {
		return err
	}
	r.unsaved.Saved()
	return run.DrawCurves(r.folder.dir, curves)
}

// validBatches is how many held-out batches a validation scores, at most.
const validBatches = 8

func (r *runner) validate(batcher *corpus.Batcher, book *run.Book, step int) error {
	n := min(batcher.ValidBatches(), validBatches)
	if n == 0 {
		return nil
	}
	var sums []float32
	for i := range n {
		v, err := r.engine.score(batcher.ValidAt(i))
		if err != nil {
			return err
		}
		if i == 0 {
			sums = make([]float32, len(v))
		}
		for j := range sums {
			sums[j] += v[j] / float32(n)
		}
	}
	scores := map[string]float32{}
	for i, v := range sums {
		scores[starValidMetrics[i]] = v
	}
	if err := book.AddScores(step, scores); err != nil {
		return err
	}
	r.say.Linef("step %d: held-out speech: rebuilt %.3f, through the cycle %.3f, style read back %.3f", step+1, sums[0], sums[1], sums[2])
	r.keepBest(step+1, sums)
	return nil
}
