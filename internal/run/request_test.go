package run

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Only the command that began a run goes on with it.
func TestReadRequest(t *testing.T) {
	for _, c := range []struct{ name, config, command, want string }{
		{"voices", `{"config": {"gan": {}}, "phones": "base"}`, "vc train", ""},
		{"vocoder", `{"config": {"net": {"width": 1}}}`, "vc train vocoder", ""},
		{"phones", `{"config": {"gan": {}}, "labels": "x"}`, "vc train phones", ""},
		{"phones, asked for voices", `{"config": {"gan": {}}, "labels": "x"}`, "vc train", "is of `vc train phones`, not of `vc train`"},
		{"voices, asked for a vocoder", `{"config": {"gan": {}}}`, "vc train vocoder", "go on with it by `vc train --run"},
		{"broken", `{"config"`, "vc train", "config.json: unexpected end"},
		{"none", "", "vc train", "holds no run"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if c.config != "" {
				if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(c.config), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var q map[string]any
			err := ReadRequest(dir, c.command, &q)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || q != nil {
					t.Errorf("%v, error %v, want one with %q", q, err, c.want)
				}
				return
			}
			if err != nil || q["config"] == nil {
				t.Fatalf("%v, %v", q, err)
			}
			q["output"] = "there"
			if err := WriteRequest(dir, q); err != nil {
				t.Fatal(err)
			}
			var again map[string]any
			if err := ReadRequest(dir, c.command, &again); err != nil || again["output"] != "there" {
				t.Errorf("%v, %v", again, err)
			}
		})
	}
}
