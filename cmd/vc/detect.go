package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/mark"
	"github.com/urfave/cli/v2"
)

const detectDescription = `Looks for the mark that vc leaves in the speech that it converts, and says where it is and which voice it names. The mark survives other
formats, rates and levels; 5 seconds of speech mostly suffice, 12 nearly always. Speech that was made with --no-mark or by other programs has none, so
that a recording without it may have been converted all the same. A voice is known by a number that its name gives; with --model, names are those of
that model's voices. The exit status is 0 if all recordings have the mark, 3 if one has not, and 1 if one cannot be read.

EXAMPLES

   vc detect call.mp3
   vc detect --json *.wav
   vc detect episode.m4a && echo "made by vc"`

func detectCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "detect",
		Usage:       "look for the mark of converted speech in recordings",
		UsageText:   "vc detect FILE... [flags]",
		ArgsUsage:   "FILE...",
		Description: detectDescription,
		Flags: []cli.Flag{
			modelFlag(),
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "a line of JSON for each recording"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return usagef("detect", "detect: no recording: name one or more")
			}
			return runDetect(c.Context, e, c.Args().Slice(), c.String("model"), c.Bool("json"))
		},
	}
}

// errUnmarked gives "vc detect" its exit status where a recording has no mark. It is not shown: the recording has been named.
var errUnmarked = errors.New("not every recording has the mark")

func runDetect(ctx context.Context, e env, paths []string, model string, asJSON bool) error {
	var names map[int][]string // JSON has numbers
	if !asJSON {
		var err error
		if names, err = voiceNumbers(e, model); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	jobs := make([]job, len(paths))
	unmarked := false
	all := detectFiles(ctx, paths)
	for i, path := range paths {
		h := <-all[i]
		if jobs[i] = (job{in: path, err: h.err}); h.err != nil {
			continue
		}
		found := slices.ContainsFunc(h.sides, func(f mark.Finding) bool { return f.Found })
		unmarked = unmarked || !found
		if asJSON {
			line, err := json.Marshal(detected{path, found, h.sides})
			if err != nil {
				return err
			}
			fmt.Fprintf(e.stdout, "%s\n", line)
			continue
		}
		for i, f := range h.sides {
			which := ""
			if len(h.sides) > 1 {
				which = fmt.Sprintf(" (channel %d)", i+1)
			}
			fmt.Fprintf(e.stdout, "%s%s: %s\n", filepath.ToSlash(path), which, describeFinding(f, names))
		}
	}
	err := failures(jobs)
	if err == nil && unmarked {
		err = errUnmarked
	}
	return err
}

// findings are those of a recording, by channels, or why there are none.
type findings struct {
	sides []mark.Finding
	err   error
}

// detectFiles looks at as many recordings at a time as there are cores. What was found in the i-th comes from the i-th channel, once.
func detectFiles(ctx context.Context, paths []string) []chan findings {
	all := make([]chan findings, len(paths))
	for i := range all {
		all[i] = make(chan findings, 1)
	}
	var next atomic.Int64
	for range min(runtime.GOMAXPROCS(0), len(paths)) {
		go func() {
			for i := int(next.Add(1)) - 1; i < len(paths); i = int(next.Add(1)) - 1 {
				sides, err := detectFile(ctx, paths[i])
				all[i] <- findings{sides, err}
			}
		}()
	}
	return all
}

// detected is what "vc detect --json" says of a recording.
type detected struct {
	File     string         `json:"file"`
	Found    bool           `json:"found"`
	Channels []mark.Finding `json:"channels"`
}

// detectFile looks at each channel of a recording.
func detectFile(ctx context.Context, path string) ([]mark.Finding, error) {
	var all []mark.Finding
	for side, sides := 0, 1; side < sides; side++ {
		rate := 0
		f, err := mark.Detect(ctx, func(take func(int, []float32) error) error {
			pieces := audio.Pieces{Apart: true, Channels: audio.MaxKept}
			pieces.Begin = func(h audio.Heard) error {
				rate, sides = h.Rate, h.Sides
				return nil
			}
			pieces.Take = func(x [][]float32) error { return take(rate, x[side]) }
			_, err := pieces.ReadFile(ctx, path)
			return err
		})
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

// voiceNumbers are the names of the voices of a model by their numbers in a mark. A model that nobody has asked for and that cannot be read is
// no error: the numbers remain.
func voiceNumbers(e env, model string) (map[int][]string, error) {
	names := map[int][]string{}
	m, _, err := loadModel(e, model)
	switch {
	case err != nil && model != "":
		return nil, err
	case err != nil:
		return names, nil
	}
	for _, v := range m.Voices() {
		n := mark.VoiceNumber(v.Name)
		names[n] = append(names[n], v.Name)
	}
	return names, nil
}

func describeFinding(f mark.Finding, names map[int][]string) string {
	if !f.Found {
		return "no mark found"
	}
	var spans []string
	for _, s := range f.Spans {
		spans = append(spans, fmt.Sprintf("%s to %s %s", minutes(s.From), minutes(s.To), voiceOf(s.Info.Voice, names)))
	}
	speed := ""
	switch by := 100 * (f.Speed - 1); {
	case by > 0:
		speed = fmt.Sprintf(", played %.1f %% faster", by)
	case by < 0:
		speed = fmt.Sprintf(", played %.1f %% slower", -by)
	}
	return fmt.Sprintf("converted by vc%s: %s (false alarm: %.0e)", speed, strings.Join(spans, ", "), f.FalseAlarm)
}

func voiceOf(number int, names map[int][]string) string {
	switch known := names[number]; {
	case number == 0:
		return "in a mixed or borrowed voice"
	case len(known) > 0:
		return "in voice " + strings.Join(known, " or ")
	}
	return fmt.Sprintf("in voice number %d", number)
}

// minutes is a time in a recording.
func minutes(d time.Duration) string {
	return fmt.Sprintf("%d:%04.1f", int(d.Minutes()), (d % time.Minute).Seconds())
}
