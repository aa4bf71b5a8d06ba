package main

import (
	"path/filepath"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/synth"
	"github.com/starvc/vc/internal/untrained"
	"github.com/starvc/vc/vocoder"
)

// makeNets writes net.safetensors, an untrained neural vocoder, and own.safetensors, which is random.safetensors with that
// vocoder inside.
func makeNets(dir string) error {
	m := untrained.Model(gan.Tiny(), 3, 1)
	cfg, err := vocoder.NetPreset("tiny", m.Features)
	if err != nil {
		return err
	}
	net := filepath.Join(dir, "net.safetensors")
	if err := untrained.Vocoder(cfg, 1).Save(net, vocoder.Full); err != nil {
		return err
	}
	own, err := synth.WithNet(m, net)
	if err != nil {
		return err
	}
	return own.Save(filepath.Join(dir, "own.safetensors"), gan.Full)
}
