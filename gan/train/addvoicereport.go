package train

import (
	"context"
	"fmt"

	"github.com/starvc/vc"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/example"
	"github.com/starvc/vc/internal/run"
)

// newVoices are the speakers that a run adds to a model, at most sampleCount/2 of them.
func (p *pupil) newVoices() (all []int) {
	if !p.req.Config.AddVoice.On {
		return nil
	}
	known := map[string]bool{}
	for _, v := range p.req.Voices {
		known[v.Name] = true
	}
	for i, s := range p.set.Speakers {
		if !known[s.Name] && len(all) < sampleCount/2 {
			all = append(all, i)
		}
	}
	return all
}

// newVoiceSamples lets each new voice say the recording that comes with the program, which its speaker never said, and one of its
// speaker's own, held out where there is one. The check for speech hears these: old voices may be well where a new one is not.
func (p *pupil) newVoiceSamples(ctx context.Context, model *vc.Model, fresh []int) ([]run.Sample, error) {
	clip, err := example.Clip()
	if err != nil {
		return nil, err
	}
	var all []run.Sample
	add := func(name, title string, s run.Sample) {
		s.Title, s.File, s.Kind, s.Name, s.Brief = title, name, "converted", name, title
		all = append(all, s)
	}
	for _, v := range fresh {
		who := model.Networks().Speakers[v].Name
		s, err := p.sample(ctx, model, clip, "the program's example", v)
		if err != nil {
			return nil, fmt.Errorf("sample of %s: %w", who, err)
		}
		add("example-to-"+who, fmt.Sprintf("the program's example as %s", who), s)
		own, ok := ownUtterance(p.set, v)
		if !ok {
			continue
		}
		said, err := p.clipOf(own)
		if err != nil {
			return nil, err
		}
		if s, err = p.sample(ctx, model, said, who, v); err != nil {
			return nil, fmt.Errorf("sample of %s: %w", who, err)
		}
		add(p.utteranceName(own)+"-as-"+who, fmt.Sprintf("%s through the model, as %s", p.utteranceName(own), who), s)
	}
	return all, nil
}

// ownUtterance is a recording of a speaker, held out where there is one.
func ownUtterance(set *corpus.Set, speaker int) (corpus.Utterance, bool) {
	if u, ok := run.Nth(set.Valid, speakerOf, speaker, 0); ok {
		return u, true
	}
	return run.Nth(set.Train, speakerOf, speaker, 0)
}
