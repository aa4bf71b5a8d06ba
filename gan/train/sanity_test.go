package train

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/run"
)

// A run whose model gives no speech fails, and the model keeps out of the way of a good one.
func TestSuspectModel(t *testing.T) {
	o := microOptions(t, speech(t, "ann", "bob"))
	o.Set = append(o.Set, "steps=200", "warmUpShare=1", "warmUpRate=0", "batch=2", "cropFrames=8", "styleFrames=8", "snapshotEvery=200", "validEvery=0", "logEvery=50")
	o.Output, o.Force = filepath.Join(t.TempDir(), "my.safetensors"), true
	if err := os.WriteFile(o.Output, []byte("an older model"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := Run(context.Background(), o)
	if !errors.Is(err, run.ErrSuspect) || !strings.Contains(err.Error(), "a lower rate (--set warmUpRate=") {
		t.Fatalf("error %v, want ErrSuspect with a way out", err)
	}
	if read(t, o.Output) != "an older model" {
		t.Error("it was written over the older model")
	}
	if _, err := gan.Load(strings.Replace(o.Output, "my.", "my.suspect.", 1)); err != nil {
		t.Error(err)
	}
	page := read(t, filepath.Join(o.RunDir, "report.html"))
	for _, want := range []string{"Not like speech", "data:audio/wav;base64,UklGR", "data:image/png;base64,iVBOR", "ann to bob", "</html>"} {
		if !strings.Contains(page, want) {
			t.Errorf("report.html lacks %q", want)
		}
	}
	for _, never := range []string{"ZgotmplZ", "unsafe:", "http://", "https://"} {
		if strings.Contains(page, never) {
			t.Errorf("report.html holds %q", never)
		}
	}
}
