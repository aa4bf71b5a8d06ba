package train

import (
	"fmt"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/base"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/phones"
	"github.com/starvc/vc/internal/safetensors"
)

// network is a phone network as its file has it.
type network struct {
	GAN      gan.Config // whose encoder it is like
	Features features.Config
	weights  map[string][]float32 // of phones.Params
	ear      *phones.Network      // the same, to listen with
}

// openNetwork reads the phone network in a file, or base, the program's own.
func openNetwork(path string) (*network, error) {
	f, err := base.OpenPhones(path)
	if err != nil {
		return nil, err
	}
	h, err := phones.HeaderOf(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	weights, err := safetensors.Weights(f, phones.Params(h.Encoder), nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	ear, err := phones.Of(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &network{GAN: h.Encoder, Features: h.Features, weights: weights, ear: ear}, nil
}

// fill makes the network's weights variables of a group.
func (n *network) fill(vars *mlx.Vars, group string) error {
	for _, w := range phones.Params(n.GAN) {
		if err := vars.Set(group, w.Name, w.Shape, n.weights[w.Name]); err != nil {
			return err
		}
	}
	return nil
}

// compared is a phone network that is scored beside the one that was trained.
type compared struct {
	name   string
	config Config // of its form
	vars   *mlx.Vars
}

// openCompared reads the phone network that is to be compared.
func (p *pupil) openCompared() error {
	if p.o.Compare == "" {
		return nil
	}
	fail := func(err error) error { return fmt.Errorf("%s: %w", p.r.Names.Of("compare"), err) }
	n, err := openNetwork(p.o.Compare)
	if err != nil {
		return fail(err)
	}
	c := p.req.Config
	if n.Features != c.Features {
		return fail(fmt.Errorf("%s: it hears features %+v, this run has %+v: name a network of the run's",
			p.o.Compare, n.Features, c.Features))
	}
	c.GAN, c.TeacherDims = n.GAN, 0
	other := &compared{name: p.o.Compare, config: c, vars: mlx.NewVars()}
	if err := n.fill(other.vars, mlx.GroupEMA); err != nil {
		return fail(err)
	}
	p.other = other
	return nil
}

// engine runs it where another engine runs.
func (o *compared) engine(beside *engine) (*engine, error) {
	if err := prepare(o.vars, o.config); err != nil {
		return nil, err
	}
	return newEngine(o.config, beside.backend, beside.native, o.vars), nil
}
