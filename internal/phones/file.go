package phones

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/safetensors"
)

// Where a phone network's file keeps, in its header, the configuration of the encoder that it is like, that of its features, the
// names of the phones in the order of its outputs, and how it came about.
const (
	configKey   = "vc.phones"
	featuresKey = "vc.features"
	namesKey    = "vc.phoneNames"
	stepsKey    = "vc.steps"
	programKey  = "vc.program"
)

var kind = safetensors.Kind{What: "phone network", Format: "starvc-phones", Version: 1, Old: configKey}

// encoder are the prefixes of a generator's weights whose form a phone network has.
var encoder = []string{"gen.stem.", "gen.enc.", "gen.neck.norm.", "gen.neck.down."}

// EncoderParams lists the weights of a phone network of the form of c's encoder up to the hidden layer, under the prefix "pho".
func EncoderParams(c gan.Config) []gan.Param {
	var params []gan.Param
	for _, p := range c.GeneratorParams() {
		for _, part := range encoder {
			if strings.HasPrefix(p.Name, part) {
				params = append(params, gan.Param{Name: "pho" + strings.TrimPrefix(p.Name, "gen"), Shape: p.Shape})
			}
		}
	}
	return params
}

// Params lists all weights of a phone network, in the order in which a file holds them.
func Params(c gan.Config) []gan.Param {
	return append(EncoderParams(c),
		gan.Param{Name: "pho.head.w", Shape: []int{c.Bottleneck, corpus.PhoneCount}}, gan.Param{Name: "pho.head.b", Shape: []int{corpus.PhoneCount}})
}

// Header is what a phone network's file says of itself.
type Header struct {
	Encoder  gan.Config // that it is like
	Features features.Config
	Names    []string // of the phones, in the order of the outputs
	Steps    int      // only told to people
	Program  string
}

// HeaderOf reads the header of a phone network's file.
func HeaderOf(f *safetensors.File) (h Header, err error) {
	meta := f.Metadata()
	if err := kind.Check(meta); err != nil {
		return h, fmt.Errorf("%w: make one with `vc train phones`", err)
	}
	for key, to := range map[string]any{configKey: &h.Encoder, featuresKey: &h.Features} {
		if err := json.Unmarshal([]byte(meta[key]), to); err != nil {
			return h, fmt.Errorf("the header's %s: %w", key, err)
		}
	}
	if err := h.Encoder.Validate(); err != nil {
		return h, err
	}
	if err := h.Features.Validate(); err != nil {
		return h, err
	}
	h.Names, h.Program = strings.Fields(meta[namesKey]), meta[programKey]
	h.Steps, _ = strconv.Atoi(meta[stepsKey])
	return h, nil
}

// Names are those of the phones, in the order of a network's outputs.
func Names() []string {
	names := make([]string, corpus.PhoneCount)
	for i := range names {
		names[i] = corpus.PhoneName(uint8(i))
	}
	return names
}

// Write encodes a phone network, weights by name. With half they are written as float16.
func Write(w io.Writer, h Header, weights map[string][]float32, half bool) error {
	precision := safetensors.F32
	if half {
		precision = safetensors.F16
	}
	list, err := safetensors.Table(Params(h.Encoder), weights, precision)
	if err != nil {
		return fmt.Errorf("phone network: %w", err)
	}
	meta := map[string]string{namesKey: strings.Join(h.Names, " "), stepsKey: strconv.Itoa(h.Steps), programKey: h.Program}
	kind.Mark(meta)
	for key, value := range map[string]any{configKey: h.Encoder, featuresKey: h.Features} {
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("phone network: %w", err)
		}
		meta[key] = string(text)
	}
	return safetensors.Write(w, list, meta)
}
