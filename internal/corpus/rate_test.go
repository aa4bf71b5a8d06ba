package corpus

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/starvc/vc/audio"
)

// Half of the speakers are enough, and what cannot be read counts for nothing.
func TestFullBand(t *testing.T) {
	dir := t.TempDir()
	at := func(name string, rate int) Speaker {
		path := filepath.Join(dir, name+".wav")
		if err := audio.WriteFile(path, audio.Clip{Samples: make([]float32, rate/10), Rate: rate}); err != nil {
			t.Fatal(err)
		}
		return Speaker{Name: name, Files: []string{path}}
	}
	low, high, telephone := at("low", 16000), at("high", 44100), at("telephone", 8000)
	broken := filepath.Join(dir, "broken.wav")
	if err := os.WriteFile(broken, []byte("no sound"), 0o644); err != nil {
		t.Fatal(err)
	}
	high.Files = append([]string{broken}, high.Files...)
	for _, c := range []struct {
		name     string
		speakers []Speaker
		want     bool
	}{
		{"half", []Speaker{low, high}, true}, {"a third", []Speaker{low, high, telephone}, false}, {"nobody", nil, false},
		{"unreadable", []Speaker{{Name: "broken", Files: []string{broken}}}, false},
	} {
		if have, err := FullBand(context.Background(), c.speakers, 9500); err != nil || have != c.want {
			t.Errorf("%s: %v, %v, want %v", c.name, have, err, c.want)
		}
	}
	ended, end := context.WithCancel(context.Background())
	end()
	if _, err := FullBand(ended, []Speaker{high}, 9500); err == nil {
		t.Error("goes on although cancelled")
	}
}
