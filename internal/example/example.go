// Package example holds the recording that comes with the program, for whoever has none at hand.
package example

import (
	"bytes"
	_ "embed"
	"fmt"

	"github.com/starvc/vc/audio"
)

// clip is a_0344 of the CMU ARCTIC sentences, read by the woman of testdata/clips; CC0.
//
//go:embed clip.flac
var clip []byte

// Title is what is said in it.
const Title = "He seemed to fill it with his tremendous vitality."

// Clip decodes it.
func Clip() (audio.Clip, error) {
	c, err := audio.Decode(bytes.NewReader(clip))
	if err != nil {
		return c, fmt.Errorf("the recording inside the program: %w", err)
	}
	return c, nil
}
