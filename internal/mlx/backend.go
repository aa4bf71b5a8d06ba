package mlx

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend" // the pure Go backend, always there
)

// Device is a place where training can run.
type Device struct {
	// Kind is "cuda", "xla-cpu" or "go".
	Kind string
	// Path is the XLA plugin's file, empty for the pure Go backend.
	Path string
	// Config is what GoMLX takes to open it.
	Config string
}

// String describes the device for a user.
func (d Device) String() string {
	switch d.Kind {
	case "cuda":
		return "CUDA through XLA (" + d.Path + ")"
	case "xla-cpu":
		return "CPU through XLA (" + d.Path + ")"
	}
	return "CPU, pure Go"
}

// NativeConv tells whether the device's own convolution is the fast one.
func (d Device) NativeConv() bool { return d.Kind == "cuda" }

// PluginFolder is where vc itself looks first for XLA plugins: $XDG_DATA_HOME/vc/pjrt or ~/.local/share/vc/pjrt.
func PluginFolder() string {
	base := os.Getenv("XDG_DATA_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		base = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(base, "vc", "pjrt")
}

// cpuPlugins and cudaPlugins are the plugins' places below a Python site-packages folder.
var (
	cpuPlugins = []string{
		"lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so",
		"xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so",
	}
	cudaPlugins = []string{
		"jax_plugins/xla_cuda13/xla_cuda_plugin.so",
		"jax_plugins/xla_cuda12/xla_cuda_plugin.so",
	}
)

// findPlugins lists the plugin files there are, best first: our own folder, the folders named in
// PJRT_PLUGIN_LIBRARY_PATH, then Python's site-packages.
func findPlugins(cuda bool) []string {
	var found []string
	add := func(path string) {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			found = append(found, path)
		}
	}
	folders := append([]string{PluginFolder()}, filepath.SplitList(os.Getenv("PJRT_PLUGIN_LIBRARY_PATH"))...)
	for _, folder := range folders {
		if folder == "" {
			continue
		}
		matches, _ := filepath.Glob(filepath.Join(folder, "*.so"))
		for _, m := range matches {
			name := filepath.Base(m)
			if strings.Contains(name, "cuda") == cuda && (cuda || strings.Contains(name, "cpu")) {
				add(m)
			}
		}
	}
	names := cpuPlugins
	if cuda {
		names = cudaPlugins
	}
	for _, site := range sitePackages() {
		for _, name := range names {
			add(filepath.Join(site, name))
		}
	}
	return found
}

// sitePackages asks Python where it keeps its packages, and looks in the usual places.
func sitePackages() []string {
	var folders []string
	if venv := os.Getenv("VIRTUAL_ENV"); venv != "" {
		matches, _ := filepath.Glob(filepath.Join(venv, "lib", "python3*", "site-packages"))
		folders = append(folders, matches...)
	}
	if out, err := exec.Command("python3", "-c",
		"import site,sys;print('\\n'.join([p for p in sys.path if p]+site.getsitepackages()+[site.getusersitepackages()]))").Output(); err == nil {
		folders = append(folders, strings.FieldsFunc(string(out), func(c rune) bool { return c == '\n' || c == '\r' })...)
	}
	for _, pattern := range []string{"/usr/local/lib/python3*/site-packages", "/usr/local/lib/python3*/dist-packages", "/usr/lib/python3/dist-packages", "/opt/venv/lib/python3*/site-packages"} {
		matches, _ := filepath.Glob(pattern)
		folders = append(folders, matches...)
	}
	seen := map[string]bool{}
	unique := folders[:0]
	for _, f := range folders {
		if !seen[f] {
			seen[f] = true
			unique = append(unique, f)
		}
	}
	return unique
}

// hasNVIDIA tells whether a driver of NVIDIA's is loaded.
func hasNVIDIA() bool {
	_, err := os.Stat("/proc/driver/nvidia/version")
	if err == nil {
		return true
	}
	_, err = os.Stat("/dev/nvidiactl")
	return err == nil
}

