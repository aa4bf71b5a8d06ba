package run

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"

	"github.com/starvc/vc/internal/device"
)

// What goes wrong around a long run, and how it survives.

// saveAgain is the time after which a snapshot that could not be written is tried again.
const saveAgain = time.Minute

// Unsaved remembers that a snapshot could not be written. Training goes on, for what is learnt in the meantime is not lost unless
// the run ends too; those on the disk stay as they are.
type Unsaved struct{ at time.Time }

// Note takes note of one after a step, and says so.
func (u *Unsaved) Note(say *Reporter, step int, err error) {
	u.at = time.Now()
	say.Linef("warning: after step %d: %v; training goes on, and it is tried again in a minute", step, SaveRemedy(err))
}

// Saved takes note of one that was written.
func (u *Unsaved) Saved() { u.at = time.Time{} }

// Due is whether it is time to try again.
func (u *Unsaved) Due() bool { return !u.at.IsZero() && time.Since(u.at) > saveAgain }

// SaveRemedy adds to the error of a snapshot what to do about it.
func SaveRemedy(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: free some space on that disk; the earlier snapshots are whole", err)
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: make the folder writable; the earlier snapshots are whole", err)
	}
	return fmt.Errorf("%w: the earlier snapshots are whole", err)
}

// HalfBatch is half a batch, as the device can share it, to go on with after its memory was too small for the whole, which is
// told. It is a multiple of unit, see device.Device.BatchUnit. It is the error that it was given where that is of another kind, or no
// batch is small enough; smaller names a remedy beside a smaller preset, see Plan.
func HalfBatch(d device.Device, batch, unit int, cause error, smaller string, say *Reporter) (int, error) {
	if !device.OutOfMemory(cause) {
		return 0, cause
	}
	half := batch / 2 / unit * unit
	if half == 0 {
		return 0, fmt.Errorf("%w: the memory is too small even for a batch of %d: take a smaller preset, or %s", cause, batch, smaller)
	}
	say.Finish()
	say.Linef("warning: the memory of %s is too small for a batch of %d (%v)", d, batch, firstLine(cause))
	return half, nil
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
