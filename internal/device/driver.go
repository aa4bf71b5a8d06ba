package device

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Driver is NVIDIA's driver, as far as it can be seen without loading it.
type Driver struct {
	Version string // such as 580.82.07
	Cards   []Card // empty where nvidia-smi is missing or silent
}

// Card is one graphics card.
type Card struct {
	Name    string
	Memory  int64  // bytes
	Free    int64  // bytes
	Compute string // compute capability, such as 9.0
}

// host is what the search sees of a machine; tests give it another root and other commands.
type host struct {
	root string
	run  func(name string, args ...string) ([]byte, error)
}

// commandTime is how long nvidia-smi may take; with a card that hangs it never ends.
const commandTime = 10 * time.Second

func thisHost() host {
	return host{root: "/", run: func(name string, args ...string) ([]byte, error) {
		ctx, cancel := context.WithTimeout(context.Background(), commandTime)
		defer cancel()
		return exec.CommandContext(ctx, name, args...).Output()
	}}
}

func (h host) path(p string) string { return filepath.Join(h.root, p) }

func (h host) hasDriver() bool {
	return exists(h.path("proc/driver/nvidia/version")) || exists(h.path("dev/nvidiactl"))
}

// driverVersion finds the version in /proc/driver/nvidia/version, whose first line is for instance "NVRM version: NVIDIA UNIX
// Open Kernel Module for x86_64  580.82.07  Release Build".
var driverVersion = regexp.MustCompile(`NVRM version:.*?\s(\d{3,}\.\d+(?:\.\d+)?)\s`)

// driver finds NVIDIA's driver and its cards, or says what is missing.
func (h host) driver() (Driver, error) {
	if !h.hasDriver() {
		if h.hasCard() {
			return Driver{}, errors.New("there is an NVIDIA card but its driver is not loaded: install it (on Ubuntu: sudo ubuntu-drivers install; " +
				"on Debian: sudo apt install nvidia-driver) and restart")
		}
		return Driver{}, errors.New("no NVIDIA driver is loaded, and no card can be seen: a container must be given the card when it is started")
	}
	var d Driver
	if text, err := os.ReadFile(h.path("proc/driver/nvidia/version")); err == nil {
		if m := driverVersion.FindSubmatch(append(text, '\n')); m != nil {
			d.Version = string(m[1])
		}
	}
	out, err := h.run("nvidia-smi", "--query-gpu=driver_version,name,memory.total,memory.free,compute_cap", "--format=csv,noheader,nounits")
	if err == nil {
		for line := range strings.Lines(string(out)) {
			fields := strings.Split(strings.TrimSpace(line), ", ")
			if len(fields) < 5 {
				continue
			}
			if d.Version == "" {
				d.Version = fields[0]
			}
			d.Cards = append(d.Cards, Card{Name: fields[1], Memory: mebibytes(fields[2]), Free: mebibytes(fields[3]), Compute: fields[4]})
		}
	}
	if d.Version == "" {
		return Driver{}, errors.New("an NVIDIA driver is loaded but does not tell its version: `nvidia-smi` must work first (after a renewal of the driver: restart)")
	}
	return d, nil
}

func mebibytes(text string) int64 {
	n, _ := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return n << 20
}

// hasCard looks for a display device of NVIDIA's on the PCI bus.
func (h host) hasCard() bool {
	devices, _ := filepath.Glob(h.path("sys/bus/pci/devices/*/vendor"))
	for _, d := range devices {
		vendor, _ := os.ReadFile(d)
		class, _ := os.ReadFile(filepath.Join(filepath.Dir(d), "class"))
		if strings.TrimSpace(string(vendor)) == "0x10de" && strings.HasPrefix(string(class), "0x03") {
			return true
		}
	}
	return false
}

// serves says whether the driver is new enough for a plugin: CUDA 13 wants the branch 580, CUDA 12 the branch 525.
func (d Driver) serves(plugin string) error {
	want := 580
	if strings.Contains(filepath.ToSlash(plugin), "cuda12") {
		want = 525
	}
	major, _, _ := strings.Cut(d.Version, ".")
	if n, err := strconv.Atoi(major); err == nil && n < want {
		return &NoCardError{fmt.Errorf("device cuda: the NVIDIA driver is %s, and the plugin %s needs %d or newer: renew the driver", d.Version, plugin, want)}
	}
	return nil
}
