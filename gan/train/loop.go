package train

import (
	"context"
	"errors"
	"time"

	"github.com/starvc/vc/internal/corpus"
)

// maxSkipped is how many steps in a row may be skipped for values that are not finite.
const maxSkipped = 10

// loop makes the steps and returns how many are done in all. On cancellation it saves and returns without an error.
func (r *runner) loop(ctx context.Context) (done int, err error) {
	cfg := r.req.Config
	draws := corpus.BatchConfig{
		Size: cfg.Batch, CropFrames: cfg.CropFrames, StyleFrames: cfg.StyleFrames, LatentDim: cfg.GAN.LatentDim,
		MaxLookAhead: cfg.GAN.StemFuture,
	}
	if cfg.AddVoice.On {
		draws.Sources, draws.Targets = voiceDraws(r.set, len(r.req.Voices))
	}
	batcher, err := corpus.NewBatcher(r.set, draws, cfg.Seed)
	if err != nil {
		return r.first, err
	}
	log, err := r.folder.openMetrics(r.first)
	if err != nil {
		return r.first, err
	}
	defer func() { err = errors.Join(err, log.close()) }()

	batches := corpus.Prefetch(context.WithoutCancel(ctx), batcher, r.first, 4)
	defer batches.Close()
	book := &bookkeeper{cfg: cfg, log: log, say: r.say, first: r.first, began: time.Now()}
	if r.device.Kind != "go" {
		r.say.linef("the first step of each phase compiles its graph, which takes a minute or so")
	}
	if r.first == 0 && cfg.ValidEvery > 0 { // what an untrained network scores, to compare with
		if err := r.validate(batcher, book, -1); err != nil {
			return 0, err
		}
	}
	step := r.first
	for ; step < cfg.Steps && ctx.Err() == nil; step++ {
		batch, err := batches.Next()
		if err != nil {
			return step, err
		}
		results, err := r.engine.step(batch)
		if err != nil {
			return step, err
		}
		if err := book.add(step, results); err != nil {
			return step, err
		}
		made := step + 1
		last := made == cfg.Steps
		if cfg.ValidEvery > 0 && (made%cfg.ValidEvery == 0 || last) {
			if err := r.validate(batcher, book, step); err != nil {
				return made, err
			}
		}
		if made%cfg.SnapshotEvery == 0 || last {
			if err := r.save(book, made); err != nil {
				return made, err
			}
		}
	}
	r.say.finish()
	if step < cfg.Steps {
		return step, r.save(book, step)
	}
	return step, nil
}

func (r *runner) save(book *bookkeeper, step int) error {
	if err := book.flush(); err != nil {
		return err
	}
	if err := r.folder.save(r.engine.vars, step, r.req.Config.KeepSnapshots); err != nil {
		return err
	}
	return r.drawCurves()
}

// validBatches is how many held-out batches a validation scores, at most.
const validBatches = 8

func (r *runner) validate(batcher *corpus.Batcher, book *bookkeeper, step int) error {
	n := min(batcher.ValidBatches(), validBatches)
	if n == 0 {
		return nil
	}
	sums := make([]float32, len(validMetrics))
	for i := range n {
		v, err := r.engine.score(batcher.ValidAt(i))
		if err != nil {
			return err
		}
		for j := range sums {
			sums[j] += v[j] / float32(n)
		}
	}
	return book.addValidation(step, sums)
}
