package train

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"

	"github.com/starvc/vc/internal/mlx"
)

// What goes wrong around a long run, and how it survives.

// saveAgain is the time after which a snapshot that could not be written is tried again.
const saveAgain = time.Minute

// unsaved takes note of a snapshot that could not be written. Training goes on, for what is learnt in the meantime is not
// lost unless the run ends too; those on the disk stay as they are.
func (r *runner) unsaved(step int, err error) {
	r.failedSave, r.failedAt = true, time.Now()
	r.say.Linef("warning: after step %d: %v; training goes on, and it is tried again in a minute", step, saveRemedy(err))
}

// saveRemedy adds to the error of a snapshot what to do about it.
func saveRemedy(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: free some space on that disk; the earlier snapshots are whole", err)
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: make the folder writable; the earlier snapshots are whole", err)
	}
	return fmt.Errorf("%w: the earlier snapshots are whole", err)
}

// smaller makes ready to go on with half the batch after a device ran out of memory: from the newest snapshot, or from the
// beginning. It returns the error that it was given where that is no way out.
func (r *runner) smaller(cause error) error {
	cfg := &r.req.Config
	unit := r.device.BatchUnit()
	half := cfg.Batch / 2 / unit * unit
	if !mlx.OutOfMemory(cause) {
		return cause
	}
	if half == 0 {
		return fmt.Errorf("%w: the memory is too small even for a batch of %d: take a smaller preset, or --set cropFrames=%d", cause, cfg.Batch, cfg.CropFrames/2)
	}
	r.say.Finish()
	r.say.Linef("warning: the memory of %s is too small for a batch of %d (%v)", r.device, cfg.Batch, firstLine(cause))
	cfg.Batch = half
	phones, from := r.engine.phones, r.engine.encoderFromP
	r.engine.vars.Store().Finalize() // before the new ones go to the device
	vars, step, err := r.folder.load(func(format string, a ...any) { r.say.Linef("warning: "+format, a...) })
	if err != nil {
		return err
	}
	if vars == nil {
		if vars, err = r.freshWeights(); err != nil {
			return err
		}
	}
	r.first = step
	r.recallBest()
	cards, refuse := r.engine.cards, r.engine.refuse
	r.engine = newEngine(*cfg, r.engine.backend, r.engine.native, vars, r.engine.speakers, phones)
	r.engine.encoderFromP, r.engine.cards, r.engine.refuse = from, cards, refuse
	if err := r.writeRequest(); err != nil {
		return err
	}
	r.say.Linef("going on after step %d with a batch of %d", step, half)
	return nil
}

// firstLine is the first line of an error, at most 200 characters of it: XLA adds pages.
func firstLine(err error) string {
	text := err.Error()
	for i, c := range text {
		if c == '\n' || i > 200 {
			return text[:i]
		}
	}
	return text
}
