package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/batch"
	"github.com/urfave/cli/v2"
)

const batchDescription = `Converts a corpus, on one machine or on many that share a disk. SOURCE is a folder, a list with a recording in each line and,
after a tab, a voice if wanted, or a Kaldi wav.scp (its name ends in .scp). Results are laid out in --out-dir as the recordings
are, or called as the utterances. Each shard writes a manifest beside them: source, target, settings, seconds, the SHA-256 of
the result and that of the source, version.

A shard is every Nth recording, chosen by --shard, or by where the command runs: a task of a Slurm array, or a pod of an Indexed
Job (with --shards). What a manifest has, and what still has its checksum, is not done again: after a kill, run the same command
once more. Two workers on one shard do no harm. --check looks at all shards, prints what is missing, broken or outdated, and fails
if anything is; if nothing is, it writes manifest.tsv, and wav.scp for a wav.scp.

EXAMPLES

   a folder, on all cores; then see that all is there:
      vc batch talks/ --to ann --out-dir converted/
      vc batch talks/ --to ann --out-dir converted/ --check

   a list whose second column names voices; those of a file with a recording and a voice in each line; drawn by chance:
      vc batch files.tsv --out-dir converted/
      vc batch wav.scp --voices utt2voice --out-dir converted/
      vc batch wav.scp --random-voices 7 --out-dir converted/ --format flac

   on three machines, one of these on each:
      vc batch files.tsv --to ann --out-dir /shared/converted --shard 1/3
      vc batch files.tsv --to ann --out-dir /shared/converted --shard 2/3
      vc batch files.tsv --to ann --out-dir /shared/converted --shard 3/3

   inside a task of sbatch --array=0-19, and in a pod of an Indexed Job of 20 completions:
      vc batch wav.scp --to ann --out-dir converted/ --shards 20`

func batchCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "batch",
		Usage:       "convert a corpus, on one machine or many",
		UsageText:   "vc batch SOURCE --to VOICE --out-dir DIR [flags]",
		ArgsUsage:   "SOURCE",
		Description: batchDescription,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "voices", Usage: "take voices from `FILE`, in each line a recording as SOURCE has it, a tab or a space, and a voice"},
			&cli.StringFlag{Name: "random-voices", Usage: "draw a voice for each recording by `SEED`, a whole number from 0 on, and its name in SOURCE; with --to, from that speaker"},
		}, voiceFlags(), shiftFlags(), melodyFlags(), corpusFlags()),
		Action: func(c *cli.Context) error {
			o := readCorpusFlags(c)
			o.voiceChoice, o.sourceChoice = readVoiceFlags(c), readSourceFlags(c)
			o.pitch, o.formant, o.strength, o.melody = c.Float64("pitch"), c.Float64("formant"), c.Float64("strength"), vc.Melody(c.String("melody"))
			o.voices, o.randomVoices = c.String("voices"), c.String("random-voices")
			share, err := o.validate(e.getenv, c.IsSet("shards"))
			if err != nil {
				return &usageError{"batch", fmt.Errorf("batch: %w", err)}
			}
			return runBatch(c.Context, e, o, share)
		},
	}
}

// corpusFlags are those of all that converts a corpus.
func corpusFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "out-dir", Usage: "write results and manifests into `DIR`"},
		&cli.StringFlag{Name: "shard", DefaultText: "all, or by the environment", Usage: "do share `I/N`, from 1/N to N/N"},
		&cli.IntFlag{Name: "shards", Usage: "there are `N` shards, of which SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX, from 0 on, says which"},
		&cli.BoolFlag{Name: "check", DisableDefaultText: true, Usage: "convert nothing, say what is missing, broken or outdated of all shards"},
		modelFlag(),
		&cli.StringFlag{Name: "format", Value: "wav", Usage: "`ENDING` of the results: wav, flac, and with ffmpeg installed mp3, ogg, opus and others"},
		&cli.StringFlag{Name: "rate", DefaultText: "the model's", Usage: "write `HZ` samples a second, or keep, those of the input"},
		&cli.StringFlag{Name: "bits", DefaultText: "16", Usage: "write samples of `N` bits into WAV and FLAC: 16, 24, or 32f, floats, in WAV only"},
		&cli.StringFlag{Name: "channels", DefaultText: "mono", Usage: "`HOW` several channels are treated, as in vc convert: mono or keep"},
		vocoderFlag(),
		markFlag(),
		&cli.IntFlag{Name: "threads", DefaultText: "all that the task has", Usage: "use at most `N` processor cores"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "say nothing but warnings and errors"},
	}
}

