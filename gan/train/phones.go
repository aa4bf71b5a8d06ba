package train

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/safetensors"
)

// The phone network P has the form of G's encoder: stem, blocks and bottleneck under the prefix "pho", so that its hidden
// layer, the bottleneck, can be compared between a source and its conversion, and so that it can be G's first encoder.

// Where a phone network's file keeps, in its header, the configuration of its encoder, that of its features, and the names of
// the phones in the order of its outputs.
const (
	phonesConfigKey   = "vc.phones"
	phonesFeaturesKey = "vc.features"
	phonesNamesKey    = "vc.phoneNames"
)

// PhoneParams lists P's weights for a number of phones.
func PhoneParams(c gan.Config, phones int) []gan.Param {
	var params []gan.Param
	for _, p := range c.GeneratorParams() {
		if isEncoder(p.Name) {
			params = append(params, gan.Param{Name: "pho" + strings.TrimPrefix(p.Name, "gen"), Shape: p.Shape})
		}
	}
	return append(params,
		gan.Param{Name: "pho.head.w", Shape: []int{c.Bottleneck, phones}}, gan.Param{Name: "pho.head.b", Shape: []int{phones}})
}

func isEncoder(name string) bool {
	for _, part := range generatorParts[:encoderParts] {
		if strings.HasPrefix(name, part) {
			return true
		}
	}
	return false
}

// phonesHeader is what a phone network's file says of itself: whose encoder it is like, and its features.
func phonesHeader(f *safetensors.File) (own gan.Config, input features.Config, err error) {
	text, ok := f.Metadata()[phonesConfigKey]
	if !ok {
		return own, input, fmt.Errorf("not a phone network (its header has no %s)", phonesConfigKey)
	}
	if err := json.Unmarshal([]byte(text), &own); err != nil {
		return own, input, err
	}
	if err := json.Unmarshal([]byte(f.Metadata()[phonesFeaturesKey]), &input); err != nil {
		return own, input, fmt.Errorf("the header's %s: %w", phonesFeaturesKey, err)
	}
	return own, input, nil
}

// encoderOfPhones lists P's weights without its head: the content loss needs the hidden layer only.
func encoderOfPhones(c gan.Config) []gan.Param {
	return slices.DeleteFunc(PhoneParams(c, 0), func(p gan.Param) bool { return strings.HasPrefix(p.Name, "pho.head.") })
}

// loadPhones adds P's weights to a run and, if start is set, makes G's encoder begin as P.
func loadPhones(vars *mlx.Vars, cfg Config, path string, start bool) error {
	f, err := openPhones(path)
	if err != nil {
		return fmt.Errorf("--phones: %w", err)
	}
	if err := fitsPhones(f, cfg); err != nil {
		return fmt.Errorf("--phones: %s: %w", path, err)
	}
	for _, p := range encoderOfPhones(cfg.GAN) {
		data, err := f.Tensor(p.Name, p.Shape...)
		if err != nil {
			return fmt.Errorf("--phones: %s: %w", path, err)
		}
		if err := vars.Set(mlx.GroupWeights, p.Name, p.Shape, data); err != nil {
			return err
		}
		if start {
			if err := vars.Set(mlx.GroupWeights, "gen"+strings.TrimPrefix(p.Name, "pho"), p.Shape, data); err != nil {
				return err
			}
		}
	}
	return nil
}

// scaleUtterances is how many utterances the scale of the hidden layer is measured on, at most.
const scaleUtterances = 64

// scaleHidden brings every channel of the averaged network's hidden layer to mean 0 on speech, and all channels together to
// variance 1, by changing the layer's weights and, to the contrary, the head's: what is recognised stays the same, and
// the content loss and G's decoder meet numbers of one size whatever the training.
func (e *engine) scaleHidden(c PhoneConfig, us []labelled) error {
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
func (e *engine) changeHidden(c PhoneConfig, mean []float64, scale float64) error {
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

// savePhones writes the averaged network: its weights, the configuration of the encoder, that of the features, and the
// names of the phones in the order of the outputs.
func (e *engine) savePhones(q phoneRequest, path string, made int, version string) error {
	c, kind := q.Config, safetensors.F32
	if q.Half {
		kind = safetensors.F16
	}
	var list []safetensors.Tensor
	for _, p := range PhoneParams(c.GAN, corpus.PhoneCount) {
		data, _, err := e.vars.Get(mlx.GroupEMA, p.Name)
		if err != nil {
			return err
		}
		list = append(list, safetensors.Tensor{Name: p.Name, Shape: p.Shape, Data: data, DType: kind})
	}
	encoder, err := json.Marshal(c.GAN)
	if err != nil {
		return fmt.Errorf("phone network: %w", err)
	}
	input, err := json.Marshal(c.Features)
	if err != nil {
		return fmt.Errorf("phone network: %w", err)
	}
	names := make([]string, corpus.PhoneCount)
	for i := range names {
		names[i] = corpus.PhoneName(uint8(i))
	}
	meta := map[string]string{
		phonesConfigKey: string(encoder), phonesFeaturesKey: string(input), phonesNamesKey: strings.Join(names, " "),
		"vc.steps": strconv.Itoa(made), "vc.program": version,
	}
	return audio.WriteAtomic(path, func(w io.Writer) error { return safetensors.Write(w, list, meta) })
}
