package train

import (
	"fmt"
	"io"
	"math"

	"github.com/starvc/vc/internal/atomicfile"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/phones"
)

// scaleUtterances is how many utterances the scale of the hidden layer is measured on, at most.
const scaleUtterances = 64

// scaleHidden brings every channel of the averaged network's hidden layer to mean 0 on speech, and all channels together to
// variance 1, by changing the layer's weights and, to the contrary, the head's: what is recognised stays the same, and
// the content loss and G's decoder meet numbers of one size whatever the training.
func (e *engine) scaleHidden(c Config, us []labelled) error {
	n := c.GAN.Bottleneck
	var some []labelled
	for i := range min(len(us), scaleUtterances) {
		some = append(some, us[i*len(us)/min(len(us), scaleUtterances)])
	}
	mean, square, frames := make([]float64, n), 0.0, 0
	err := e.readPhones(c, some, c.GAN.StemFuture, func(_ int, _, hidden []float32) {
		for i, v := range hidden {
			mean[i%n] += float64(v)
			square += float64(v) * float64(v)
		}
		frames += len(hidden) / n
	})
	if err != nil {
		return err
	}
	variance := square / float64(frames*n)
	for i := range mean {
		mean[i] /= float64(frames)
		variance -= mean[i] * mean[i] / float64(n)
	}
	if !(variance > 1e-12) {
		return fmt.Errorf("phone network: its hidden layer is the same for all speech: train it for more steps")
	}
	scale := 1 / math.Sqrt(variance)
	return e.changeHidden(c, mean, scale)
}

// changeHidden makes the averaged network's hidden layer h into (h-mean)*scale, without a change of what the layers behind it give.
func (e *engine) changeHidden(c Config, mean []float64, scale float64) error {
	change := func(name string, of func(weights, biases []float32)) error {
		w, shape, err := e.vars.Get(mlx.GroupEMA, name+".w")
		if err != nil {
			return err
		}
		b, biasShape, err := e.vars.Get(mlx.GroupEMA, name+".b")
		if err != nil {
			return err
		}
		of(w, b)
		if err := e.vars.Set(mlx.GroupEMA, name+".w", shape, w); err != nil {
			return err
		}
		return e.vars.Set(mlx.GroupEMA, name+".b", biasShape, b)
	}
	err := change("pho.neck.down", func(w, b []float32) {
		for i := range w {
			w[i] = float32(float64(w[i]) * scale)
		}
		for i := range b {
			b[i] = float32((float64(b[i]) - mean[i]) * scale)
		}
	})
	if err != nil {
		return err
	}
	behind := []string{"pho.head"}
	if c.TeacherDims > 0 {
		behind = append(behind, "pho.teacher")
	}
	for _, name := range behind {
		err := change(name, func(w, b []float32) { // w is [bottleneck, outputs]
			for j := range b {
				sum := float64(b[j])
				for i := range mean {
					sum += mean[i] * float64(w[i*len(b)+j])
				}
				b[j] = float32(sum)
			}
			for i := range w {
				w[i] = float32(float64(w[i]) / scale)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// save writes the averaged network.
func (e *engine) save(q request, path string, made int, version string) error {
	c := q.Config
	weights := map[string][]float32{}
	for _, p := range phones.Params(c.GAN) {
		data, _, err := e.vars.Get(mlx.GroupEMA, p.Name)
		if err != nil {
			return err
		}
		weights[p.Name] = data
	}
	h := phones.Header{Encoder: c.GAN, Features: c.Features, Names: phones.Names(), Steps: made, Program: version}
	return atomicfile.Write(path, func(w io.Writer) error { return phones.Write(w, h, weights, q.Half) })
}
