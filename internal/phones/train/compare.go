package train

import (
	"fmt"

	"github.com/starvc/vc/internal/base"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/phones"
	"github.com/starvc/vc/internal/safetensors"
)

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
	f, err := base.OpenPhones(p.o.Compare)
	if err != nil {
		return fail(err)
	}
	h, err := phones.HeaderOf(f)
	if err != nil {
		return fail(fmt.Errorf("%s: %w", p.o.Compare, err))
	}
	own, input := h.Encoder, h.Features
	c := p.req.Config
	if input != c.Features {
		return fail(fmt.Errorf("%s: it hears features %+v, this run has %+v: name a network of the run's",
			p.o.Compare, input, c.Features))
	}
	c.GAN, c.TeacherDims = own, 0
	other := &compared{name: p.o.Compare, config: c, vars: mlx.NewVars()}
	weights, err := safetensors.Weights(f, phones.Params(own), nil)
	if err != nil {
		return fail(fmt.Errorf("%s: %w", p.o.Compare, err))
	}
	for _, w := range phones.Params(own) {
		if err := other.vars.Set(mlx.GroupEMA, w.Name, w.Shape, weights[w.Name]); err != nil {
			return fail(err)
		}
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
