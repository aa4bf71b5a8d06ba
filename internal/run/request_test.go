package run

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// asked is a request as a training has it.
type asked struct {
	Common
	Config map[string]any `json:"config"`
	Labels string         `json:"labels,omitempty"`
}

// Only the command that began a run goes on with it; runs of earlier versions, which did not write the command, are recognised by
// what they asked for.
func TestReadRequest(t *testing.T) {
	for _, c := range []struct{ name, config, command, want string }{
		{"voices", `{"command": "train", "config": {"gan": {}}}`, "train", ""},
		{"judge", `{"command": "train judge", "config": {"judge": {}}}`, "train judge", ""},
		{"voices, asked for a judge", `{"command": "train", "config": {"gan": {}}}`, "train judge", "is of `vc train`, not of `vc train judge`"},
		{"old voices", `{"config": {"gan": {}}, "phones": "base"}`, "train", ""},
		{"old vocoder", `{"config": {"net": {"width": 1}}}`, "train vocoder", ""},
		{"old phones", `{"config": {"gan": {}}, "labels": "x"}`, "train phones", ""},
		{"old phones, asked for voices", `{"config": {"gan": {}}, "labels": "x"}`, "train", "is of `vc train phones`, not of `vc train`"},
		{"old voices, asked for a vocoder", `{"config": {"gan": {}}}`, "train vocoder", "go on with it by `vc train --run"},
		{"broken", `{"config"`, "train", "config.json: unexpected end"},
		{"none", "", "train", "holds no run"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if c.config != "" {
				if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(c.config), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var q asked
			err := dashed.ReadRequest(dir, c.command, &q)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || q.Config != nil {
					t.Errorf("%v, error %v, want one with %q", q, err, c.want)
				}
				return
			}
			if err != nil || q.Config == nil {
				t.Fatalf("%v, %v", q, err)
			}
			q.Output, q.Command = "there", c.command
			if err := WriteRequest(dir, &q); err != nil {
				t.Fatal(err)
			}
			var again asked
			if err := dashed.ReadRequest(dir, c.command, &again); err != nil || again.Output != "there" || again.Command != c.command {
				t.Errorf("%v, %v", again, err)
			}
		})
	}
}

// dashed names options as a command line does.
var dashed Names = func(option string) string { return "--" + option }

func TestNames(t *testing.T) {
	var plain Names
	for _, c := range []struct{ got, want string }{
		{plain.Of("init"), "init"}, {plain.Of("batch", 8), "batch 8"}, {plain.Setting("ema", 0.5), "set ema=0.5"},
		{dashed.Of("init"), "--init"}, {dashed.Of("batch", 8), "--batch 8"}, {dashed.Setting("ema", 0.5), "--set ema=0.5"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
