package train

import (
	"strings"
	"testing"
)

func TestScoreTable(t *testing.T) {
	t.Parallel()
	speakers := []phoneSpeaker{{Name: "ann", Part: "human"}, {Name: "seen", Part: "human"}, {Name: "bob", Part: "human"}, {Name: "robot", Part: "tts"}}
	scores := []Score{{100, 80, 10, 2}, {}, {100, 60, 30, 4}, {50, 50, 10, 0}}
	var b strings.Builder
	if err := writeScores(&b, "speaker", groupScores(speakers, scores)); err != nil {
		t.Fatal(err)
	}
	want := `
speaker frames right phones errors
ann 100 80.0 % 10 20.0 %
bob 100 60.0 % 30 13.3 %
robot 50 100.0 % 10 0.0 %
human 200 70.0 % 40 15.0 %
tts 50 100.0 % 10 0.0 %
all 250 76.0 % 50 12.0 %`
	var lines []string
	for line := range strings.Lines(b.String()) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	if got := strings.Join(lines, "\n"); got != want[1:] {
		t.Errorf("table:\n%s\nwant:%s", got, want)
	}
}
