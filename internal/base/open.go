package base

import (
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/safetensors"
)

// Name names what comes with the program in place of a file; a file of that name is ./base.
const Name = "base"

// OpenVoices reads the voice model at path, or the program's own for Name.
func OpenVoices(path string) (*gan.Model, error) {
	if path != Name {
		return gan.Load(path)
	}
	r, err := Open(Voices)
	if err != nil {
		return nil, err
	}
	return gan.Read(r)
}

// OpenPhones reads the file of the phone network at path, or the program's own for Name.
func OpenPhones(path string) (*safetensors.File, error) {
	if path != Name {
		return safetensors.ReadFile(path)
	}
	r, err := Open(Phones)
	if err != nil {
		return nil, err
	}
	return safetensors.Read(r)
}
