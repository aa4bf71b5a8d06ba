package train

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/starvc/vc/internal/device"
	"github.com/starvc/vc/internal/mlx/mlxtest"
)

// With an nvidia-smi that is made up, a profile tells how busy the card is.
func TestProfileWatchesTheCard(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "nvidia-smi"), []byte("#!/bin/sh\nwhile :; do echo '45, 1000, 300.00'; sleep 0.02; done\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("CUDA_VISIBLE_DEVICES", "")
	found, err := device.Find("go")
	if err != nil {
		t.Fatal(err)
	}
	p, err := newProfiler(microConfig(t), found, mlxtest.OpenGo(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.watchCard(context.Background(), device.Device{Kind: "cuda"}, 100*time.Millisecond, 1500*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if use := p.Report.CardUse; use < 0.449 || use > 0.451 {
		t.Errorf("the card is busy %g of the time", use)
	}
	p.Report.StepMS = 1
	var table bytes.Buffer
	if err := p.Report.WriteTable(&table); err != nil || !strings.Contains(table.String(), "the card was busy 45 % of the time") {
		t.Errorf("%v:\n%s", err, table.String())
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.watchCard(ctx, device.Device{Kind: "cuda"}, time.Minute, time.Minute); err == nil {
		t.Error("it goes on when it is cancelled")
	}
}
