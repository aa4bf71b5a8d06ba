package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/starvc/vc"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/untrained"
)

// At a terminal vc style asks whose voice a recording has, and of no other voice.
func TestConsentIsAskedFor(t *testing.T) {
	dir := t.TempDir()
	model := filepath.Join(dir, "random.safetensors")
	if err := untrained.Model(gan.Tiny(), 3, 1).Save(model, gan.Full); err != nil {
		t.Fatal(err)
	}
	if err := makeInputs(dir); err != nil {
		t.Fatal(err)
	}
	ada := vc.Consent{Who: "Ada Example", When: "2026-11-30", Licence: "CC BY 4.0"}
	const line = "Ada Example, 2026-11-30, CC BY 4.0"
	like := []string{"--like", filepath.Join(dir, "half.wav")}
	for name, c := range map[string]struct {
		words   []string
		answers string
		want    []vc.Consent
		asked   int    // times
		says    string // on standard error
	}{
		"an answer":      {like, line + "\n", []vc.Consent{ada}, 1, "consent: " + line},
		"without an end": {like, line, []vc.Consent{ada}, 1, "consent: " + line},
		"spaces":         {like, "  " + line + " \r\n", []vc.Consent{ada}, 1, "consent: " + line},
		"the second try": {like, "yes\n" + line + "\n", []vc.Consent{ada}, 1, `consent "yes": want who speaks`},
		"none":           {like, "\n" + line + "\n", nil, 1, "has no line about consent: add one with"},
		"none at last":   {like, "yes\n\n", nil, 1, "has no line about consent: add one with"},
		"the end":        {like, "", nil, 1, "has no line about consent: add one with"},
		"the flag":       {append(slices.Clone(like), "--consent", line), "", []vc.Consent{ada}, 0, "consent: " + line},
		"quiet":          {append(slices.Clone(like), "-q"), line + "\n", nil, 0, ""},
		"drawn":          {[]string{"--random", "7"}, line + "\n", nil, 0, ""},
		"mixed":          {[]string{"--mix", "spk0,spk1"}, line + "\n", nil, 0, ""},
		"of the model":   {[]string{"--to", "spk1"}, line + "\n", nil, 0, ""},
	} {
		out := filepath.Join(dir, name+".voice")
		code, said := style(t.Context(), strings.NewReader(c.answers), model, out, c.words...)
		if asked := strings.Count(said, "whose voice is it"); code != exitOK || asked != c.asked || !strings.Contains(said, c.says) {
			t.Errorf("%s: exit code %d, asked %d times, want %d, and %q in %s", name, code, asked, c.asked, c.says, said)
			continue
		}
		if c.says == "" && strings.Contains(said, "consent") {
			t.Errorf("%s: consent is spoken of: %s", name, said)
		}
		f, err := vc.LoadVoice(out)
		if err != nil || !slices.Equal(f.Consent, c.want) {
			t.Errorf("%s: %v, %v, want %v", name, f.Consent, err, c.want)
		}
	}

	// Where the answer is cut off in the middle, breaks, or is never given, nothing is saved.
	out := filepath.Join(dir, "no.voice")
	if code, said := style(t.Context(), strings.NewReader("Ada Exam"), model, out, like...); code != exitFailed || !strings.Contains(said, "want who speaks") {
		t.Errorf("cut off: exit code %d, %s", code, said)
	}
	broken := errors.New("the terminal is gone")
	if code, said := style(t.Context(), iotest.ErrReader(broken), model, out, like...); code != exitFailed || !strings.Contains(said, broken.Error()) {
		t.Errorf("broken: exit code %d, %s", code, said)
	}
	ctx, cancel := context.WithCancel(t.Context())
	never, end := io.Pipe()
	defer end.Close()
	asked := readFunc(func(b []byte) (int, error) { cancel(); return never.Read(b) })
	if code, said := style(ctx, asked, model, out, like...); code != exitInterrupted || !strings.Contains(said, "vc: interrupted") {
		t.Errorf("Ctrl-C: exit code %d, %s", code, said)
	}
	if _, err := vc.LoadVoice(out); err == nil {
		t.Error("the voice was saved all the same")
	}
}

// style runs vc style as if at a terminal. It gives the exit code and what was said on standard error.
func style(ctx context.Context, stdin io.Reader, model, out string, words ...string) (code int, said string) {
	e := testEnv()
	var stderr bytes.Buffer
	e.stdin, e.stdinIsTerminal, e.stderr, e.stderrIsTerminal = stdin, true, &stderr, true
	code = execute(ctx, e, append([]string{"vc", "style", "-m", model, "-o", out}, words...))
	return code, stderr.String()
}
