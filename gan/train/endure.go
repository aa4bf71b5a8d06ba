package train

import (
	"fmt"

	"github.com/starvc/vc/internal/run"
)

// smaller makes ready to go on with half the batch after a device ran out of memory: from the newest snapshot, or from the
// beginning. It returns the error that it was given where that is no way out.
func (r *runner) smaller(cause error) error {
	cfg := &r.req.Config
	half, err := run.HalfBatch(r.device, cfg.Batch, r.device.BatchUnit(true), cause, fmt.Sprintf("--set cropFrames=%d", cfg.CropFrames/2), r.say)
	if err != nil {
		return err
	}
	cfg.Batch = half
	phones, from := r.engine.phones, r.engine.encoderFromP
	r.engine.vars.Store().Finalize() // before the new ones go to the device
	vars, step, err := r.folder.load(r.warn)
	if err != nil {
		return err
	}
	if vars == nil {
		if vars, err = r.freshWeights(); err != nil {
			return err
		}
	}
	r.first = step
	r.best = r.folder.kept().RecallBest(r.first, r.warn)
	cards, refuse := r.engine.cards, r.engine.refuse
	r.engine = newEngine(*cfg, r.engine.backend, r.engine.native, vars, r.engine.speakers, phones)
	r.engine.encoderFromP, r.engine.cards, r.engine.refuse = from, cards, refuse
	if err := r.writeRequest(); err != nil {
		return err
	}
	r.say.Linef("going on after step %d with a batch of %d", step, half)
	return nil
}
