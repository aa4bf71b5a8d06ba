package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Config is what Voicing needs beside the speech.
type Config struct {
	Fit     FitConfig
	HeldOut []string // speakers who are scored only
	Stop    []string // speakers who end a fit and choose between starts
	Rounds  int      // of collecting inputs and fitting; the first takes the teacher's decisions

	// How much a frame counts, of recordings as they are, of copies at other levels, of copies in noise and of copies in rooms, and of
	// tones and noises made by formula.
	Quiet, Altered, Noisy, Roomy, Made float64
}

// DefaultConfig is what the committed network was made with. The first five held out are the ones that no edition
// of the network has learnt from.
func DefaultConfig() Config {
	return Config{
		Fit:     DefaultFitConfig(),
		HeldOut: []string{"lj", "kathleen", "allison", "june", "tan", "ls27", "ls2033", "ls3005"},
		Stop:    []string{"ls1998", "ls3331", "rufem", "ksp"},
		Rounds:  2,
		Quiet:   1, Altered: 0.5, Noisy: 0.3, Made: 1,
	}
}

// noiseDB is the range of the noise's distance from the speech.
const noiseLeastDB, noiseMostDB = 10, 20

// Voicing teaches a network the voicing of all speakers but those held out and those to stop by, and writes to w the
// errors of the tracker with its own network and with the new one.
func Voicing(ctx context.Context, speech []Recording, cfg Config, w io.Writer) (*Network, error) {
	if cfg.Rounds < 1 {
		return nil, fmt.Errorf("train: %d rounds, want at least 1", cfg.Rounds)
	}
	var learn, stop []Recording
	for _, c := range speech {
		switch {
		case slices.Contains(cfg.Stop, c.Speaker):
			stop = append(stop, c)
		case !slices.Contains(cfg.HeldOut, c.Speaker):
			learn = append(learn, c)
		}
	}
	if len(learn) == 0 {
		return nil, errors.New("train: every speaker is held out or to stop by; give more speech")
	}
	note := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	var best *Network
	for round := range cfg.Rounds {
		var guide judge
		if best != nil {
			guide = best.Voiced
		}
		a, err := gather(ctx, learn, learn, guide, cfg, true)
		if err != nil {
			return nil, err
		}
		b, err := gather(ctx, stop, learn, guide, cfg, false)
		if err != nil {
			return nil, err
		}
		note("round %d: %d frames to learn from, %d to stop by", round+1, len(a.In), len(b.In))
		if best, err = Fit(ctx, a, b, cfg.Fit, note); err != nil {
			return nil, err
		}
		best.Round()
	}
	return best, table(ctx, speech, learn, best, cfg, w)
}

// gather is the frames of recordings, their altered and noisy copies and, if asked, of what is made by formula.
func gather(ctx context.Context, all, voices []Recording, guide judge, cfg Config, withMade bool) (Frames, error) {
	seed := cfg.Fit.Seed
	copies := func(change func(Recording) Recording) []Recording {
		out := make([]Recording, len(all))
		for i, c := range all {
			out[i] = change(c)
		}
		return out
	}
	parts := []struct {
		weight float64
		make   func() []Recording
	}{
		{cfg.Quiet, func() []Recording { return all }},
		{cfg.Altered, func() []Recording { return copies(func(c Recording) Recording { return altered(c, seed) }) }},
		{cfg.Noisy, func() []Recording {
			return copies(func(c Recording) Recording { return noisy(c, voices, seed, noiseLeastDB, noiseMostDB) })
		}},
		{cfg.Roomy, func() []Recording { return copies(func(c Recording) Recording { return roomy(c, seed, false) }) }},
	}
	var f Frames
	for _, p := range parts {
		if p.weight > 0 {
			g, err := collectAll(ctx, p.make(), guide, p.weight)
			if err != nil {
				return Frames{}, err
			}
			f.append(g)
		}
	}
	if withMade && cfg.Made > 0 {
		g, err := collectAll(ctx, made(seed), guide, cfg.Made)
		if err != nil {
			return Frames{}, err
		}
		f.append(g)
	}
	return f, nil
}

// conditions are those in which the tracker is scored.
var conditions = []struct {
	name   string
	change func(c Recording, voices []Recording, seed uint64) Recording
}{
	{"quiet", func(c Recording, _ []Recording, _ uint64) Recording { return c }},
	{"15 dB", func(c Recording, voices []Recording, seed uint64) Recording { return noisy(c, voices, seed, 15, 15) }},
	{"room", func(c Recording, _ []Recording, seed uint64) Recording { return roomy(c, seed, true) }},
}

// table writes the errors of each speaker, and of all of a group: as recorded, in noise 15 dB below, and in theRoom; each by the tracker's own
// network and by the new one.
func table(ctx context.Context, speech, voices []Recording, n *Network, cfg Config, w io.Writer) error {
	var columns []map[string]Score
	for _, condition := range conditions {
		heard := make([]Recording, len(speech))
		for i, c := range speech {
			heard[i] = condition.change(c, voices, cfg.Fit.Seed+1)
		}
		for _, with := range []*Network{nil, n} {
			s, err := scores(ctx, heard, with)
			if err != nil {
				return err
			}
			columns = append(columns, s)
		}
	}
	fmt.Fprintln(w, "voicing error and gross error in percent of the tracker with its own network, and with the new one")
	fmt.Fprintf(w, "%-22s %7s", "", "frames")
	for _, c := range conditions {
		fmt.Fprintf(w, "  %-13s  %-13s", c.name+": own", "new")
	}
	fmt.Fprintln(w)
	groups := []string{"learnt", "stop", "held out"}
	sums := make([][]Score, len(groups))
	for g, group := range groups {
		sums[g] = make([]Score, len(columns))
		var names []string
		for name := range columns[0] {
			if groupOf(name, cfg) == g {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		for _, name := range names {
			line := make([]Score, len(columns))
			for i := range columns {
				line[i] = columns[i][name]
				sums[g][i].add(line[i])
			}
			writeLine(w, group+" "+name, line)
		}
	}
	for g, group := range groups {
		writeLine(w, "all "+group, sums[g])
	}
	return nil
}

// groupOf is 0 for speakers who are learnt from, 1 for those to stop by, 2 for those held out.
func groupOf(speaker string, cfg Config) int {
	switch {
	case slices.Contains(cfg.HeldOut, speaker):
		return 2
	case slices.Contains(cfg.Stop, speaker):
		return 1
	}
	return 0
}

func writeLine(w io.Writer, name string, s []Score) {
	fmt.Fprintf(w, "%-22s %7d", name, s[0].Frames)
	for _, v := range s {
		fmt.Fprintf(w, "  %s", v)
	}
	fmt.Fprintln(w)
}
