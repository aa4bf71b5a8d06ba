package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func testEnv() env {
	return env{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, getenv: func(string) string { return "" }, version: "test"}
}

func TestReorder(t *testing.T) {
	app := newApp(testEnv())
	for _, c := range []struct {
		name string
		in   string // words parted by a blank, after the program's name
		want string
	}{
		{"nothing", "", ""},
		{"command alone", "speakers", "speakers"},
		{"flags first", "convert --to a in.wav", "convert --to a -- in.wav"},
		{"flags last", "convert in.wav --to a", "convert --to a -- in.wav"},
		{"flags between", "convert x.wav --to a y.wav -o z.wav", "convert --to a -o z.wav -- x.wav y.wav"},
		{"bool takes no value", "convert -q in.wav --to a", "convert -q --to a -- in.wav"},
		{"bool last", "convert in.wav --to a --quiet", "convert --to a --quiet -- in.wav"},
		{"joined", "convert in.wav --to=a", "convert --to=a -- in.wav"},
		{"joined bool", "convert in.wav --quiet=false --to a", "convert --quiet=false --to a -- in.wav"},
		{"joined with another =", "train --set=a=b --speakers x=y", "train --set=a=b --speakers x=y"},
		{"one dash", "convert in.wav -to a", "convert -to a -- in.wav"},
		{"alias", "convert in.wav -m my.st --to a", "convert -m my.st --to a -- in.wav"},
		{"negative number", "convert in.wav --pitch -3 --to a", "convert --pitch -3 --to a -- in.wav"},
		{"dash is a file", "convert - --to a -o -", "convert --to a -o - -- -"},
		{"dash before flags", "convert --to a - -q", "convert --to a -q -- -"},
		{"two dashes end flags", "convert --to a -- --to.wav -q", "convert --to a -- --to.wav -q"},
		{"two dashes after files", "convert in.wav --to a -- -x.wav", "convert --to a -- in.wav -x.wav"},
		{"only two dashes", "convert --", "convert"},
		{"two dashes as a value", "convert --to -- in.wav", "convert --to -- -- in.wav"},
		{"repeated", "train --set a=1 --set b=2 -q", "train --set a=1 --set b=2 -q"},
		{"help last", "convert in.wav --help", "convert --help"},
		{"help short", "convert in.wav --to a -h", "convert --help"},
		{"global flag", "--version", "--version"},
		{"global flag and command", "--help convert in.wav --to a", "--help convert --to a -- in.wav"},
		{"unknown command stays", "bogus x --to a", "bogus x --to a"},
		{"file like a command", "convert speakers --to a", "convert --to a -- speakers"},
		{"file of two dashes after the end", "convert --to a -- -- x", "convert --to a -- -- x"},
		{"value like a command", "convert --to train in.wav", "convert --to train -- in.wav"},
		{"completion passes through", "__complete convert in.wav --to", "__complete convert in.wav --to"},
		{"empty word", "convert  --to a", "convert --to a -- "},
	} {
		t.Run(c.name, func(t *testing.T) {
			words := func(s string) []string {
				if s == "" {
					return []string{"vc"}
				}
				return append([]string{"vc"}, strings.Split(s, " ")...)
			}
			got, err := reorder(app, words(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, words(c.want)) {
				t.Errorf("%q\n got %q\nwant %q", c.in, got, words(c.want))
			}
		})
	}
}

func TestReorderRefusals(t *testing.T) {
	app := newApp(testEnv())
	for _, c := range []struct{ in, want string }{
		{"convert in.wav --to", "flag --to needs a value"},
		{"convert --to -q in.wav", "flag --to needs a value, but flag -q follows it"},
		{"convert --to --model m.st in.wav", "flag --to needs a value, but flag --model follows it"},
		{"convert --to --model=m.st in.wav", "flag --to needs a value, but flag --model=m.st follows it"},
		{"convert in.wav --too a", "flag --too is not known, did you mean --to?"},
		{"convert in.wav --outdir x", "did you mean --out-dir?"},
		{"convert in.wav -z", "flag -z is not known"},
		{"convert -3 --pitch", "flag -3 is not known"},
	} {
		_, err := reorder(app, append([]string{"vc"}, strings.Split(c.in, " ")...))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %q", c.in, err, c.want)
		}
	}
}

// What reorder makes of a line must mean the same to urfave/cli, wherever the flags stood.
func TestReorderedLinesParseAlike(t *testing.T) {
	parse := func(words ...string) (to, out string, pitch float64, quiet bool, files []string) {
		app := newApp(testEnv())
		cmd := findCommand(app.Commands, "convert")
		cmd.Action = func(c *cli.Context) error {
			to, out, pitch, quiet, files = c.String("to"), c.String("o"), c.Float64("pitch"), c.Bool("quiet"), c.Args().Slice()
			return nil
		}
		argv, err := reorder(app, append([]string{"vc", "convert"}, words...))
		if err == nil {
			err = app.Run(argv)
		}
		if err != nil {
			t.Fatalf("%q: %v", words, err)
		}
		return
	}
	parts := [][]string{{"--to", "ann"}, {"-o", "-"}, {"--pitch", "-2.5"}, {"-q"}, {"a.wav"}, {"-"}}
	var permute func(done []string, left [][]string)
	permute = func(done []string, left [][]string) {
		if len(left) == 0 {
			to, out, pitch, quiet, files := parse(done...)
			slices.Sort(files)
			if to != "ann" || out != "-" || pitch != -2.5 || !quiet || !slices.Equal(files, []string{"-", "a.wav"}) {
				t.Errorf("%q: to %q, out %q, pitch %g, quiet %v, files %q", done, to, out, pitch, quiet, files)
			}
			return
		}
		for i, p := range left {
			permute(append(slices.Clip(done), p...), append(slices.Clone(left[:i]), left[i+1:]...))
		}
	}
	permute(nil, parts)
}

func FuzzReorder(f *testing.F) {
	f.Add("convert\nin.wav\n--to\na")
	f.Add("--help\nconvert\n--\n-x")
	f.Fuzz(func(t *testing.T, line string) {
		app := newApp(testEnv())
		in := append([]string{"vc"}, strings.Split(line, "\n")...)
		out, err := reorder(app, in)
		if err != nil {
			return
		}
		if len(out) > 0 && out[len(out)-1] == "--help" {
			return // which makes all else superfluous
		}
		// Nothing is lost and nothing but one "--" is added.
		count := func(words []string) map[string]int {
			m := map[string]int{}
			for _, w := range words {
				m[w]++
			}
			return m
		}
		a, b := count(in), count(out)
		for w := range a {
			if w != "--" && a[w] != b[w] {
				t.Errorf("%q became %q", in, out)
			}
		}
		if again, err := reorder(app, out); err != nil || !slices.Equal(again, out) {
			t.Errorf("%q became %q and then %q (%v)", in, out, again, err)
		}
	})
}
