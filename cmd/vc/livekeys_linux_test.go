package main

import (
	"bufio"
	"strings"
	"testing"
)

func TestLiveKeys(t *testing.T) {
	k := liveKeys{voices: []string{"ann", "bob", "carol"}, at: 1, status: &liveStatus{}}
	in := bufio.NewReader(strings.NewReader("mm nnp+-x\x1b[A\x1b[B\x1b[C\x1b[Dq"))
	want := []string{"mute on", "mute off", "mute on", "to carol", "to ann", "to carol", "pitch 1", "pitch 0", "", "pitch 1", "pitch 0", "to ann", "to carol"}
	for i, w := range want {
		key, err := readKey(in)
		if err != nil {
			t.Fatal(err)
		}
		got := k.line(key)
		if got != w {
			t.Errorf("key %d, %q: line %q, want %q", i, key, got, w)
		}
		if _, err := (settings{}).with(got); got != "" && err != nil {
			t.Errorf("%q: %v", got, err)
		}
	}
	if key, err := readKey(in); key != 'q' || err != nil {
		t.Errorf("key %q, error %v, want q", key, err)
	}
	// A voice that is none of the speakers has those beside it as well.
	other := liveKeys{voices: []string{"ann", "bob"}, at: -1, status: &liveStatus{}}
	if got := other.line('n'); got != "to ann" {
		t.Errorf("next: %q", got)
	}
	other.at = -1
	if got := other.line('p'); got != "to bob" {
		t.Errorf("previous: %q", got)
	}
}
