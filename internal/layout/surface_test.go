package layout

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestSurfaceKnowsNoInternalPackage: whoever imports a public package can name every type that it meets there.
func TestSurfaceKnowsNoInternalPackage(t *testing.T) {
	args := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}"}
	for _, pkg := range public {
		args = append(args, path(pkg))
	}
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		pkg, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		files[pkg] = file
	}
	load := importer.ForCompiler(token.NewFileSet(), "gc", func(pkg string) (io.ReadCloser, error) { return os.Open(files[pkg]) })
	for _, pkg := range public {
		p, err := load.Import(path(pkg))
		if err != nil {
			t.Fatal(err)
		}
		s := surface{pkg: p, seen: map[types.Type]bool{}}
		for _, name := range p.Scope().Names() {
			o := p.Scope().Lookup(name)
			if o.Exported() {
				s.count++
				s.walk(name, o.Type())
			}
		}
		for _, fault := range s.faults {
			t.Errorf("%s: %s", path(pkg), fault)
		}
		t.Logf("%s: %d exported names", path(pkg), s.count)
	}
}

// surface is what can be reached from a package's exported names: types, exported fields and methods.
type surface struct {
	pkg    *types.Package
	seen   map[types.Type]bool
	count  int // exported names, and exported fields and methods of exported types
	faults []string
}

func (s *surface) walk(where string, t types.Type) {
	t = types.Unalias(t)
	if s.seen[t] {
		return
	}
	s.seen[t] = true
	switch t := t.(type) {
	case *types.Named:
		for a := range t.TypeArgs().Types() {
			s.walk(where, a)
		}
		switch p := t.Obj().Pkg(); {
		case p == nil:
			return
		case strings.HasPrefix(p.Path(), module) && strings.Contains(p.Path(), "/internal"):
			s.faults = append(s.faults, fmt.Sprintf("%s is of type %s", where, t))
			return
		case p != s.pkg:
			return
		}
		for m := range t.Methods() {
			if m.Exported() {
				s.count++
				s.walk(where+"."+m.Name(), m.Type())
			}
		}
		s.walk(where, t.Underlying())
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() {
				s.count++
				s.walk(where+"."+f.Name(), f.Type())
			}
		}
	case *types.Signature:
		for v := range t.Params().Variables() {
			s.walk(where, v.Type())
		}
		for v := range t.Results().Variables() {
			s.walk(where, v.Type())
		}
	case *types.Interface:
		for m := range t.Methods() {
			s.walk(where+"."+m.Name(), m.Type())
		}
	case *types.Map:
		s.walk(where, t.Key())
		s.walk(where, t.Elem())
	case interface{ Elem() types.Type }: // pointers, slices, arrays, channels
		s.walk(where, t.Elem())
	}
}

// TestLibraryNamesNoFlags: no text of what converts speaks of a command line, which a program that imports it does not have.
func TestLibraryNamesNoFlags(t *testing.T) {
	var pkgs []string
	for _, pkg := range public {
		for _, d := range deps(t, path(pkg)) {
			if d == module || strings.HasPrefix(d, module+"/") {
				pkgs = append(pkgs, d)
			}
		}
	}
	checkTexts(t, regexp.MustCompile(`(^|[\s"'(\x60])--[a-z]|\bvc [a-z]+\b`), nil, pkgs...)
}

// TestFlagsAreTheCommands: only commands, which have the flags, say what to give with them. A training learns from whoever runs
// it how to name an option, see run.Names.
func TestFlagsAreTheCommands(t *testing.T) {
	// Flags of other programs.
	others := []string{
		"sox --norm=-3", "--query-gpu=", "--format=csv,noheader,nounits", "--xla_gpu_cuda_data_dir=", "pip download --no-deps", " --platform ",
	}
	out, err := exec.Command("go", "list", "-f", "{{if ne .Name \"main\"}}{{if .GoFiles}}{{.ImportPath}}{{end}}{{end}}", module+"/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	pkgs := slices.DeleteFunc(strings.Fields(string(out)), func(pkg string) bool { return strings.HasSuffix(pkg, "test") }) // which help tests
	if len(pkgs) < 30 {
		t.Errorf("%d packages: have they moved?", len(pkgs))
	}
	checkTexts(t, regexp.MustCompile(`(^|[\s"'(\x60])--[a-z]`), others, pkgs...)
}

// checkTexts looks for never in the string literals of packages, but for those that hold one of but.
func checkTexts(t *testing.T, never *regexp.Regexp, but []string, pkgs ...string) {
	t.Helper()
	slices.Sort(pkgs)
	texts := 0
	for _, pkg := range slices.Compact(pkgs) {
		names, err := filepath.Glob(filepath.Join("../..", strings.TrimPrefix(pkg, module), "*.go"))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %d files, %v", pkg, len(names), err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				l, ok := n.(*ast.BasicLit)
				if !ok || l.Kind != token.STRING {
					return true
				}
				texts++
				text, err := strconv.Unquote(l.Value)
				if err == nil && never.MatchString(text) && !slices.ContainsFunc(but, func(b string) bool { return strings.Contains(text, b) }) {
					t.Errorf("%s: %s", name, l.Value)
				}
				return true
			})
		}
	}
	if texts < 500 {
		t.Errorf("%d texts looked at: have the packages moved?", texts)
	}
}
