package device

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	openModule   = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.82.07  Release Build  (dvs-builder@U22)  Wed Aug 27 17:37:52 UTC 2025\nGCC version:  gcc version 12.3.0\n"
	closedModule = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n"
	twoCards     = "580.82.07, NVIDIA H100 80GB HBM3, 81559, 80999, 9.0\n580.82.07, NVIDIA L4, 23034, 512, 8.9\n"
)

// fakeHost is a machine with the given files, whose nvidia-smi answers smi, or fails where that is empty.
func fakeHost(t *testing.T, smi string, files map[string]string) host {
	t.Helper()
	h := host{root: t.TempDir(), run: func(name string, args ...string) ([]byte, error) {
		if smi == "" {
			return nil, errors.New("not found")
		}
		return []byte(smi), nil
	}}
	for name, text := range files {
		writeFile(t, h.path(name), []byte(text))
	}
	return h
}

func TestDriver(t *testing.T) {
	const proc = "proc/driver/nvidia/version"
	for _, c := range []struct {
		name    string
		smi     string
		files   map[string]string
		version string
		cards   int
		want    string // in the error
	}{
		{"none", "", nil, "", 0, "a container must be given"},
		{"a card without one", "", map[string]string{
			"sys/bus/pci/devices/0000:01:00.0/vendor": "0x10de\n", "sys/bus/pci/devices/0000:01:00.0/class": "0x030000\n",
		}, "", 0, "its driver is not loaded"},
		{"the sound of a card is none", "", map[string]string{
			"sys/bus/pci/devices/0000:01:00.1/vendor": "0x10de\n", "sys/bus/pci/devices/0000:01:00.1/class": "0x040300\n",
		}, "", 0, "no card can be seen"},
		{"open module", twoCards, map[string]string{proc: openModule}, "580.82.07", 2, ""},
		{"closed module, no nvidia-smi", "", map[string]string{proc: closedModule}, "535.104.05", 0, ""},
		{"container without /proc", twoCards, map[string]string{"dev/nvidiactl": ""}, "580.82.07", 2, ""},
		{"loaded and silent", "", map[string]string{"dev/nvidiactl": ""}, "", 0, "nvidia-smi"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := fakeHost(t, c.smi, c.files).driver()
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v, want one with %q", err, c.want)
				}
				return
			}
			if err != nil || d.Version != c.version || len(d.Cards) != c.cards {
				t.Fatalf("%+v, %v, want version %s and %d cards", d, err, c.version, c.cards)
			}
			if c.cards == 2 && (d.Cards[0].Name != "NVIDIA H100 80GB HBM3" || d.Cards[0].Memory != 81559<<20 || d.Cards[1].Free != 512<<20 || d.Cards[1].Compute != "8.9") {
				t.Errorf("cards %+v", d.Cards)
			}
		})
	}
}

func TestFindCUDA(t *testing.T) {
	if !hasXLA {
		t.Skip("built without XLA")
	}
	own, other := machines(t)
	folder := bare(t)
	if len(findPlugins(true)) > 0 {
		t.Skip("this machine has a plugin in a system folder")
	}
	fresh := fakeHost(t, twoCards, map[string]string{"proc/driver/nvidia/version": openModule})
	old := fakeHost(t, "", map[string]string{"proc/driver/nvidia/version": closedModule})
	refused := func(h host, card int, want ...string) {
		t.Helper()
		_, err := h.findCUDA(card)
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("error %v, want one with %q", err, w)
			}
		}
	}
	if _, err := fakeHost(t, "", nil).findCUDA(0); !errors.As(err, new(*NoCardError)) {
		t.Errorf("error %v, want a NoCardError", err)
	}
	refused(fakeHost(t, "", nil), 0, "no NVIDIA driver", "container")
	refused(fresh, 0, "no XLA plugin", "vc setup cuda")
	refused(fresh, 2, "no such card", "has 2")

	good := tinyLibrary(own, "GetPjrtApi", true)
	path := writeFile(t, filepath.Join(folder, "cuda13-0.11.2", cudaPlugins[0]), good[:len(good)-9])
	refused(fresh, 0, "install it again", "vc setup cuda", path)
	writeFile(t, path, tinyLibrary(other, "GetPjrtApi", true))
	refused(fresh, 0, "install the right one", path)
	writeFile(t, path, good)
	refused(old, 0, "535.104.05", "580 or newer")

	// What an unfinished installation holds is not found; of two, the newer one counts.
	writeFile(t, filepath.Join(folder, ".installing-1", cudaPlugins[0]), good)
	d, err := fresh.findCUDA(1)
	if err != nil || d.Path != path || !strings.Contains(d.Config, "visible_devices=1") {
		t.Errorf("%+v, %v, want %s", d, err, path)
	}
	newer := writeFile(t, filepath.Join(folder, "cuda13-0.12.0", cudaPlugins[0]), good)
	if d, err := fresh.findCUDA(0); err != nil || d.Path != newer {
		t.Errorf("%+v, %v, want %s", d, err, newer)
	}
	// An older driver is good enough for CUDA 12.
	for _, p := range []string{path, newer} {
		os.Remove(p)
	}
	twelve := writeFile(t, filepath.Join(folder, cudaPlugins[1]), good)
	if d, err := old.findCUDA(0); err != nil || d.Path != twelve {
		t.Errorf("%+v, %v, want %s", d, err, twelve)
	}
}

