package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/starvc/vc"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/device"
	"github.com/starvc/vc/internal/wheel"
)

func TestNearest(t *testing.T) {
	voices := []string{"allison", "awb", "bdl", "carlo", "gael", "june", "lj", "rms", "slt", "Kathleen"}
	for name, want := range map[string]string{
		"slx": "slt", "BDL": "bdl", "katleen": "Kathleen", "alison": "allison", "jun": "june", "lk": "lj",
		"all": "", "everybody": "", "": "", "./lj": "", "voices/lj": "", `C:\slt`: "", "/tmp/june": "", "lj.wav": "",
	} {
		if got := nearest(name, voices); got != want {
			t.Errorf("%q: suggests %q, want %q", name, got, want)
		}
	}
}

func TestExplain(t *testing.T) {
	unknown := &gan.UnknownSpeakerError{Name: "slx", Known: []string{"bdl", "slt"}}
	for _, c := range []struct {
		err  error
		want string
	}{
		{unknown, `speaker "slx": unknown; did you mean "slt"? known are bdl, slt`},
		{fmt.Errorf("mix: %w", unknown), `mix: speaker "slx": unknown; did you mean "slt"? known are bdl, slt`},
		{vc.ErrOtherModel, "--model"},
		{vc.ErrNotVoice, "vc style"},
		{vc.ErrNotSource, "--save-profile"},
		{fmt.Errorf("setup: %w", &wheel.IndexError{Err: errors.New("index x answers 500")}), "500: name another index with --index"},
		{&wheel.FolderError{Err: errors.New("x")}, "--to"},
		{&device.NoCardError{Err: errors.New("no driver is loaded: install it")}, "install it, or train with --device cpu"},
		{&device.CardsError{Err: errors.New("2 cards"), Cards: 2, Batch: 10}, "2 cards: give --batch 10"},
		{&device.CardsError{Err: errors.New("3 cards"), Cards: 2}, "3 cards: give --gpus 2, or another --device"},
		{&device.CardsError{Err: errors.New("2 cards")}, "leave --gpus out"},
	} {
		once := explain(c.err)
		if !strings.Contains(once.Error(), c.want) || !errors.Is(once, c.err) {
			t.Errorf("%v, want %q in it", once, c.want)
		}
		if twice := explain(fmt.Errorf("a: %w", once)); twice.Error() != "a: "+once.Error() {
			t.Errorf("explained twice: %v", twice)
		}
	}
	if explain(nil) != nil {
		t.Error("no error became one")
	}
}
