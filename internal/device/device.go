package device

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Device is a place where training can run.
type Device struct {
	// Kind is "cuda", "xla-cpu" or "go".
	Kind string
	// Path is the XLA plugin's file, empty for the pure Go backend.
	Path string
	// Config is what GoMLX takes to open it.
	Config string
	// Card is the number of the first card that is used, for CUDA.
	Card int
	// Cards is how many take part, see WithCards; 0 is one.
	Cards int
}

// String describes the device for a user.
func (d Device) String() string {
	text := "CPU, pure Go"
	switch d.Kind {
	case "cuda":
		text = "CUDA through XLA (" + d.Path + ")"
	case "xla-cpu":
		text = "CPU through XLA (" + d.Path + ")"
	}
	if d.Cards > 1 {
		what := "cards"
		if d.Kind != "cuda" {
			what = "devices"
		}
		text = fmt.Sprintf("%d %s: %s", d.Cards, what, text)
	}
	return text
}

// NativeConv tells whether the device's own convolution is the fast one: through XLA it is, on a CPU too (a step of the star, preset
// small, on two cores: 1.35 times as fast as with convolutions made of a matrix product).
func (d Device) NativeConv() bool { return d.Kind != "go" }

// Find chooses where to train. name is "auto" (a CUDA card if there is one, else the CPU), "cpu" (XLA's CPU plugin
// where one is installed, else pure Go), "go" (pure Go), "cuda", "cuda:N" (card N), or "xla:FILE".
func Find(name string) (Device, error) {
	h := thisHost()
	kind, argument, _ := strings.Cut(name, ":")
	switch kind {
	case "", "auto":
		if hasXLA && h.hasDriver() {
			if d, err := h.findCUDA(0); err == nil {
				return d, nil
			}
		}
		return Find("cpu")
	case "cpu":
		if hasXLA {
			for _, path := range findPlugins(false) {
				if CheckPlugin(path) == nil {
					return Device{Kind: "xla-cpu", Path: path, Config: "xla:" + path}, nil
				}
			}
		}
		return Find("go")
	case "go":
		return Device{Kind: "go", Config: "go"}, nil
	case "cuda":
		card := 0
		if argument != "" {
			n, err := strconv.Atoi(argument)
			if err != nil || n < 0 {
				return Device{}, fmt.Errorf("device %q: want cuda or cuda:N with N the number of a card", name)
			}
			card = n
		}
		return h.findCUDA(card)
	case "xla":
		if !hasXLA {
			return Device{}, errNoXLA
		}
		if err := CheckPlugin(argument); err != nil {
			return Device{}, err
		}
		kind := "xla-cpu"
		if strings.Contains(filepath.Base(argument), "cuda") {
			kind = "cuda"
		}
		path, err := filepath.Abs(argument) // a relative one would be looked up as the name of a plugin
		if err != nil {
			return Device{}, fmt.Errorf("XLA plugin %s: %w", argument, err)
		}
		return Device{Kind: kind, Path: path, Config: "xla:" + path}, nil
	}
	return Device{}, fmt.Errorf("device %q: unknown, want auto, cpu, go, cuda or cuda:N", name)
}

var errNoXLA = errors.New("device: this program was built without XLA: build it on Linux with CGO_ENABLED=1 and without the tag noxla")

// NoCardError says that no card can be trained on. The CPU can.
type NoCardError struct{ Err error }

func (e *NoCardError) Error() string { return e.Err.Error() }
func (e *NoCardError) Unwrap() error { return e.Err }

// findCUDA looks for card number card: a driver that is new enough, the card, and a sound plugin.
func (h host) findCUDA(card int) (Device, error) {
	if !hasXLA {
		return Device{}, errNoXLA
	}
	driver, err := h.driver()
	if err != nil {
		return Device{}, &NoCardError{fmt.Errorf("device cuda: %w", err)}
	}
	if n := len(driver.Cards); n > 0 && card >= n {
		return Device{}, fmt.Errorf("device cuda:%d: there is no such card, the driver has %d, counted from 0: see `vc devices`", card, n)
	}
	paths := findPlugins(true)
	if len(paths) == 0 {
		return Device{}, &NoCardError{errors.New("device cuda: no XLA plugin found: `vc setup cuda` installs it")}
	}
	var firstErr error
	for _, path := range paths {
		err := CheckPlugin(path)
		if err == nil {
			err = driver.serves(path)
		}
		if err != nil {
			if firstErr == nil {
				firstErr = err
			}
			continue
		}
		return Device{Kind: "cuda", Path: path, Config: cudaConfig(path, card, 1), Card: card}, nil
	}
	return Device{}, firstErr
}

// Prepare makes ready to open the device with GoMLX: it sets the environment that XLA reads, so that a user sets nothing, and
// refuses a plugin of another version.
func (d Device) Prepare() error {
	setenv := func(name, value string) {
		if os.Getenv(name) == "" {
			os.Setenv(name, value)
		}
	}
	setenv("GOMLX_NO_AUTO_INSTALL", "1") // the download has no time limit and holds a lock
	if d.Kind == "cuda" {
		setenv("GOPJRT_CUDA_CHECKS", "0")
		site := filepath.Dir(filepath.Dir(filepath.Dir(d.Path)))
		for _, cuda := range []string{"nvidia/cu13", "nvidia/cuda_nvcc"} {
			if folder := filepath.Join(site, cuda); exists(folder) {
				os.Setenv("XLA_FLAGS", withCUDAFolder(os.Getenv("XLA_FLAGS"), folder))
				break
			}
		}
	}
	if d.Path == "" {
		return nil
	}
	version, err := readPJRTVersion(d.Path)
	if err != nil {
		return fmt.Errorf("open %s: %w", d, err)
	}
	if err := version.check(d.Path); err != nil {
		return err
	}
	if d.Kind == "xla-cpu" {
		keepMemory()
	}
	return nil
}

// withCUDAFolder adds the folder of CUDA's compiler to XLA's flags, which a user may have set for something else.
func withCUDAFolder(flags, folder string) string {
	const flag = "--xla_gpu_cuda_data_dir="
	if strings.Contains(flags, flag) {
		return flags
	}
	if strings.ContainsAny(folder, " \t") {
		folder = "'" + folder + "'"
	}
	return strings.TrimSpace(flags + " " + flag + folder)
}

// CheckOpened tells whether as many cards were opened as are wanted.
func (d Device) CheckOpened(opened int) error {
	if opened >= d.Cards {
		return nil
	}
	one := d
	one.Cards = 1
	return cardsErrorf(opened, 0, "%d cards: %s has %d", d.Cards, one, opened)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
