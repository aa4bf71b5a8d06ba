package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWrap(t *testing.T) {
	const page = `NAME:
   vc thing - does a thing to a file

DESCRIPTION:
   A sentence that is rather long and goes on
   in the next line, which is to be filled.

   EXAMPLES

      a heading:
         vc thing --with an-argument --and another one-that-is-long -o out.wav

      ... | vc thing | ... 

OPTIONS:
   --to VOICE   VOICE to take on: a speaker of the model, or a file
   --quiet, -q  be quiet, in two
                lines
   --long-one-that-leaves-no-room FILE  write to FILE, if there is one
`
	const want = `NAME:
   vc thing - does a thing to a file

DESCRIPTION:
   A sentence that is rather long and
   goes on in the next line, which is
   to be filled.

   EXAMPLES

      a heading:
         vc thing --with an-argument --and another one-that-is-long -o out.wav

      ... | vc thing | ...

OPTIONS:
   --to VOICE   VOICE to take on: a
                speaker of the model,
                or a file
   --quiet, -q  be quiet, in two lines
   --long-one-that-leaves-no-room FILE
       write to FILE, if there is one
`
	if got := wrap(page, 38); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Nothing but commands, which are to be copied, is wider than the terminal.
func TestHelpFitsTheTerminal(t *testing.T) {
	for _, columns := range []int{60, 80, 100} {
		for _, words := range helpTopics(newApp(testEnv())) {
			e := testEnv()
			var out bytes.Buffer
			e.stdout = &out
			if code := execute(t.Context(), e, append([]string{"vc", "help"}, words...)); code != exitOK {
				t.Fatalf("%v: exit code %d", words, code)
			}
			text := wrap(out.String(), columns)
			for line := range strings.Lines(text) {
				line = strings.TrimRight(line, "\n")
				if utf8.RuneCountInString(line) > columns && !isCommand(line) && strings.Contains(strings.TrimSpace(line), " ") {
					t.Errorf("help %v at %d columns: %q", words, columns, line)
				}
			}
			if before, after := strings.Fields(out.String()), strings.Fields(text); strings.Join(before, " ") != strings.Join(after, " ") {
				t.Errorf("help %v: words are lost", words)
			}
		}
	}
}

func isCommand(line string) bool {
	for _, word := range []string{"vc ", "... ", "PJRT_", "arecord", "ffmpeg", "mkfifo", "echo", "|", "pactl", "parec", "pacat", "--set"} {
		if strings.Contains(line, word) {
			return true
		}
	}
	return false
}
