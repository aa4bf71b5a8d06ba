package train

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
)

// styleCrops is how many crops of a speaker's training speech the stored style is the mean of, at most.
const styleCrops = 64

// speakerStyles reads the style of every speaker from its training speech with the averaged weights of E: the mean over
// crops spread evenly through the recordings, [speakers*styleDim]. An old voice without recordings keeps the style that it
// had in the model that the run began with.
func (e *engine) speakerStyles(set *corpus.Set) ([]float32, error) {
	b, s, m, dim := e.cfg.Batch, e.cfg.StyleFrames, e.cfg.GAN.NMels, e.cfg.GAN.StyleDim
	read := func(in []*Node) []*Node {
		style, _ := e.over(in[0].Graph(), mlx.GroupEMA, true).encodeStyle(in[0], in[1])
		return []*Node{Identity(style)} // the Go backend wants no weight to be read after the last output is made
	}
	all := make([]float32, len(set.Speakers)*dim)
	for speaker := range set.Speakers {
		crops := evenCrops(set.Features, set.Train, speaker, s, styleCrops)
		if len(crops) == 0 {
			kept, err := e.keptStyle(speaker, set.Speakers[speaker].Name)
			if err != nil {
				return nil, err
			}
			copy(all[speaker*dim:], kept)
			continue
		}
		for from := 0; from < len(crops); from += b {
			n := min(b, len(crops)-from)
			x := make([]float32, b*s*m)
			y := make([]int32, b)
			for i := range b {
				copy(x[i*s*m:(i+1)*s*m], crops[from+i%n])
				y[i] = int32(speaker)
			}
			f := feed{cfg: e.cfg, speakers: e.speakers}
			out, err := e.run("styles", read, f.mels(x, s), f.oneHot(y))
			if err != nil {
				return nil, err
			}
			styles := mlx.Take(out)
			for i := range n * dim {
				all[speaker*dim+i%dim] += styles[i] / float32(len(crops))
			}
		}
	}
	return all, nil
}

// evenCrops takes up to most crops of s frames, [s*nMels] each, spread evenly through a speaker's utterances. An utterance
// that is shorter is repeated, and one that ends at features.SpeechHz silent above, as in training.
func evenCrops(cfg features.Config, us []corpus.Utterance, speaker, s, most int) [][]float32 {
	type place struct{ utterance, frame int }
	var places []place
	narrow := map[int]bool{}
	for i, u := range us {
		if u.Speaker != speaker {
			continue
		}
		narrow[i] = cfg.Narrow(u.Frames)
		for t := 0; t == 0 || t+s <= u.Frames.Len(); t += s {
			places = append(places, place{i, t})
		}
	}
	n := min(most, len(places))
	crops := make([][]float32, 0, n)
	for i := range n {
		p := places[i*len(places)/n]
		f := us[p.utterance].Frames
		crop := make([]float32, 0, s*f.NMels)
		for t := range s {
			crop = append(crop, f.Mel((p.frame+t)%f.Len())...)
		}
		if narrow[p.utterance] {
			cfg.SilenceUpper(crop)
		}
		crops = append(crops, crop)
	}
	return crops
}

// export makes the model out of the averaged weights.
func (e *engine) export(set *corpus.Set, steps int, version string) (*gan.Model, error) {
	styles, err := e.speakerStyles(set)
	if err != nil {
		return nil, err
	}
	infos := make([]gan.SpeakerInfo, len(set.Speakers))
	for i, s := range set.Speakers {
		infos[i] = gan.SpeakerInfo{Name: s.Name, LogF0Mean: s.LogF0Mean, LogF0Std: s.LogF0Std, Seconds: s.Seconds, About: s.About}
	}
	weights := map[string][]float32{}
	for _, p := range e.cfg.GAN.ModelParams(len(infos)) {
		if p.Name == "speakers.style" {
			weights[p.Name] = styles
			continue
		}
		data, _, err := e.vars.Get(mlx.GroupEMA, p.Name)
		if err != nil {
			return nil, err
		}
		weights[p.Name] = data
	}
	trained := gan.Trained{Steps: steps, Preset: e.cfg.Preset, Program: version}
	return gan.NewModel(e.cfg.Features, e.cfg.GAN, infos, trained, weights)
}
