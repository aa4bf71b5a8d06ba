package main

import (
	"strings"
	"testing"
)

// The pages name only commands and flags that there are.
func TestPagesNameWhatThereIs(t *testing.T) {
	for _, name := range pageNames() {
		text, err := pages.ReadFile("help/" + name + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		commands := 0
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, "   ") {
				continue
			}
			for part := range strings.SplitSeq(line, "|") {
				words := strings.Fields(part)
				if len(words) == 0 || words[0] != "vc" {
					continue
				}
				commands++
				app := newApp(testEnv())
				if findCommand(app.Commands, words[1]) == nil {
					t.Errorf("%s: %q: no such command", name, part)
				}
				if _, err := reorder(app, words); err != nil {
					t.Errorf("%s: %q: %v", name, part, err)
				}
			}
		}
		if commands < 4 {
			t.Errorf("%s: %d commands looked at", name, commands)
		}
	}
}
