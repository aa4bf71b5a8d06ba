package train

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/starvc/vc/gan"
)

var updateDocs = flag.Bool("update", false, "write the settings into docs/training.md")

const settingsDoc = "../../docs/training.md"

// TestSettingsInDocs: docs/training.md has every setting with its default and its meaning, which is the comment of its field. Where
// they differ: go test ./gan/train -run TestSettingsInDocs -update
func TestSettingsInDocs(t *testing.T) {
	meaning := map[string]string{}
	for _, file := range []string{"config.go", "addvoice.go", "../../gan/config.go", "../../features/config.go"} {
		for name, text := range fieldComments(t, file) {
			meaning[name] = text
		}
	}
	want := "<!-- settings -->\n\n" + settingsTable(t, meaning) + "\n<!-- end -->"
	have, err := os.ReadFile(settingsDoc)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(have), "\r\n", "\n")
	before, rest, ok := strings.Cut(text, "<!-- settings -->")
	_, after, closed := strings.Cut(rest, "<!-- end -->")
	if !ok || !closed {
		t.Fatalf("%s has no place for the settings", settingsDoc)
	}
	made := before + want + after
	if *updateDocs {
		if err := os.WriteFile(settingsDoc, []byte(made), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if made != text {
		t.Errorf("%s: the settings are not those of the code: go test ./gan/train -run TestSettingsInDocs -update", settingsDoc)
	}
}

// fieldComments are the comments of the fields of the structs in a Go file, by "Struct.Field".
func fieldComments(t *testing.T, path string) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash(path), nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		fields, ok := spec.Type.(*ast.StructType)
		if !ok {
			return true
		}
		for _, f := range fields.Fields.List {
			text := f.Comment.Text()
			if text == "" { // a comment above may be of several fields
				text = f.Doc.Text()
			}
			text = strings.Join(strings.Fields(text), " ")
			for _, name := range f.Names {
				plain := text
				for _, verb := range []string{" is ", " are "} {
					plain = strings.TrimPrefix(plain, name.Name+verb)
				}
				all[file.Name.Name+"."+spec.Name.Name+"."+name.Name] = plain
			}
		}
		return false
	})
	return all
}

// settingsTable is a row for every setting.
func settingsTable(t *testing.T, meaning map[string]string) string {
	t.Helper()
	var called []string // names in Go and in JSON, for a reader who knows the latter
	for _, typ := range []reflect.Type{reflect.TypeFor[Config](), reflect.TypeFor[gan.Config](), reflect.TypeFor[LossWeights]()} {
		for i := range typ.NumField() {
			if f := typ.Field(i); len(f.Name) > 5 && strings.ToLower(f.Name[1:]) != f.Name[1:] {
				tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				called = append(called, f.Name, tag)
			}
		}
	}
	inJSON := strings.NewReplacer(called...)
	usual, err := DefaultConfig(usualPreset)
	if err != nil {
		t.Fatal(err)
	}
	presets := map[string]Config{}
	for _, name := range gan.Presets() {
		if presets[name], err = DefaultConfig(name); err != nil {
			t.Fatal(err)
		}
	}
	added := usual.forAddedVoices(false)
	var b strings.Builder
	b.WriteString("| setting | default | what it is |\n|---|---|---|\n")
	var walk func(prefix string, value reflect.Value, of func(Config) reflect.Value)
	walk = func(prefix string, value reflect.Value, of func(Config) reflect.Value) {
		typ := value.Type()
		for i := range typ.NumField() {
			f := typ.Field(i)
			tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if tag == "" {
				t.Errorf("%s.%s has no name in JSON", typ, f.Name)
				continue
			}
			name, field := prefix+tag, func(c Config) reflect.Value { return of(c).Field(i) }
			if f.Type.Kind() == reflect.Struct {
				walk(name+".", value.Field(i), field)
				continue
			}
			text := meaning[typ.String()+"."+f.Name]
			if text == "" {
				t.Errorf("%s (%s.%s) has no comment that says what it is", name, typ, f.Name)
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, defaults(name, field, usual, added, presets), strings.ReplaceAll(inJSON.Replace(text), "|", `\|`))
		}
	}
	walk("", reflect.ValueOf(usual), func(c Config) reflect.Value { return reflect.ValueOf(c) })
	return b.String()
}

// defaults is the value of a setting with the usual preset, and those of others that differ.
func defaults(name string, of func(Config) reflect.Value, usual, added Config, presets map[string]Config) string {
	show := func(c Config) string {
		v := of(c).Interface()
		if x, ok := v.(float64); ok {
			v = json.Number(fmt.Sprintf("%.4g", x))
		}
		b, err := json.Marshal(v)
		if err != nil {
			return err.Error()
		}
		if text := string(b); text != "null" {
			return text
		}
		return "none"
	}
	text := show(usual)
	for _, preset := range gan.Presets() {
		if v := show(presets[preset]); v != show(usual) && name != "preset" {
			text += fmt.Sprintf("; `%s` %s", preset, v)
		}
	}
	if v := show(added); v != show(usual) {
		text += "; with `--init` " + v
	}
	return text
}
