package run

import (
	"errors"
	"fmt"
	"io"
)

// Options are the flags that trainings have in common. Zero values leave the settings of the preset, or of the run that goes on.
type Options struct {
	Speakers      string   // folder with a folder per speaker, or name=folder,name=folder
	Preset        string   // empty for the usual one
	ConfigFile    string   // JSON with settings that replace the preset's
	Set           []string // name=value, each replacing one setting
	Steps         int
	Batch         int
	SnapshotEvery int
	Seed          uint64

	Output  string // the file that is made; empty for the usual one
	Force   bool   // write over what is there under Output's name
	Half    bool   // write float16
	RunDir  string // empty for a new one under runs/
	Resume  bool   // go on with the run in RunDir
	Last    bool   // take the last weights for the file, not those of the best snapshot
	Device  string // see device.Find
	GPUs    int    // cards of one host that share each batch, from Device's on; 0 for one
	Quiet   bool
	Stderr  io.Writer // nil for nowhere
	Version string    // of the program
	Names   Names     // how messages name an option

	Refuse func(graph string, batch int) error // for tests: what a device says that has no memory left
}

// Names is how messages name an option to whoever runs a training, such as "--init" for init. nil names it as it is called here.
type Names func(option string) string

// Of names an option, and the value to give it if there is one: "--batch 8".
func (n Names) Of(option string, value ...any) string {
	if n != nil {
		option = n(option)
	}
	if len(value) == 0 {
		return option
	}
	return option + " " + fmt.Sprint(value...)
}

// Setting names a setting and the value to give it: "--set cropFrames=32".
func (n Names) Setting(name string, value any) string {
	return n.Of("set", fmt.Sprintf("%s=%v", name, value))
}

// ErrStopped is what Train returns after it was told to stop and has saved.
var ErrStopped = errors.New("stopped")

// ErrSuspect is what Train returns when what comes out of the network is not speech. The file is there, under a name with
// ".suspect" in it.
var ErrSuspect = errors.New("what it makes is not speech")

// Override has the flags replace settings.
func (o Options) Override(c Config) error {
	began := c.Settings().Seed
	if o.ConfigFile != "" {
		if err := ApplyFile(c, o.ConfigFile); err != nil {
			return err
		}
	}
	for _, f := range []struct {
		name  string
		value uint64
	}{{"steps", uint64(o.Steps)}, {"batch", uint64(o.Batch)}, {"snapshotEvery", uint64(o.SnapshotEvery)}, {"seed", o.Seed}} {
		if f.value > 0 {
			if err := ApplySetting(c, fmt.Sprintf("%s=%d", f.name, f.value), ""); err != nil {
				return err
			}
		}
	}
	for _, s := range o.Set {
		if err := ApplySetting(c, s, "learningRate=0.001"); err != nil {
			return err
		}
	}
	if err := c.Validate(); err != nil || !o.Resume {
		return err
	}
	return o.Names.CheckFixed(Fixed{Option: "set seed", Was: Number(began), Now: Number(c.Settings().Seed)})
}
