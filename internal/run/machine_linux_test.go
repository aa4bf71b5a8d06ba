package run

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starvc/vc/internal/device"
)

// fakeSMI puts a program called nvidia-smi in front of all others that tells this line again and again.
func fakeSMI(t *testing.T, line string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "nvidia-smi"), []byte("#!/bin/sh\nwhile :; do echo '"+line+"'; sleep 0.02; done\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("CUDA_VISIBLE_DEVICES", "")
}

func TestMachine(t *testing.T) {
	fakeSMI(t, "60, 2000, 200.00")
	m := WatchMachine(device.Device{Kind: "cuda"})
	defer m.Close()
	first := map[string]float32{}
	m.Lap(1, first)
	if len(first) != 1 || !(first["rss_gb"] > 0.001 && first["rss_gb"] < 10) {
		t.Errorf("before Begin: %v", first)
	}
	if m.Busy() != "" || m.Verdict("") != "" {
		t.Errorf("before Begin: %q, %q", m.Busy(), m.Verdict(""))
	}

	m.Begin(1)
	m.Waited(5 * time.Millisecond)
	time.Sleep(20 * time.Millisecond)
	metrics := map[string]float32{"loss": 3}
	for made, deadline := 11, time.Now().Add(20*time.Second); metrics["gpu_use"] == 0 && time.Now().Before(deadline); made += 10 {
		time.Sleep(100 * time.Millisecond) // until there is a line
		m.Lap(made, metrics)
		if pace := metrics["steps_per_second"]; !(pace > 0 && pace <= 100) {
			t.Errorf("10 steps in more than a tenth of a second: %g/s", pace)
		}
		if wait := metrics["wait_share"]; made == 11 && !(wait > 0 && wait < 0.05) || made > 11 && wait != 0 {
			t.Errorf("waited for %g of the time", wait)
		}
	}
	names := slices.Sorted(maps.Keys(metrics))
	if want := []string{"gpu_memory_gb", "gpu_use", "gpu_watts", "loss", "rss_gb", "steps_per_second", "wait_share"}; !slices.Equal(names, want) {
		t.Errorf("metrics %v, want %v", names, want)
	}
	if metrics["gpu_use"] != 0.6 || metrics["gpu_memory_gb"] != 2.097 || metrics["gpu_watts"] != 200 || metrics["loss"] != 3 {
		t.Errorf("%v", metrics)
	}
	if got := m.Busy(); got != "  card 60 % busy" {
		t.Errorf("%q", got)
	}
	if got := m.Verdict("--batch 8"); !strings.Contains(got, "busy 60 %") || !strings.HasSuffix(got, "with --batch 8") {
		t.Errorf("%q", got)
	}
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		name       string
		busy, wait float64 // shares
		want, not  string
	}{
		{"busy", 0.93, 0.02, "busy 93 % of the time", "batch"},
		{"just enough", 0.7, 0.3, "busy 70 %", "batch"},
		{"small steps", 0.4, 0.1, "--batch 64", "wait_share"},
		{"slow loading", 0.4, 0.5, "waited 50 % of the time for their batches (wait_share)", "--batch"},
	} {
		m := Machine{busy: 10 * c.busy, samples: 10, time: 20, waits: 20 * c.wait}
		if got := m.Verdict("--batch 64"); !strings.Contains(got, c.want) || strings.Contains(got, c.not) {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

func TestMachineWithoutCard(t *testing.T) {
	fakeSMI(t, "60, 2000, 200.00")
	m := WatchMachine(device.Device{Kind: "xla-cpu"})
	m.Begin(0)
	metrics := map[string]float32{}
	m.Lap(1, metrics)
	m.Close()
	if names := slices.Sorted(maps.Keys(metrics)); !slices.Equal(names, []string{"rss_gb", "steps_per_second", "wait_share"}) {
		t.Errorf("metrics %v", names)
	}
	if m.Busy() != "" || m.Verdict("") != "" {
		t.Errorf("%q, %q", m.Busy(), m.Verdict(""))
	}
}
