package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestManual(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man")
	if err := newApp(testEnv()).Run([]string{"vc", "man", dir}); err != nil {
		t.Fatal(err)
	}
	for name, wants := range map[string][]string{
		"vc.1":         {".TH VC 1", "vc \\- change the voice", ".SH \"COMMANDS\"", "convert"},
		"vc-convert.1": {".SH NAME\nvc\\-convert \\- ", ".SH \"OPTIONS\"", "\\-\\-to VOICE"},
		"vc-live.1":    {".SH NAME\nvc\\-live \\- ", ".SH \"OPTIONS\"", "\\-\\-output DEVICE", "LIVE SPEECH"},
	} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(b), want) {
				t.Errorf("%s: no %q in %.400q", name, want, b)
			}
		}
	}
	page := string(manualPage("vc-x", "about", "FIRST\n.dot 'a' \\b\n"))
	if want := ".SH \"FIRST\"\n.nf\n\\&.dot 'a' \\eb\n.fi\n"; !strings.HasSuffix(page, want) {
		t.Errorf("%q does not end with %q", page, want)
	}
}
