// Voicing teaches the F0 tracker's voicing network and writes f0_weights.go of package features.
//
//	go run ./features/train/cmd/voicing -speech DIR[,DIR] -references DIR -o features/f0_weights.go
//
// A speech folder has a folder per speaker; features/testdata/f0_references.py makes the references with Praat. The
// same command over the same speech writes the same bytes, on the same kind of processor.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/starvc/vc/features/train"
)

type options struct {
	speech, references, out, heldOut, stop, without string
	cfg                                             train.Config
}

func main() {
	o := options{cfg: train.DefaultConfig()}
	flag.StringVar(&o.speech, "speech", "", "folders with a folder of recordings per speaker, separated by commas")
	flag.StringVar(&o.references, "references", "", "folder that f0_references.py has made")
	flag.StringVar(&o.out, "o", "", "Go file to write; none: only print the errors")
	flag.StringVar(&o.heldOut, "held-out", strings.Join(o.cfg.HeldOut, ","), "speakers who are scored, never learnt from")
	flag.StringVar(&o.stop, "stop", strings.Join(o.cfg.Stop, ","), "speakers who end the fit, never learnt from")
	flag.StringVar(&o.without, "without", "clb,slt", "speakers who are left out")
	flag.IntVar(&o.cfg.Rounds, "rounds", o.cfg.Rounds, "rounds of collecting inputs and fitting")
	flag.Float64Var(&o.cfg.Altered, "altered", o.cfg.Altered, "weight of copies at other levels; 0: none")
	flag.Float64Var(&o.cfg.Noisy, "noisy", o.cfg.Noisy, "weight of copies in noise; 0: none")
	flag.Float64Var(&o.cfg.Roomy, "roomy", o.cfg.Roomy, "weight of copies in rooms; 0: none")
	flag.Float64Var(&o.cfg.Made, "made", o.cfg.Made, "weight of tones and noises made by formula; 0: none")
	fit := &o.cfg.Fit
	flag.IntVar(&fit.Hidden, "hidden", fit.Hidden, "units of the hidden layer")
	flag.IntVar(&fit.Batch, "batch", fit.Batch, "frames per step")
	flag.IntVar(&fit.Epochs, "epochs", fit.Epochs, "at most")
	flag.IntVar(&fit.Patience, "patience", fit.Patience, "epochs to wait for a better one")
	flag.IntVar(&fit.Starts, "starts", fit.Starts, "fits from other first weights, of which the best is taken")
	flag.Float64Var(&fit.Rate, "rate", fit.Rate, "first rate of Adam")
	flag.Float64Var(&fit.Penalty, "penalty", fit.Penalty, "on the squares of the weights")
	flag.Float64Var(&fit.Voiced, "voiced", fit.Voiced, "weight of a voiced frame, an unvoiced one has 1")
	flag.Uint64Var(&fit.Seed, "seed", fit.Seed, "of all that is drawn")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "voicing:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.speech == "" || o.references == "" {
		return errors.New("name the recordings with -speech and their F0 with -references")
	}
	o.cfg.HeldOut, o.cfg.Stop = strings.Split(o.heldOut, ","), strings.Split(o.stop, ",")
	speech, err := train.ReadSpeech(strings.Split(o.speech, ","), o.references, strings.Split(o.without, ","))
	if err != nil {
		return err
	}
	network, err := train.Voicing(ctx, speech, o.cfg, os.Stderr)
	if err != nil || o.out == "" {
		return err
	}
	source, err := network.Source(command())
	if err != nil {
		return err
	}
	return os.WriteFile(o.out, source, 0o644)
}

// command is this command, as far as it matters to what is written.
func command() string {
	var words []string
	flag.Visit(func(f *flag.Flag) {
		if !slices.Contains([]string{"speech", "references", "o", "seed"}, f.Name) {
			words = append(words, " -"+f.Name+" "+f.Value.String())
		}
	})
	return "go run ./features/train/cmd/voicing -seed " + flag.Lookup("seed").Value.String() + strings.Join(words, "")
}
