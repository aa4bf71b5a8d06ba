package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
)

// FitConfig is how a network is fitted.
type FitConfig struct {
	Hidden   int     // units
	Batch    int     // frames per step
	Epochs   int     // at most
	Patience int     // epochs without a better one, of the frames that stop the fit, until it ends
	Rate     float64 // of Adam at first; it falls to a hundredth along half a cosine over Epochs
	Penalty  float64 // on the squares of the weights
	Voiced   float64 // weight of a voiced frame, an unvoiced one has 1
	Starts   int     // fits, from other first weights each, of which the best is taken
	Seed     uint64
}

// DefaultFitConfig is what the committed network was fitted with.
func DefaultFitConfig() FitConfig {
	return FitConfig{
		Hidden: 24, Batch: 1024, Epochs: 12, Patience: 5, Rate: 0.01, Penalty: 1e-6, Voiced: 1, Starts: 2, Seed: 1,
	}
}

// Validate names the first field that makes no sense.
func (c FitConfig) Validate() error {
	for _, f := range []struct {
		name  string
		value int
	}{{"hidden", c.Hidden}, {"batch", c.Batch}, {"epochs", c.Epochs}, {"patience", c.Patience}, {"starts", c.Starts}} {
		if f.value < 1 {
			return fmt.Errorf("train: %s %d, want at least 1", f.name, f.value)
		}
	}
	switch {
	case !(c.Rate > 0) || math.IsInf(c.Rate, 0):
		return fmt.Errorf("train: rate %g, want a number above 0", c.Rate)
	case !(c.Voiced > 0) || math.IsInf(c.Voiced, 0):
		return fmt.Errorf("train: weight of voiced frames %g, want a number above 0", c.Voiced)
	case !(c.Penalty >= 0) || math.IsInf(c.Penalty, 0):
		return fmt.Errorf("train: penalty %g, want a number of at least 0", c.Penalty)
	}
	return nil
}

// Frames are the inputs of frames, what the teacher said of them, and how much each counts.
type Frames struct {
	In     [][inputs]float64
	Voiced []bool
	Weight []float64
}

func (f *Frames) append(g Frames) {
	f.In = append(f.In, g.In...)
	f.Voiced = append(f.Voiced, g.Voiced...)
	f.Weight = append(f.Weight, g.Weight...)
}

// errorShare is the share of wrong decisions, each frame counted by its weight.
func (f *Frames) errorShare(n *Network) float64 {
	var wrong, all float64
	for i := range f.In {
		all += f.Weight[i]
		if n.Voiced(&f.In[i]) != f.Voiced[i] {
			wrong += f.Weight[i]
		}
	}
	return wrong / all
}

// Note takes a line about how the work goes, without its end.
type Note = func(format string, args ...any)

// Fit teaches a network the frames of learn and gives the one that errs least on those of stop, which it does not learn
// from. note is told how each start went.
func Fit(ctx context.Context, learn, stop Frames, cfg FitConfig, note Note) (*Network, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if len(stop.In) == 0 {
		return nil, errors.New("train: no frames to stop by; name a speaker who has recordings")
	}
	if len(learn.In) < cfg.Batch {
		return nil, fmt.Errorf("train: %d frames to learn from, a batch has %d; give more speech", len(learn.In), cfg.Batch)
	}
	var best *Network
	least := math.Inf(1)
	for start := range cfg.Starts {
		n, wrong, epoch, err := fitOnce(ctx, learn, stop, cfg, rand.New(rand.NewPCG(cfg.Seed, uint64(start))))
		if err != nil {
			return nil, err
		}
		note("start %d: best after %d epochs, %.3f %% wrong of what was learnt, %.3f %% of the speakers to stop by",
			start+1, epoch, 100*learn.errorShare(n), 100*wrong)
		if wrong < least {
			best, least = n, wrong
		}
	}
	return best, nil
}

func fitOnce(ctx context.Context, learn, stop Frames, cfg FitConfig, random *rand.Rand) (
	best *Network, least float64, bestEpoch int, err error) {
	mean, deviation := spread(learn.In)
	g, err := newGraph(cfg.Batch, cfg.Hidden, cfg.Penalty, random)
	if err != nil {
		return nil, 0, 0, err
	}
	defer g.close()
	order := make([]int, len(learn.In))
	for i := range order {
		order[i] = i
	}
	least = math.Inf(1)
	for epoch := range cfg.Epochs {
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		rate := cfg.Rate * (0.505 + 0.495*math.Cos(math.Pi*float64(epoch)/float64(cfg.Epochs)))
		for at := 0; at+cfg.Batch <= len(order); at += cfg.Batch {
			if err := ctx.Err(); err != nil {
				return nil, 0, 0, err
			}
			g.fill(learn, order[at:at+cfg.Batch], cfg.Voiced, &mean, &deviation)
			loss, err := g.step(rate)
			if err != nil {
				return nil, 0, 0, err
			}
			if math.IsNaN(loss) || math.IsInf(loss, 0) {
				return nil, 0, 0, fmt.Errorf("train: the loss became %g in epoch %d; lower the rate of %g",
					loss, epoch+1, cfg.Rate)
			}
		}
		n := g.network(&mean, &deviation)
		if wrong := stop.errorShare(n); wrong < least {
			best, least, bestEpoch = n, wrong, epoch+1
		}
		if epoch+1-bestEpoch >= cfg.Patience {
			break
		}
	}
	return best, least, bestEpoch, nil
}

// fill puts the frames of those numbers into the batch, standardised. Weights are shares of the batch, so that the loss is
// a mean.
func (n *graph) fill(f Frames, numbers []int, voiced float64, mean, deviation *[inputs]float64) {
	x, sign, weight := data(n.x), data(n.sign), data(n.weight)
	for row, i := range numbers {
		for j, v := range f.In[i] {
			x[row*inputs+j] = (v - mean[j]) / deviation[j]
		}
		sign[row], weight[row] = 1, f.Weight[i]/float64(len(numbers))
		if f.Voiced[i] {
			sign[row] = -1
			weight[row] *= voiced
		}
	}
}

// spread is the mean and the standard deviation of each input; 1 stands for the deviation of one that is constant.
func spread(in [][inputs]float64) (mean, deviation [inputs]float64) {
	for i := range in {
		for j, v := range in[i] {
			mean[j] += v / float64(len(in))
		}
	}
	for i := range in {
		for j, v := range in[i] {
			deviation[j] += (v - mean[j]) * (v - mean[j]) / float64(len(in))
		}
	}
	for j, v := range deviation {
		deviation[j] = math.Sqrt(v)
		if deviation[j] < 1e-9 {
			deviation[j] = 1
		}
	}
	return mean, deviation
}
