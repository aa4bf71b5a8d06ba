package train

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// TestScoresAreNoLosses: what elects the best snapshot calls none of the functions of losses.go, so that another loss is judged by the
// same score.
func TestScoresAreNoLosses(t *testing.T) {
	declared := func(path string) (names []string) {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				names = append(names, f.Name.Name)
			}
		}
		return names
	}
	losses := declared("losses.go")
	found := 0
	for _, path := range []string{"step.go", "addvoicestep.go", "best.go", "scores.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(f.Name.Name, "valid") && path != "best.go" && path != "scores.go" {
				continue
			}
			found++
			ast.Inspect(f, func(n ast.Node) bool {
				if name, ok := n.(*ast.Ident); ok && slices.Contains(losses, name.Name) {
					t.Errorf("%s: %s scores with %s, a loss", path, f.Name.Name, name.Name)
				}
				return true
			})
		}
	}
	if found < 5 {
		t.Errorf("%d functions that score were found", found)
	}
}