func readCorpusFlags(c *cli.Context) batchOptions {
	return batchOptions{
		convertOptions: convertOptions{
			inputs: c.Args().Slice(), model: c.String("model"), outDir: c.String("out-dir"),
			threads: c.Int("threads"), vocoder: vc.Vocoder(c.String("vocoder")),
			rate: c.String("rate"), bits: audio.Depth(c.String("bits")), channels: c.String("channels"),
			noMark: c.Bool(noMark),
			quiet:  true, // the manifest says what became of each file
		},
		format: c.String("format"), shard: c.String("shard"), shards: c.Int("shards"), check: c.Bool("check"), silent: c.Bool("quiet"),
	}
}

// batchOptions are those of a conversion of many files, and of their shares.
type batchOptions struct {
	convertOptions
	voices, randomVoices string
	format               string // an ending without the dot
	shard                string // I/N, "" for that of the environment
	shards               int
	check, silent        bool
	anonymous            *anonymousOptions // nil for voices that are named
}

// validate also finds the share of this worker.
func (o batchOptions) validate(getenv func(string) string, shardsGiven bool) (batch.Shard, error) {
	all := batch.Shard{Count: 1}
	switch {
	case len(o.inputs) != 1:
		return all, fmt.Errorf("%d sources, want one: a folder, a list of recordings, or a wav.scp", len(o.inputs))
	case o.inputs[0] == standardStream:
		return all, errors.New("standard input cannot be a source, since every worker reads it all: write the list to a file")
	case o.outDir == "":
		return all, errors.New("--out-dir is missing: the folder for results and manifests")
	case o.randomVoices != "" && (o.like != "" || o.random != "" || o.mix != "" || o.sides() != nil):
		return all, errors.New("--random-voices draws a voice for each recording: of --to, --like, --random and --mix it goes with a --to that names a speaker")
	case shardsGiven && o.shards < 1:
		return all, fmt.Errorf("--shards is %d, want at least 1", o.shards)
	case o.shard != "" && o.shards > 0:
		return all, errors.New("--shard says how many shards there are, and so does --shards: give one of them")
	}
	if o.randomVoices != "" {
		if _, err := strconv.ParseUint(o.randomVoices, 10, 64); err != nil {
			return all, fmt.Errorf("--random-voices is %q, want a whole number, 0 or more", o.randomVoices)
		}
	}
	if err := audio.CheckOutput("result."+o.format, o.bits); err != nil {
		return all, fmt.Errorf("--format %s: %w", o.format, err)
	}
	if err := o.validateOutput(); err != nil {
		return all, err
	}
	for _, v := range o.choices() {
		if v.empty() {
			continue // a list may name the voices
		}
		if err := v.validate(); err != nil {
			return all, err
		}
	}
	if err := o.sourceChoice.validate(); err != nil {
		return all, err
	}
	if err := checkConversion(o.conversion(o.threads)); err != nil {
		return all, err
	}
	if o.check {
		return all, nil
	}
	return o.share(getenv)
}

func (o batchOptions) share(getenv func(string) string) (batch.Shard, error) {
	if o.shard != "" {
		s, err := batch.ParseShard(o.shard)
		if err != nil {
			return s, fmt.Errorf("--shard %w", err)
		}
		return s, nil
	}
	s, found, err := batch.FromEnvironment(getenv, o.shards)
	if err != nil && o.shards == 0 {
		err = fmt.Errorf("%w (give --shards N)", err)
	}
	if err == nil && !found && o.shards > 1 {
		err = fmt.Errorf("--shards %d says how many there are, but neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX says which one this is: give --shard I/%[1]d", o.shards)
	}
	return s, err
}

// cores is how many this worker may use: those of its task, where Slurm counts but does not fence them.
func (o batchOptions) cores(getenv func(string) string) int {
	if o.threads > 0 {
		return o.threads
	}
	n := runtime.GOMAXPROCS(0) // knows of control groups and affinity
	if given, err := strconv.Atoi(getenv("SLURM_CPUS_PER_TASK")); err == nil && given > 0 {
		n = min(n, given)
	}
	return n
}

func runBatch(ctx context.Context, e env, o batchOptions, share batch.Shard) error {
	m, path, err := loadConverter(e, o.model, o.noMark)
	if err != nil {
		return err
	}
	c, err := newCollection(ctx, e, m, path, o)
	if err != nil {
		return err
	}
	books, err := batch.Open(o.outDir)
	if err != nil {
		return fmt.Errorf("cannot read the manifests in %s: %w", o.outDir, plainCause(err))
	}
	if o.check {
		return c.check(ctx, books)
	}
	items := c.shareOf(share)
	if len(items) == 0 {
		e.tell("shard %v has none of the %d recordings", share, len(c.items))
		return nil
	}
	if err := os.MkdirAll(o.outDir, 0o777); err != nil {
		return fmt.Errorf("cannot make the folder %s: %w", o.outDir, plainCause(err))
	}
	if err := books.Write(share); err != nil {
		return fmt.Errorf("cannot write the manifest %s in %s: %w", batch.ManifestName(share), o.outDir, plainCause(err))
	}
	err = c.convert(ctx, books, items, share)
	return errors.Join(err, books.Close())
}
