package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/starvc/vc"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/device"
	"github.com/starvc/vc/internal/synth"
	"github.com/starvc/vc/internal/wheel"
)

// explained is an error whose text names the remedy.
type explained struct {
	text string
	err  error
}

func (e explained) Error() string { return e.text }
func (e explained) Unwrap() error { return e.err }

// explain adds to an error of the library what can be done about it on the command line, unless that is said already.
func explain(err error) error {
	var done explained
	if err == nil || errors.As(err, &done) {
		return err
	}
	text := err.Error()
	var speaker *gan.UnknownSpeakerError
	if errors.As(err, &speaker) {
		if near := nearest(speaker.Name, speaker.Known); near != "" {
			text = strings.Replace(text, "; known are", fmt.Sprintf("; did you mean %q? known are", near), 1)
		}
	} else {
		text += remedy(err)
	}
	if text == err.Error() {
		return err
	}
	return explained{text, err}
}

// remedy is what stands behind an error of the library, "" for nothing.
func remedy(err error) string {
	var (
		net    *synth.NetError
		index  *wheel.IndexError
		folder *wheel.FolderError
		card   *device.NoCardError
		cards  *device.CardsError
	)
	switch {
	case errors.As(err, &net):
		return fmt.Sprintf("; --vocoder %s needs none", vc.SourceFilter)
	case errors.As(err, &index):
		return ": name another index with --index, or a folder of wheels with --from"
	case errors.As(err, &folder):
		return ": name another folder, perhaps on another disk, with --to"
	case errors.As(err, &card):
		return ", or train with --device cpu"
	case errors.As(err, &cards):
		switch {
		case cards.Batch > 0:
			return fmt.Sprintf(": give --batch %d", cards.Batch)
		case cards.Cards > 0:
			return fmt.Sprintf(": give --gpus %d, or another --device: see `vc devices`", cards.Cards)
		}
		return ": leave --gpus out, or see `vc devices` for what cards need"
	case errors.Is(err, vc.ErrNotVoice):
		return `: make one with "vc style -o my.voice"`
	case errors.Is(err, vc.ErrOtherModel):
		return `: name that model with --model, or make the voice again with "vc style"`
	case errors.Is(err, vc.ErrNotSource):
		return ": make one with vc stream --save-profile FILE"
	}
	return ""
}
