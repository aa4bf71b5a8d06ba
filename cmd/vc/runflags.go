package main

import (
	"fmt"

	"github.com/starvc/vc/internal/run"
	"github.com/urfave/cli/v2"
)

// runUsage is how trainings differ in the flags that they have in common.
type runUsage struct {
	what    string // that is made: "model"
	output  string // where it goes without -o
	presets string // text on --preset; empty for a training without presets
	steps   string // default of --steps, empty where the preset chooses
	seed    string // likewise
	set     string // example of a setting
	half    bool   // it can write float16
}

// runFlags are the flags that all trainings have.
func runFlags(u runUsage) []cli.Flag {
	chosen := func(text string) string {
		if text == "" {
			return "chosen by the preset"
		}
		return text
	}
	batch := chosen(u.steps)
	if u.steps != "" {
		batch = "32"
	}
	flags := []cli.Flag{
		&cli.StringFlag{Name: "speakers", Usage: "`DIR` with a folder per speaker or one speaker's recordings, one recording, or NAME=DIR,NAME=FILE"},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: fmt.Sprintf("write the %s to `FILE` (default: %s)", u.what, u.output)},
		&cli.BoolFlag{Name: "force", DisableDefaultText: true, Usage: "write over a file that is there under the name of -o"},
		&cli.IntFlag{Name: "steps", DefaultText: chosen(u.steps), Usage: "train for `N` steps"},
		&cli.IntFlag{Name: "batch", DefaultText: batch, Usage: "`N` clips per step"},
		&cli.StringFlag{Name: "run", Usage: "run folder `DIR` (default: a new one under runs/)"},
		&cli.BoolFlag{Name: "resume", DisableDefaultText: true, Usage: "go on with the run in --run"},
		&cli.IntFlag{Name: "snapshot-every", DefaultText: "a setting", Usage: "save every `N` steps"},
		&cli.BoolFlag{Name: "last", DisableDefaultText: true, Usage: fmt.Sprintf("make the %s of the last step, not of the best snapshot by held-out speech", u.what)},
		&cli.StringFlag{Name: "device", Value: "auto", Usage: "`DEVICE` to train on: auto, cpu, go (pure Go), cuda or cuda:N"},
		&cli.IntFlag{Name: "gpus", Value: 1, Usage: "share each batch between `N` cards of this host, from the one in --device on"},
		&cli.Uint64Flag{Name: "seed", DefaultText: chosen(u.seed), Usage: "`SEED` of all randomness; the same seed gives the same run on a CPU"},
		&cli.StringFlag{Name: "config", Usage: "JSON `FILE` with settings that replace the usual ones; a run's config.json lists them"},
		&cli.StringSliceFlag{Name: "set", Usage: fmt.Sprintf("`KEY=VALUE` replaces one setting, such as %s; may be given again", u.set)},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "say nothing but warnings and errors"},
	}
	if u.presets != "" {
		flags = append(flags, &cli.StringFlag{Name: "preset", Usage: u.presets})
	}
	if u.half {
		flags = append(flags, &cli.BoolFlag{Name: "float16", DisableDefaultText: true, Usage: "write 16-bit weights, half the size"})
	}
	return flags
}

// flagName is how messages name an option of a training.
func flagName(option string) string { return "--" + option }

// runOptions reads them. What needs more than the command line to be judged is left to run.Train.
func runOptions(e env, c *cli.Context) (run.Options, error) {
	for _, name := range []string{"steps", "batch", "snapshot-every", "gpus"} {
		if n := c.Int(name); c.IsSet(name) && n < 1 {
			return run.Options{}, fmt.Errorf("--%s is %d, want at least 1", name, n)
		}
	}
	o := run.Options{
		Speakers: c.String("speakers"), Preset: c.String("preset"), ConfigFile: c.String("config"), Set: c.StringSlice("set"),
		Steps: c.Int("steps"), Batch: c.Int("batch"), SnapshotEvery: c.Int("snapshot-every"), Seed: c.Uint64("seed"),
		Output: c.String("output"), Force: c.Bool("force"), Half: c.Bool("float16"), RunDir: c.String("run"), Resume: c.Bool("resume"), Last: c.Bool("last"),
		Device: c.String("device"), GPUs: c.Int("gpus"), Quiet: c.Bool("quiet"), Stderr: e.stderr, Version: e.version,
		Names: flagName,
	}
	if o.Speakers == "" && !o.Resume {
		return o, fmt.Errorf("--speakers is missing: a folder that holds one folder of recordings per speaker")
	}
	if o.Resume && o.RunDir == "" {
		return o, fmt.Errorf("--resume: which run? name its folder with --run")
	}
	return o, nil
}
