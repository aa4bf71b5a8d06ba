package main

import (
	"bytes"
	"os"
	"path/filepath"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/synth"
	"github.com/starvc/vc/vocoder"
)

// makeNets writes net.safetensors, an untrained neural vocoder, and own.safetensors, which is random.safetensors with that
// vocoder inside.
func makeNets(dir string) error {
	m := gan.Random(gan.Tiny(), 3, 1)
	cfg, err := vocoder.NetPreset("tiny", m.Features)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := vocoder.WriteNet(&b, cfg, vocoder.RandomWeights(cfg, 1), nil, false); err != nil {
		return err
	}
	net := filepath.Join(dir, "net.safetensors")
	if err := os.WriteFile(net, b.Bytes(), 0o666); err != nil {
		return err
	}
	own, err := synth.WithNet(m, net)
	if err != nil {
		return err
	}
	return own.Save(filepath.Join(dir, "own.safetensors"))
}
