// Package base holds the weights that come with the program, so that it works on a machine that has nothing else: the base
// voices, the base vocoder, the phone network and the judge of similarity. The model cards beside them say what they were made of.
package base

import (
	"bytes"
	"embed"
	"fmt"
	"io"
)

// The files of the folder weights. Any of them may be missing in a build of one's own.
const (
	Voices    = "voices.safetensors"    // a voice model, for gan.Read
	Vocoder   = "vocoder.safetensors"   // a neural vocoder for the voices, for vocoder.Read
	Vocoder16 = "vocoder16.safetensors" // another for models of 16000 samples per second
	Phones    = "phones.safetensors"    // a phone network
	Judge     = "judge.safetensors"     // a judge of speaker similarity, for judge.Read
)

//go:embed weights
var files embed.FS

// VocoderAt is the file of the neural vocoder for models of so many samples per second.
func VocoderAt(rate int) string {
	if rate == 16000 {
		return Vocoder16
	}
	return Vocoder
}

// Has tells whether the program was built with that file.
func Has(name string) bool {
	f, err := files.Open("weights/" + name)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// Open reads one of the files. It is an error if the program was built without it.
func Open(name string) (io.Reader, error) {
	b, err := files.ReadFile("weights/" + name)
	if err != nil {
		return nil, fmt.Errorf("this program was built without %s", name)
	}
	return bytes.NewReader(b), nil
}
