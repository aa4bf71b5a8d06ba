package train

import (
	"errors"
	"fmt"
	"strings"

	"github.com/starvc/vc/internal/run"
)

// ErrSuspect is what Run returns when the model that it made does not convert speech into speech. The model is there, under
// a name with ".suspect" in it.
var ErrSuspect = errors.New("the model does not convert speech into speech")

// verdict is the error of a run most of whose samples are not speech, or nil.
func (r *runner) verdict(faults []string, samples int) error {
	if !run.Suspect(faults, samples, r.req.Config.Steps, r.warn) {
		return nil
	}
	return fmt.Errorf("%w: %d of %d samples: %s: listen to %s, look at %s for where the losses went wrong, and begin again with a lower rate (--set learningRate=%g) or with more and cleaner recordings (lint.txt)",
		ErrSuspect, len(faults), samples, strings.Join(faults, "; "), r.folder.path("samples"), r.folder.path("losses.png"), r.req.Config.LearningRate/2)
}
