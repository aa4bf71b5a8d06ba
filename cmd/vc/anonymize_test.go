package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starvc/vc/internal/batch"
)

func TestFlattened(t *testing.T) {
	for _, c := range []struct {
		given []string
		want  []string
	}{
		{nil, nil},
		{[]string{""}, nil},
		{[]string{"melody"}, []string{"melody"}},
		{[]string{"rate", "melody"}, []string{"melody", "rate"}},
		{[]string{"melody, rate"}, []string{"melody", "rate"}},
		{[]string{"rate,rate"}, []string{"rate"}},
		{[]string{"loudness,rate"}, []string{"rate", "loudness"}},
	} {
		got := flattened(c.given)
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.given, got, c.want)
		}
		err := anonymousOptions{per: perSpeaker, flatten: got}.validate(batch.Shard{Count: 1})
		if bad := slices.Contains(got, "loudness"); bad != (err != nil) {
			t.Errorf("%q: %v", c.given, err)
		}
	}
}

// TestReadStart gives the beginning of a recording, as readClip has it.
func TestReadStart(t *testing.T) {
	path := filepath.Join("..", "..", "testdata", "clips", "lj_LJ001-0136.flac")
	whole, err := readClip(t.Context(), testEnv(), path)
	if err != nil {
		t.Fatal(err)
	}
	for _, most := range []time.Duration{time.Second, time.Hour} {
		clip, err := readStart(t.Context(), testEnv(), path, most, nil)
		want := min(len(whole.Samples), int(most.Seconds())*whole.Rate)
		if err != nil || !slices.Equal(clip.Samples, whole.Samples[:want]) {
			t.Errorf("%v: %d samples, %v; want %d", most, len(clip.Samples), err, want)
		}
	}
	if _, err := readClipUpTo(t.Context(), testEnv(), path, "--picture", time.Second); err == nil || !strings.Contains(err.Error(), "--picture keeps all") {
		t.Errorf("too long: %v", err)
	}
}
