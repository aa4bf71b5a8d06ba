// Package layout holds the rules about which package may import which.
package layout

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	module = "github.com/starvc/vc"
	engine = module + "/internal/mlx"
)

// TestNotCached looks at every source file, so that go test does not take an old result for a new one: it knows what a test looks
// at, but not what go list does, nor what TestMain looks at.
func TestNotCached(t *testing.T) {
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") {
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// deps lists everything that a package is built from.
func deps(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", pkg).Output()
	if err != nil {
		t.Fatalf("go list -deps %s: %v", pkg, err)
	}
	return strings.Fields(string(out))
}

func importsOf(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, pkg).Output()
	if err != nil {
		t.Fatalf("go list %s: %v", pkg, err)
	}
	return strings.Fields(string(out))
}

// public are the packages that other programs import, but for the trainings.
var public = []string{"", "audio", "features", "gan", "vocoder"}

func path(pkg string) string { return strings.TrimSuffix(module+"/"+pkg, "/") }

// TestConversionNeedsNoTrainingEngine: what converts is built without GoMLX and Gorgonia, so that it stays small and starts at once.
func TestConversionNeedsNoTrainingEngine(t *testing.T) {
	for _, pkg := range append([]string{"internal/synth", "internal/nn", "internal/simd", "internal/eval", "internal/corpus", "internal/plot",
		"internal/safetensors"}, public...) {
		for _, d := range deps(t, path(pkg)) {
			if strings.HasPrefix(d, "github.com/gomlx/") || strings.HasPrefix(d, "gorgonia.org/") {
				t.Errorf("%s is built from %s", path(pkg), d)
				break
			}
		}
	}
}

// TestLibraryKnowsNoCommand: what converts is built without what a command line needs.
func TestLibraryKnowsNoCommand(t *testing.T) {
	for _, pkg := range public {
		for _, d := range deps(t, path(pkg)) {
			for _, never := range []string{"flag", "github.com/urfave/cli/v2", "github.com/xrash/smetrics", "github.com/schollz/progressbar/v3", "testing"} {
				if d == never {
					t.Errorf("%s is built from %s", path(pkg), d)
				}
			}
		}
	}
}

// TestLibraryKnowsNoServer: what converts is built without what answers over a network.
func TestLibraryKnowsNoServer(t *testing.T) {
	for _, pkg := range append([]string{"internal/synth", "internal/backlog"}, public...) {
		for _, d := range deps(t, path(pkg)) {
			for _, never := range []string{module + "/internal/server", "net/http", "github.com/danielgtaylor/huma/v2", "github.com/coder/websocket",
				"github.com/prometheus/client_golang/prometheus"} {
				if d == never {
					t.Errorf("%s is built from %s", path(pkg), d)
				}
			}
		}
	}
}

// TestServerIsTheCommands: only the command makes a server, and a server knows no command line and no training engine: it trains by
// starting the command.
func TestServerIsTheCommands(t *testing.T) {
	out, err := exec.Command("go", "list", module+"/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	const server = module + "/internal/server"
	for _, pkg := range strings.Fields(string(out)) {
		for _, i := range importsOf(t, pkg) {
			if (i == server || strings.HasPrefix(i, server+"/")) && pkg != module+"/cmd/vc" && !strings.HasPrefix(pkg, server) {
				t.Errorf("%s imports %s", pkg, i)
			}
		}
	}
	for _, d := range deps(t, server) {
		if d == "flag" || d == "github.com/urfave/cli/v2" || strings.HasPrefix(d, "github.com/gomlx/") || strings.HasPrefix(d, "gorgonia.org/") {
			t.Errorf("%s is built from %s", server, d)
		}
	}
}

// TestGeneratorAndVocoderAreStrangers: either can be replaced without the other noticing.
func TestGeneratorAndVocoderAreStrangers(t *testing.T) {
	for _, rule := range []struct{ pkg, never string }{{"gan", "vocoder"}, {"vocoder", "gan"}} {
		for _, d := range deps(t, module+"/"+rule.pkg) {
			if d == module+"/"+rule.never {
				t.Errorf("%s is built from %s", rule.pkg, rule.never)
			}
		}
	}
}

// TestWhoMayImportTheEngine: only internal/mlx, what lies in it, and the train packages.
func TestWhoMayImportTheEngine(t *testing.T) {
	out, err := exec.Command("go", "list", module+"/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range strings.Fields(string(out)) {
		if strings.HasSuffix(pkg, "/train") || pkg == engine || strings.HasPrefix(pkg, engine+"/") {
			continue
		}
		for _, i := range importsOf(t, pkg) {
			if strings.HasPrefix(i, "github.com/gomlx/") {
				t.Errorf("%s imports %s", pkg, i)
			}
		}
	}
}

// TestOnlyFeaturesTrainNeedsGorgonia: it teaches the F0 tracker's voicing network (docs/notes/engine.md), outside of the
// product. Nothing else, so neither vc nor a package that others may import, is built from it.
func TestOnlyFeaturesTrainNeedsGorgonia(t *testing.T) {
	const home = module + "/features/train"
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}:{{join .Deps " "}}`, module+"/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	teachers, others := 0, 0
	for line := range strings.Lines(string(out)) {
		pkg, needs, _ := strings.Cut(strings.TrimSpace(line), ":")
		uses := ""
		for _, d := range strings.Fields(needs) {
			if strings.HasPrefix(d, "gorgonia.org/") || strings.HasPrefix(d, "go4.org/unsafe/") {
				uses = d
			}
		}
		switch inside := pkg == home || strings.HasPrefix(pkg, home+"/"); {
		case inside && uses != "":
			teachers++
		case !inside:
			others++
			if uses != "" {
				t.Errorf("%s is built from %s", pkg, uses)
			}
		}
	}
	if teachers == 0 || others < 20 {
		t.Errorf("%d packages with Gorgonia in %s and %d beside it: has it moved?", teachers, home, others)
	}
}
