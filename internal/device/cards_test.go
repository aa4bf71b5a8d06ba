package device

import (
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
	}{
		{"one card", cuda, 1, 7, "visible_devices=0", nil},
		{"the second card", second, 0, 8, "visible_devices=1", nil},
		{"two cards", cuda, 2, 8, "visible_devices=0;1", nil},
		{"three cards", cuda, 3, 9, "", []string{"--gpus 3", "has 2 cards", "--gpus 2"}},
		{"two from the second on", second, 2, 8, "", []string{"--gpus 2", "card 1 is the first", "--gpus 1"}},
		{"odd batch", cuda, 2, 9, "", []string{"--gpus 2", "batch of 9", "--batch 10"}},
		{"uneven batch", cpu, 3, 8, "", []string{"--gpus 3", "batch of 8", "--batch 12"}},
		{"pure Go", Device{Kind: "go", Config: "go"}, 2, 8, "", []string{"--gpus 2", "pure Go"}},
		{"XLA's CPU", cpu, 2, 8, "xla:/c.so", nil}, // Open counts its devices
	} {
		d, err := h.withCards(c.device, c.n, c.batch)
		for _, want := range c.refused {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want one with %q", c.name, err, want)
			}
		}
		if c.refused == nil && (err != nil || !strings.HasSuffix(d.Config, c.config) || max(1, d.Cards) != max(1, c.n)) {
			t.Errorf("%s: %+v, %v, want a config that ends in %s", c.name, d, err, c.config)
		}
	}
	if err := (Device{Kind: "xla-cpu", Path: "/c.so", Cards: 2}).CheckOpened(1); err == nil || !strings.Contains(err.Error(), "give --gpus 1") {
		t.Errorf("error %v, want one that tells how many there are", err)
	}
	if got := (Device{Kind: "cuda", Path: "/p.so", Cards: 2}).String(); got != "2 cards: CUDA through XLA (/p.so)" {
		t.Errorf("two cards are called %q", got)
	}
}
