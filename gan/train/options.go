package train

import (
	"errors"
	"io"
)

// Options are the flags of `vc train`. Zero values leave the preset's settings alone.
type Options struct {
	Speakers      string   // folder with a folder per speaker, or name=folder,name=folder
	Preset        string   // tiny, small, medium, live or hq; empty for medium
	ConfigFile    string   // JSON with settings that replace the preset's
	Set           []string // name=value, each replacing one setting
	Steps         int
	Batch         int
	Rate          int // samples per second of the model: 16000 or 24000
	SnapshotEvery int
	Seed          uint64

	RunDir  string // empty for a new folder under runs/
	Resume  bool   // go on with the run in RunDir
	Output  string // model file; empty for model.safetensors in the run folder
	Init    string // model to add the voices to
	Phones  string // phone network for the content loss; base or, if it fits, empty for the program's own; none for none
	Device  string // see mlx.FindDevice
	GPUs    int    // cards of one host that share each batch, from Device's on; 0 for one
	Quiet   bool
	Stderr  io.Writer
	Version string // of the program, for the model file
	Last    bool   // take the last weights for the model, not those of the best snapshot

	refuse func(graph string, batch int) error // for tests, see engine
}

// ErrStopped is what Run returns after it was told to stop and has saved.
var ErrStopped = errors.New("stopped")