// CheckPlugin says why a plugin file cannot be loaded, or nil. The XLA binding dereferences what it gets from a broken
// file, so the file is read by us first.
func CheckPlugin(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("XLA plugin %s: not a whole shared library (%w): install it again", path, err)
	}
	defer f.Close()
	want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]
	if f.Machine != want {
		return fmt.Errorf("XLA plugin %s: built for %v, this machine needs %v: install the right one", path, f.Machine, want)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("XLA plugin: %w", err)
	}
	for _, s := range f.Sections {
		if s.Type != elf.SHT_NOBITS && int64(s.Offset+s.FileSize) > info.Size() {
			return fmt.Errorf("XLA plugin %s: cut short: install it again", path)
		}
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return fmt.Errorf("XLA plugin %s: no symbols (%w): install it again", path, err)
	}
	for _, s := range symbols {
		if s.Name == "GetPjrtApi" && s.Section != elf.SHN_UNDEF {
			return nil
		}
	}
	return fmt.Errorf("XLA plugin %s: has no GetPjrtApi, so it is not an XLA plugin", path)
}

// FindDevice chooses where to train. name is "auto" (a CUDA card if there is one, else the CPU), "cpu" (XLA's CPU plugin
// where one is installed, else pure Go), "go" (pure Go), "cuda", "cuda:N" (card N), or "xla:FILE".
func FindDevice(name string) (Device, error) {
	kind, argument, _ := strings.Cut(name, ":")
	switch kind {
	case "", "auto":
		if hasXLA && hasNVIDIA() {
			if d, err := findCUDA(0); err == nil {
				return d, nil
			}
		}
		return FindDevice("cpu")
	case "cpu":
		if hasXLA {
			for _, path := range findPlugins(false) {
				if CheckPlugin(path) == nil {
					return Device{Kind: "xla-cpu", Path: path, Config: "xla:" + path}, nil
				}
			}
		}
		return FindDevice("go")
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
		return findCUDA(card)
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

func findCUDA(card int) (Device, error) {
	if !hasXLA {
		return Device{}, errNoXLA
	}
	if !hasNVIDIA() {
		return Device{}, errors.New("device cuda: no NVIDIA driver is loaded: install it, or train with --device cpu")
	}
	paths := findPlugins(true)
	if len(paths) == 0 {
		return Device{}, errors.New("device cuda: no XLA plugin found: pip install 'jax[cuda13]', or train with --device cpu")
	}
	var firstErr error
	for _, path := range paths {
		if err := CheckPlugin(path); err != nil {
			if firstErr == nil {
				firstErr = err
			}
			continue
		}
		config := fmt.Sprintf("xla:%s,memory_fraction=0.8,preallocate=true", path)
		if card > 0 {
			config += fmt.Sprintf(",visible_devices=%d", card)
		}
		return Device{Kind: "cuda", Path: path, Config: config}, nil
	}
	return Device{}, firstErr
}

// Open opens the device. The environment that XLA reads is set here, so that a user sets nothing.
func (d Device) Open() (compute.Backend, error) {
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
				setenv("XLA_FLAGS", "--xla_gpu_cuda_data_dir="+folder)
				break
			}
		}
	}
	backend, err := compute.NewWithConfig(d.Config)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", d, err)
	}
	if d.Kind == "go" {
		if err := unboundWorkers(backend); err != nil {
			return nil, fmt.Errorf("open %s: %w", d, err)
		}
	}
	return backend, nil
}

// unboundWorkers lets the pure Go backend start as many goroutines as it likes: under its default bound operations fill the
// pool and then wait in it for ever. The setting has a configuration string too, "go:parallelism=-1", but that prints a line
// to standard output, which belongs to sound; the backend's type is not exported, hence the reflection.
func unboundWorkers(backend compute.Backend) error {
	v := reflect.Indirect(reflect.ValueOf(backend))
	if v.Kind() == reflect.Struct {
		if f := v.FieldByName("Workers"); f.IsValid() {
			if workers, ok := f.Interface().(interface{ SetMaxParallelism(int) }); ok {
				workers.SetMaxParallelism(-1)
				return nil
			}
		}
	}
	return errors.New("the pure Go backend has no workers to set: this version of GoMLX is not the one that was tested")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
