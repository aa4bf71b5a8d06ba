package train

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starvc/vc/internal/run"
)

// page keeps what report.html was whenever something was said.
type pages struct {
	strings.Builder
	path string
	seen map[string]bool
}

func (p *pages) Write(b []byte) (int, error) {
	if text, err := os.ReadFile(p.path); err == nil {
		p.seen[string(text)] = true
	}
	return p.Builder.Write(b)
}

// TestNewVoiceIsHeard: the report of a run that adds a voice has that voice in it, from the start on, and a snapshot has a model.
func TestNewVoiceIsHeard(t *testing.T) {
	base, dir := baseModel(t)
	o := addOptions(t, base, dir)
	said := &pages{path: filepath.Join(o.RunDir, "report.html"), seen: map[string]bool{}}
	o.Stderr = said
	if err := Run(context.Background(), o); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	under := 0
	for text := range said.seen {
		if strings.Contains(text, "Under way: ") {
			under++
		}
	}
	if under < 3 { // at the start, and after steps 4 and 8
		t.Errorf("%d reports of the run under way", under)
	}
	final := read(t, said.path)
	for _, want := range []string{"<h3>the program&#39;s example as eve</h3>", "as eve</h3>", "source: the program&#39;s example", "a recording of eve", "The same after fewer steps", "samples/step-00000004/example-to-eve.wav"} {
		if !strings.Contains(final, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	for _, no := range []string{"Under way", "spk0 to"} {
		if strings.Contains(final, no) {
			t.Errorf("the report has %q", no)
		}
	}
	have := strings.Join(files(t, o.RunDir), "\n")
	for _, step := range []int{0, 4, 8, 9} {
		if want := fmt.Sprintf("samples/step-%08d/example-to-eve.wav", step); !strings.Contains(have, want) {
			t.Errorf("the run folder lacks %s", want)
		}
	}
	folder := run.Folder{Dir: o.RunDir}
	m := load(t, run.ModelOf(folder.Snapshots().Path(6)))
	if len(m.Speakers) != 3 || m.Trained.Steps != 6 {
		t.Errorf("the snapshot of step 6 stands for a model of %d voices after %d steps", len(m.Speakers), m.Trained.Steps)
	}
	for _, want := range []string{"to hear and see how it goes: ", "\nvc: next: vc demo --voices eve --model " + folder.Path("model.safetensors")} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, said.String())
		}
	}
}

// TestIgnoredIsRefused: what would change nothing is refused, before anything is read.
func TestIgnoredIsRefused(t *testing.T) {
	base, dir := baseModel(t)
	for _, set := range []string{"loss.cycle=2", "backTranslation=0.5", "pairShare=1"} {
		o := addOptions(t, base, dir, set)
		if err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), "setting "+set+": it has no part in adding a voice") {
			t.Errorf("%s: %v", set, err)
		}
	}
	o := addOptions(t, base, dir)
	o.Phones = "base"
	if err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), "--phones has no part in adding a voice") {
		t.Errorf("a phone network: %v", err)
	}
	o = addOptions(t, base, dir)
	o.Output = base
	if err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), "is there already: name another file with --output, or write over it with --force") {
		t.Errorf("an output that is there: %v", err)
	}
	if _, err := os.Stat(o.RunDir); err == nil {
		t.Error("a run that was refused left a folder")
	}
}

// TestWordsWillSuffer: a preset that the phone network in the program does not fit is told.
func TestWordsWillSuffer(t *testing.T) {
	o := microOptions(t, speech(t, "ann", "bob"))
	var said strings.Builder
	o.Stderr, o.Quiet = &said, true
	o.Set = append(o.Set, "steps=1", "validEvery=0")
	if err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "warning: words will suffer: ") || !strings.Contains(said.String(), "vc train phones --preset tiny") {
		t.Errorf("said %q", said.String())
	}
}