func TestVersionsAndOpening(t *testing.T) {
	for _, c := range []struct {
		version PJRTVersion
		ok      bool
	}{{PJRTVersion{0, 81}, true}, {PJRTVersion{0, 115}, true}, {PJRTVersion{0, 140}, true}, {PJRTVersion{0, 54}, false}, {PJRTVersion{1, 0}, false}} {
		err := c.version.check("/p/cuda.so")
		if c.ok != (err == nil) {
			t.Errorf("%v: %v", c.version, err)
		}
		if err != nil && (!strings.Contains(err.Error(), c.version.String()) || !strings.Contains(err.Error(), "vc setup cuda")) {
			t.Errorf("%v: %v", c.version, err)
		}
	}
	for text, want := range map[string]string{
		"Unexpected PJRT_Client_Create_Args size: expected 80, got 72.": "vc setup",
		"INTERNAL: CUDA_ERROR_NO_DEVICE: nothing":                       "nvidia-smi",
		"RESOURCE_EXHAUSTED: Out of memory":                             "no memory free",
		"CUDA driver version is insufficient for CUDA runtime version":  "too old",
		"something else": "something else",
	} {
		if err := ExplainOpen(errors.New(text)); !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), text) {
			t.Errorf("%q is explained as %v", text, err)
		}
	}
	if OutOfMemory(nil) || OutOfMemory(errors.New("disk full")) || !OutOfMemory(errors.New("RESOURCE_EXHAUSTED: Failed to allocate")) {
		t.Error("OutOfMemory")
	}
}

// A plugin of another version, as a C compiler makes it, is refused by its version and not by a crash.
func TestPluginOfAnotherVersion(t *testing.T) {
	if !hasXLA {
		t.Skip("built without XLA")
	}
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler")
	}
	dir := t.TempDir()
	source := writeFile(t, filepath.Join(dir, "p.c"), []byte(`
#include <stddef.h>
static struct { size_t size; void *ext; struct { size_t size; void *ext; int major, minor; } v; void *rest[99]; } api = {sizeof api, 0, {24, 0, 0, 42}};
void *GetPjrtApi(void) { return &api; }`))
	path := filepath.Join(dir, "pjrt_c_api_cpu_plugin.so")
	if out, err := exec.Command(cc, "-shared", "-fPIC", "-o", path, source).CombinedOutput(); err != nil {
		t.Skipf("%v: %s", err, out)
	}
	d, err := Find("xla:" + path)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Prepare(); err == nil || !strings.Contains(err.Error(), "PJRT 0.42") || !strings.Contains(err.Error(), "vc setup cpu") {
		t.Errorf("error %v, want one with the version and the remedy", err)
	}
	if p := inspectPlugin(path); p.Version != (PJRTVersion{0, 42}) || p.Fault == nil {
		t.Errorf("%+v", p)
	}
}

func TestInspect(t *testing.T) {
	if !hasXLA {
		t.Skip("built without XLA")
	}
	own, _ := machines(t)
	folder := bare(t)
	if len(findPlugins(true))+len(findPlugins(false)) > 0 {
		t.Skip("this machine has a plugin in a system folder")
	}
	lines := fakeHost(t, "", nil).inspect().Lines()
	if len(lines) != 3 || lines[0].Ready || lines[1].Ready || !lines[2].Ready || !strings.Contains(lines[1].Remedy, "vc setup cpu") || lines[0].Remedy == "" {
		t.Errorf("bare: %+v", lines)
	}
	fresh := fakeHost(t, twoCards, map[string]string{"proc/driver/nvidia/version": openModule})
	lines = fresh.inspect().Lines()
	if lines[0].Ready || !strings.Contains(lines[0].Remedy, "vc setup cuda") || !strings.Contains(lines[0].Text, "H100") {
		t.Errorf("with a card: %+v", lines[0])
	}
	// The code of a real plugin is missing here, so that it cannot be loaded.
	writeFile(t, filepath.Join(folder, "cuda13-1", cudaPlugins[0]), tinyLibrary(own, "GetPjrtApi", true))
	lines = fresh.inspect().Lines()
	if lines[0].Ready || !strings.Contains(lines[0].Text, "cannot be loaded") || !strings.Contains(lines[0].Remedy, "vc setup cuda") {
		t.Errorf("with a broken plugin: %+v", lines[0])
	}
	if note := missingLibraries(filepath.Join(folder, "cuda13-1", cudaPlugins[0])); !strings.Contains(note, "libcudnn.so") {
		t.Errorf("libraries: %q", note)
	}
}

func TestBundles(t *testing.T) {
	if _, err := FindBundle("rocm"); err == nil {
		t.Error("rocm is known")
	}
	for _, name := range []string{"cuda", "cpu"} {
		b, err := FindBundle(name)
		if err != nil {
			t.Skip(err)
		}
		for _, p := range b.Pins {
			if len(p.SHA256) != 64 || p.Bytes < 1<<20 || !strings.HasSuffix(p.File, "x86_64.whl") || !strings.Contains(p.File, p.Version) {
				t.Errorf("%+v", p)
			}
		}
		if err := b.Check(t.TempDir()); err == nil {
			t.Error("an empty folder passes")
		}
	}
}
