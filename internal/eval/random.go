package eval

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
)

// RandomOptions says how styles that are drawn for a speaker are checked.
type RandomOptions struct {
	Draws   int
	Targets []Speaker // whose styles are drawn, and who are enrolled by all of their recordings
	Sources []string  // recordings that are converted
	// Convert brings a recording into a voice of the target's that belongs to a number.
	Convert func(ctx context.Context, clip audio.Clip, target string, draw int) (Conversion, error)
	// Revocode makes a conversion anew of its frames with another noise, for the floor; nil where the vocoder has none.
	Revocode func(ctx context.Context, cfg features.Config, f features.Frames, samples int, seed uint64) ([]float32, error)
}

// RandomScores are a speaker's drawn styles.
type RandomScores struct {
	Speaker  string   `json:"speaker"`
	Draws    int      `json:"draws"`
	Own      Interval `json:"similarity"`     // of the draws' conversions to the speaker
	Next     Interval `json:"nextSimilarity"` // of the same to the nearest other speaker
	Above    number   `json:"above"`          // share of them that are nearer to the speaker
	Nearest  string   `json:"nearest"`        // other speaker, most often
	Distance Interval `json:"pairwiseDB"`     // mean difference of the log-mels of two draws' conversions of one recording
	Floor    Interval `json:"vocoderNoiseDB"` // of one conversion vocoded twice
}

// RandomCheck scores draws. A Suite's judge and features are needed.
func RandomCheck(ctx context.Context, o SuiteOptions, ro RandomOptions) ([]RandomScores, error) {
	if o.Judge == nil {
		return nil, errors.New("eval: the check of random styles needs a judge")
	}
	s := &suite{o: o, heard: map[string]*hearing{}}
	embeddings := map[string][]float32{}
	for _, t := range ro.Targets {
		files := t.Files[:min(len(t.Files), mostEnrolled)]
		for _, f := range files {
			clip, err := audio.ReadFile(f)
			if err != nil {
				return nil, fmt.Errorf("eval: %w", err)
			}
			e, err := o.Judge.EmbedClip(clip)
			if err == nil { // a word alone is left out
				s.heard[f] = &hearing{embedding: e}
			}
		}
		if e := s.enrolled(files); e != nil {
			embeddings[t.Name] = e
		}
	}
	scores := make([]RandomScores, len(ro.Targets))
	p := &pool{workers: o.Workers, progress: o.Progress, total: len(ro.Targets)}
	err := p.each(ctx, len(ro.Targets), func(i int) (err error) {
		scores[i], err = checkDraws(ctx, o, ro, ro.Targets[i].Name, embeddings)
		return err
	})
	return scores, err
}

func checkDraws(ctx context.Context, o SuiteOptions, ro RandomOptions, target string, enrolled map[string][]float32) (RandomScores, error) {
	r := RandomScores{Speaker: target, Draws: ro.Draws}
	var own, next, distances, floor []float64
	above, known := 0, 0
	nearest := map[string]int{}
	for _, path := range ro.Sources {
		clip, err := audio.ReadFile(path)
		if err != nil {
			return r, fmt.Errorf("eval: %w", err)
		}
		var mels []features.Frames
		for draw := range ro.Draws {
			out, err := ro.Convert(ctx, clip, target, draw)
			if err != nil {
				return r, fmt.Errorf("%s to %s, draw %d: %w", path, target, draw, err)
			}
			if e, err := o.Judge.EmbedClip(out.Clip); err == nil && enrolled[target] != nil {
				mine, best, who := similarity(e, enrolled[target]), math.Inf(-1), ""
				for name, other := range enrolled {
					if v := similarity(e, other); name != target && (v > best || v == best && name < who) {
						best, who = v, name
					}
				}
				own = append(own, mine)
				if who != "" {
					next = append(next, best)
					nearest[who]++
					known++
					if mine > best {
						above++
					}
				}
			}
			heard, err := features.Analyze(o.Features, out.Clip)
			if err != nil {
				return r, err
			}
			mels = append(mels, heard.Frames)
		}
		for i, a := range mels {
			for _, b := range mels[i+1:] {
				distances = append(distances, logMelDistance(o.Features, a, b))
			}
		}
		if ro.Revocode != nil && len(mels) > 0 {
			d, err := revocoded(ctx, o.Features, mels[0], ro.Revocode)
			if err != nil {
				return r, err
			}
			floor = append(floor, d)
		}
	}
	r.Own, r.Next, r.Distance, r.Floor = Bootstrap(own), Bootstrap(next), Bootstrap(distances), Bootstrap(floor)
	r.Above = number(float64(above) / float64(known))
	for name, n := range nearest {
		if m := nearest[r.Nearest]; n > m || n == m && name < r.Nearest {
			r.Nearest = name
		}
	}
	return r, nil
}

// revocoded is how far apart two sounds are that the vocoder makes of the same frames with other noise.
func revocoded(ctx context.Context, cfg features.Config, f features.Frames,
	vocode func(context.Context, features.Config, features.Frames, int, uint64) ([]float32, error)) (float64, error) {
	var made [2]features.Frames
	for i := range made {
		y, err := vocode(ctx, cfg, f, (f.Len()-1)*cfg.Hop, uint64(i+1))
		if err != nil {
			return 0, err
		}
		if made[i], err = features.ExtractRecording(cfg, y); err != nil {
			return 0, err
		}
	}
	return logMelDistance(cfg, made[0], made[1]), nil
}

// melRangeDB is how far below the loudest band of a recording a band counts as silent: what lies deeper is not heard, and
// differs at random.
const melRangeDB = 60

// logMelDistance is the mean absolute difference of two log-mels, [frames, nMels], in dB, over the frames in which one of
// them is speech. The two have the same timing.
func logMelDistance(cfg features.Config, a, b features.Frames) float64 {
	n := min(a.Len(), b.Len())
	if n == 0 {
		return math.NaN()
	}
	inA, inB := within(a.LogEnergy, speechDB), within(b.LogEnergy, speechDB)
	dB := 20 / math.Ln10 * cfg.MelScale
	least := float32(float64(max(slices.Max(a.LogMel), slices.Max(b.LogMel))) - melRangeDB/dB)
	var sum float64
	count := 0
	for t := range n {
		if !inA[t] && !inB[t] {
			continue
		}
		x, y := a.Mel(t), b.Mel(t)
		for k := range x {
			sum += math.Abs(float64(max(x[k], least) - max(y[k], least)))
		}
		count += len(x)
	}
	return dB * sum / float64(count)
}

// writeRandom writes the table of the drawn styles.
func (r *Report) writeRandom(w io.Writer) error {
	fmt.Fprintf(w, "\nStyles drawn at random, %d for each speaker\n", r.Random[0].Draws)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\tto the speaker\tto the next nearest\tnearer to the speaker\tnext nearest\tapart, dB\tvocoder's noise, dB")
	for _, s := range r.Random {
		fmt.Fprintf(tw, "%s\t%v\t%v\t%s\t%s\t%v\t%v\n", s.Speaker, s.Own, s.Next, percent(float64(s.Above)), s.Nearest, s.Distance, s.Floor)
	}
	return tw.Flush()
}
