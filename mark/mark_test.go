package mark

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"testing"
	"time"

	"github.com/starvc/vc/features"
)

// TestFormatStays: what was marked is found for ever, so that a new pattern or word needs a new Format.
func TestFormatStays(t *testing.T) {
	b := make([]float32, places)
	keyed().block(b, Of("lj"))
	bits := make([]byte, places)
	for i, v := range b {
		if v != 1 && v != -1 {
			t.Fatalf("place %d has the sign %g", i, v)
		}
		if v > 0 {
			bits[i] = 1
		}
	}
	if sum := crc32.ChecksumIEEE(bits); Program != 1 || Format != 1 || sum != 0xc3cf99ca {
		t.Errorf("the pattern of lj has the checksum %#x", sum)
	}
	if n := VoiceNumber("lj"); n != 3854 {
		t.Errorf("lj has the number %d", n)
	}
}

// TestVoiceNumber is 0 for no name alone, and fits.
func TestVoiceNumber(t *testing.T) {
	seen := map[int]bool{}
	for i := range 20000 {
		name := string(rune('a'+i%26)) + string(rune(0x100+i))
		n := VoiceNumber(name)
		if n < 1 || n >= 1<<voiceBits {
			t.Fatalf("%q has the number %d", name, n)
		}
		seen[n] = true
	}
	if VoiceNumber("") != 0 || len(seen) < 3500 {
		t.Errorf("no name: %d; %d numbers of %d", VoiceNumber(""), len(seen), 1<<voiceBits-1)
	}
}

// TestWriter: frames go up or down by one depth, alike at both rates, and what is silent stays.
func TestWriter(t *testing.T) {
	for _, rate := range []int{16000, 24000} {
		cfg, err := features.ConfigForRate(rate)
		if err != nil {
			t.Fatal(err)
		}
		w := NewWriter(cfg, Of("ann"))
		mel := make([]float32, cfg.NMels)
		w.Skip()
		w.Frame(mel)
		for m, v := range mel {
			if marked := m >= firstBand && m < firstBand+groups*cellBands; marked != (v != 0) || marked && v != w.up && v != -w.up {
				t.Errorf("%d Hz: band %d went up by %g", rate, m, v)
			}
		}
	}
	cfg := features.DefaultConfig()
	cfg.Hop /= 2
	if w := NewWriter(cfg, Of("ann")); w != nil {
		t.Error("frames that come twice as often are marked")
	} else {
		w.Frame(nil)
		w.Skip()
		w.Set(Of("bob"))
		w.Reset()
	}
}

// TestDetectHearsEnough: what is looked at in a part of a recording reads no further, also by a reader that names the file in its errors.
func TestDetectHearsEnough(t *testing.T) {
	const rate = 1000
	pieces := 0
	f, err := detectAt(context.Background(), func(take func(int, []float32) error) error {
		for range 5 {
			pieces++
			if err := take(rate, make([]float32, rate)); err != nil {
				return fmt.Errorf("long.wav: %w", err)
			}
		}
		return nil
	}, 1, 2*time.Second)
	if err != nil || f.Found || pieces != 2 {
		t.Errorf("%+v, %v; %d seconds of 2", f, err, pieces)
	}
	broken := errors.New("cut short")
	if _, err := Detect(context.Background(), func(func(int, []float32) error) error { return broken }); err != broken {
		t.Errorf("a broken file: %v", err)
	}
}
