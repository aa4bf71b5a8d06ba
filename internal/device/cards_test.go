package device

import (
	"errors"
	"strings"
	"testing"
)

func TestWithCards(t *testing.T) {
	h := fakeHost(t, twoCards, map[string]string{"proc/driver/nvidia/version": openModule})
	cuda := Device{Kind: "cuda", Path: "/p.so", Config: cudaConfig("/p.so", 0, 1)}
	second := Device{Kind: "cuda", Path: "/p.so", Config: cudaConfig("/p.so", 1, 1), Card: 1}
	cpu := Device{Kind: "xla-cpu", Path: "/c.so", Config: "xla:/c.so"}
	for _, c := range []struct {
		name     string
		device   Device
		n, batch int
		config   string   // how the config ends
		refused  []string // parts of the error
		want     CardsError
	}{
		{"one card", cuda, 1, 7, "visible_devices=0", nil, CardsError{}},
		{"the second card", second, 0, 8, "visible_devices=1", nil, CardsError{}},
		{"two cards", cuda, 2, 8, "visible_devices=0;1", nil, CardsError{}},
		{"three cards", cuda, 3, 9, "", []string{"3 cards", "has 2 cards"}, CardsError{Cards: 2}},
		{"two from the second on", second, 2, 8, "", []string{"2 cards", "card 1 is the first"}, CardsError{Cards: 1}},
		{"odd batch", cuda, 2, 9, "", []string{"2 cards", "batch of 9"}, CardsError{Cards: 2, Batch: 10}},
		{"uneven batch", cpu, 3, 8, "", []string{"3 cards", "batch of 8"}, CardsError{Cards: 3, Batch: 12}},
		{"pure Go", Device{Kind: "go", Config: "go"}, 2, 8, "", []string{"2 cards", "pure Go"}, CardsError{}},
		{"XLA's CPU", cpu, 2, 8, "xla:/c.so", nil, CardsError{}}, // Open counts its devices
	} {
		d, err := h.withCards(c.device, c.n, c.batch)
		for _, want := range c.refused {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want one with %q", c.name, err, want)
			}
		}
		var got *CardsError
		if c.refused != nil && (!errors.As(err, &got) || got.Cards != c.want.Cards || got.Batch != c.want.Batch) {
			t.Errorf("%s: error %+v, want %+v", c.name, got, c.want)
		}
		if c.refused == nil && (err != nil || !strings.HasSuffix(d.Config, c.config) || max(1, d.Cards) != max(1, c.n)) {
			t.Errorf("%s: %+v, %v, want a config that ends in %s", c.name, d, err, c.config)
		}
	}
	var one *CardsError
	if err := (Device{Kind: "xla-cpu", Path: "/c.so", Cards: 2}).CheckOpened(1); !errors.As(err, &one) || one.Cards != 1 {
		t.Errorf("error %v, want one that tells how many there are", err)
	}
	if got := (Device{Kind: "cuda", Path: "/p.so", Cards: 2}).String(); got != "2 cards: CUDA through XLA (/p.so)" {
		t.Errorf("two cards are called %q", got)
	}
}
