package train

import (
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
)

// styleCrops is how many crops of a speaker's training speech the stored style is the mean of, at most.
const styleCrops = 64

// speakerStyles reads the style of every speaker from its training speech with the averaged weights of E: the mean over
// crops spread evenly through the recordings, [speakers*styleDim].
func (e *engine) speakerStyles(set *corpus.Set) ([]float32, error) {
	b, s, m, dim := e.cfg.Batch, e.cfg.StyleFrames, e.cfg.GAN.NMels, e.cfg.GAN.StyleDim
	read := func(in []*Node) []*Node {
		style, _ := e.over(in[0].Graph(), mlx.GroupEMA, true).encodeStyle(in[0], in[1])
		return []*Node{Identity(style)} // the Go backend wants no weight to be read after the last output is made
	}
	all := make([]float32, len(set.Speakers)*dim)
	for speaker := range set.Speakers {
		crops := evenCrops(set.Train, speaker, s, styleCrops)
		if len(crops) == 0 {
			return nil, fmt.Errorf("styles: speaker %s has no training speech", set.Speakers[speaker].Name)
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
			styles := tensors.MustCopyFlatData[float32](out)
			out.MustFinalizeAll()
			for i := range n * dim {
				all[speaker*dim+i%dim] += styles[i] / float32(len(crops))
			}
		}
	}
	return all, nil
}

// evenCrops takes up to most crops of s frames, [s*nMels] each, spread evenly through a speaker's utterances. An utterance
// that is shorter is repeated, as in training.
func evenCrops(us []corpus.Utterance, speaker, s, most int) [][]float32 {
	type place struct{ utterance, frame int }
	var places []place
	for i, u := range us {
		if u.Speaker != speaker {
			continue
		}
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
		infos[i] = gan.SpeakerInfo{Name: s.Name, LogF0Mean: s.LogF0Mean, LogF0Std: s.LogF0Std, Seconds: s.Seconds}
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

// startFrom fills the weights of a new run from a trained model: everything that does not depend on the speakers, and the
// heads of those speakers that both know by name. It returns the names that are new.
func startFrom(vars *mlx.Vars, cfg Config, m *gan.Model, speakers []corpus.SpeakerInfo) (fresh []string, err error) {
	if m.Features != cfg.Features {
		return nil, fmt.Errorf("--init: the model's features %+v are not this run's %+v: train with the model's", m.Features, cfg.Features)
	}
	from := make([]int, len(speakers)) // the model's index of each speaker of ours, -1 for new ones
	for i, s := range speakers {
		from[i] = -1
		for j, known := range m.Speakers {
			if known.Name == s.Name {
				from[i] = j
			}
		}
		if from[i] < 0 {
			fresh = append(fresh, s.Name)
		}
	}
	for _, p := range cfg.GAN.ModelParams(len(speakers)) {
		if p.Name == "speakers.style" {
			continue
		}
		old := m.Tensor(p.Name)
		if perSpeaker(p.Name) {
			row := 1
			for _, d := range p.Shape[1:] {
				row *= d
			}
			data := make([]float32, row*len(speakers))
			fillInitial(data, p, cfg.Seed)
			if len(old) != row*len(m.Speakers) {
				return nil, sizeError(p)
			}
			for i, j := range from {
				if j < 0 {
					j = 0 // a new voice starts as an old one rather than as noise
				}
				copy(data[i*row:(i+1)*row], old[j*row:(j+1)*row])
			}
			old = data
		}
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		if len(old) != n {
			return nil, sizeError(p)
		}
		if err := vars.Set(mlx.GroupWeights, p.Name, p.Shape, old); err != nil {
			return nil, err
		}
	}
	return fresh, nil
}

func sizeError(p gan.Param) error {
	return fmt.Errorf("--init: weight %q has another shape than %v: train with the model's preset", p.Name, p.Shape)
}

func perSpeaker(name string) bool {
	switch name {
	case "map.head.w", "map.head.b", "sty.head.w", "sty.head.b":
		return true
	}
	return false
}
