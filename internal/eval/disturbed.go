package eval

import (
	"context"
	"fmt"
	"slices"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/disturb"
)

// Disturbed sums up conversions of sources that were disturbed in one way, and what is heard in those sources themselves. The
// words, the melody and the voices that they are compared with are those of the clean recordings.
type Disturbed struct {
	Name      string       `json:"name"`
	Converted Summary      `json:"converted"`
	Source    Summary      `json:"sourceCopied"`
	Clips     []ClipScores `json:"clips,omitempty"` // for the clean condition they are those of the report
}

// disturbSeed is what all disturbances are drawn by, beside the recording's name.
const disturbSeed = 1

// disturb converts and scores the tasks once more, from sources disturbed by c, and adds them to the report.
func (s *suite) disturb(ctx context.Context, p *pool, c disturb.Condition, sources []task, r *Report) error {
	type disturbed struct {
		clip  audio.Clip
		heard *hearing
		gain  float64 // by how much the clean recording is louder
	}
	made := make([]disturbed, len(sources))
	levels := make([]float64, len(sources)) // of the clean recordings
	index := map[string]int{}
	for i, t := range sources {
		index[t.path] = i
	}
	err := p.each(ctx, len(sources), func(i int) error {
		t, d := sources[i], &made[i]
		clip, err := audio.ReadFile(t.path)
		if err != nil {
			return err
		}
		levels[i] = disturb.ActiveLevel(clip.Samples, clip.Rate)
		d.clip, err = c.Apply(clip, disturb.Options{Seed: disturbSeed, Recording: t.source.Name + "/" + utteranceOf(t.path), Others: s.others(t)})
		if err != nil {
			return fmt.Errorf("%s: %w", t.path, err)
		}
		d.gain = levels[i] / disturb.ActiveLevel(d.clip.Samples, d.clip.Rate)
		if s.o.Export != "" {
			if err := writeClip(s.disturbedPath(t, c.String()), d.clip); err != nil {
				return err
			}
		}
		if d.heard, err = s.listen(atLevel(d.clip, levels[i])); err != nil {
			return fmt.Errorf("%s, %s: %w", t.path, c, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	clips := make([]ClipScores, len(s.tasks))
	err = p.each(ctx, len(s.tasks), func(i int) (err error) {
		t := s.tasks[i]
		at := index[t.path]
		if clips[i], err = s.convertDisturbed(ctx, i, c.String(), made[at].clip, made[at].heard, levels[at], made[at].gain); err != nil {
			return fmt.Errorf("%s, %s, to %s: %w", t.path, c, t.target.Name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.Disturbed = append(r.Disturbed, newDisturbed(c.String(), clips))
	r.addFaults(c.String()+": ", s.tasks, clips)
	return nil
}

func newDisturbed(name string, clips []ClipScores) Disturbed {
	return Disturbed{Name: name, Clips: clips,
		Converted: summarize(clips, func(c ClipScores) Scores { return c.Converted }),
		Source:    summarize(clips, func(c ClipScores) Scores { return c.Copied })}
}

// convertDisturbed makes and scores one conversion of a disturbed recording.
func (s *suite) convertDisturbed(ctx context.Context, i int, condition string, clip audio.Clip, heard *hearing, level, gain float64) (ClipScores, error) {
	t := s.tasks[i]
	out, c, err := s.turn(ctx, t, clip, condition)
	if err != nil {
		return c, err
	}
	if c.Copied, err = s.score(t, heard, nil); err != nil {
		return c, err
	}
	if c.Health = examine(out.Clip, s.heard[t.path], gain); !c.Health.heard() {
		return c, nil
	}
	converted, err := s.listen(atLevel(out.Clip, level))
	if err != nil {
		return c, err
	}
	c.Converted, err = s.score(t, converted, s.asked[i])
	return c, err
}

// atLevel is clip at another active level, in new memory: what is judged is not how loud it is.
func atLevel(clip audio.Clip, level float64) audio.Clip {
	now := disturb.ActiveLevel(clip.Samples, clip.Rate)
	if !(now > 0) {
		return clip
	}
	x := slices.Clone(clip.Samples)
	for i, v := range x {
		x[i] = float32(level / now * float64(v))
	}
	return audio.Clip{Samples: x, Rate: clip.Rate}
}

// others are the recordings of the sources that babble over a task's may be made of: of other speakers and other words while
// there are enough of those, else of all but the recording itself.
func (s *suite) others(t task) []string {
	var others, all []string
	for _, speaker := range s.o.Sources {
		for _, f := range speaker.Files {
			if f == t.path {
				continue
			}
			all = append(all, f)
			if speaker.Name != t.source.Name && utteranceOf(f) != utteranceOf(t.path) {
				others = append(others, f)
			}
		}
	}
	if len(others) < disturb.FewestTalkers {
		return all
	}
	return others
}

// checkBabble finds out before all work whether there are recordings enough.
func (s *suite) checkBabble() error {
	for _, c := range s.o.Disturb {
		if n := len(s.others(s.tasks[0])); c.Babble() && n < disturb.FewestTalkers {
			return fmt.Errorf("eval: %s: babble is made of at least %d other recordings of the sources, and there are %d: give more sources, or leave babble out",
				c, disturb.FewestTalkers, n)
		}
	}
	return nil
}
