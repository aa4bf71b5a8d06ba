package train

import (
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/base"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/judge"
)

// embedder has the judge in the program tell whose voice frames of cfg are; nil where there is none, or it hears other features.
func embedder(cfg features.Config) corpus.Embedder {
	if !base.Has(base.Judge) {
		return nil
	}
	f, err := base.Open(base.Judge)
	if err != nil {
		return nil
	}
	j, err := judge.Read(f)
	if err != nil || !features.SameSpeech(cfg, j.Config().Features) {
		return nil
	}
	return func(f features.Frames) ([]float32, error) { return j.Embed(f.InConfig(cfg, j.Config().Features)) }
}
