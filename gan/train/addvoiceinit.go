package train

import (
	"fmt"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
)

// startFrom fills the weights of a new run from a trained model: everything that does not depend on the speakers, and the
// heads of those speakers that both know by name. It returns the names that are new.
func startFrom(vars *mlx.Vars, cfg Config, m *gan.Model, speakers []corpus.SpeakerInfo) (fresh []string, err error) {
	if m.Features != cfg.Features {
		return nil, fmt.Errorf("the model's features %+v are not this run's %+v: train with the model's", m.Features, cfg.Features)
	}
	for i := range min(m.Config.EncoderBlocks, cfg.GAN.EncoderBlocks) {
		if m.Config.EncoderDilation(i) != cfg.GAN.EncoderDilation(i) {
			return nil, fmt.Errorf("the model's encoder has dilations %v, this run's %v: leave gan.encoderDilations to the model",
				m.Config.EncoderDilations, cfg.GAN.EncoderDilations)
		}
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
		if p.Name == storedStyles {
			continue
		}
		old := m.Tensor(p.Name)
		if p.PerSpeaker() {
			row := 1
			for _, d := range p.Shape[1:] {
				row *= d
			}
			if len(old) != row*len(m.Speakers) {
				return nil, sizeError(p)
			}
			data := make([]float32, 0, row*len(speakers))
			for _, j := range from {
				if j < 0 {
					data = append(data, newHead(m, p.Name, row)...)
				} else {
					data = append(data, old[j*row:(j+1)*row]...)
				}
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
	return fmt.Errorf("weight %q has another shape than %v: train with the model's preset", p.Name, p.Shape)
}

// matchesBase checks that a snapshot holds the model that voices are added to.
func matchesBase(vars *mlx.Vars, cfg Config, old int) error {
	if !cfg.AddVoice.On {
		return nil
	}
	_, shape, err := vars.Get(groupBase, storedStyles)
	if err != nil || shape[0] != old {
		return fmt.Errorf("snapshot: the model that voices were added to is missing or has other voices: addVoice.on has changed since the run began")
	}
	return nil
}
