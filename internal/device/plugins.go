package device

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// PluginFolder is where vc itself looks first for XLA plugins, and where `vc setup` puts them: $XDG_DATA_HOME/vc/pjrt or
// ~/.local/share/vc/pjrt. It is empty where the user has no home.
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

// cpuPlugins and cudaPlugins are the plugins' places below a Python site-packages folder, and below each of the folders
// that `vc setup` makes, which are laid out alike: the CUDA plugin looks for its libraries relative to its own place.
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

// pluginFolders are the folders that belong to plugins alone: ours, and those named in PJRT_PLUGIN_LIBRARY_PATH.
func pluginFolders() []string {
	folders := append([]string{PluginFolder()}, filepath.SplitList(os.Getenv("PJRT_PLUGIN_LIBRARY_PATH"))...)
	return slices.DeleteFunc(folders, func(f string) bool { return f == "" })
}

// findPlugins lists the plugin files there are, best first: our own folder, the folders named in
// PJRT_PLUGIN_LIBRARY_PATH, then Python's site-packages. In a plugin folder they may lie openly, or in folders with the
// layout of site-packages, of which the one whose name sorts last, the newest version, comes first.
func findPlugins(cuda bool) []string {
	var found []string
	add := func(path string) {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && !slices.Contains(found, path) {
			found = append(found, path)
		}
	}
	names := cpuPlugins
	if cuda {
		names = cudaPlugins
	}
	for _, folder := range pluginFolders() {
		matches, _ := filepath.Glob(filepath.Join(folder, "*.so"))
		for _, m := range matches {
			name := filepath.Base(m)
			if strings.Contains(name, "cuda") == cuda && (cuda || strings.Contains(name, "cpu")) {
				add(m)
			}
		}
		entries, _ := os.ReadDir(folder)
		slices.Reverse(entries)
		for _, name := range names {
			add(filepath.Join(folder, name))
			for _, e := range entries {
				if !strings.HasPrefix(e.Name(), ".") { // an installation that is not whole yet
					add(filepath.Join(folder, e.Name(), name))
				}
			}
		}
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

// installAgain is the command that puts a sound plugin in the place of a broken one.
func installAgain(path string) string {
	if strings.Contains(filepath.Base(path), "cuda") {
		return "`vc setup cuda`"
	}
	return "`vc setup cpu`"
}

// CheckPlugin says why a plugin file cannot be loaded, or nil. The XLA binding dereferences what it gets from a broken
// file, so the file is read by us first.
func CheckPlugin(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("XLA plugin %s: not a whole shared library (%w): install it again with %s", path, err, installAgain(path))
	}
	defer f.Close()
	want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]
	if f.Machine != want {
		return fmt.Errorf("XLA plugin %s: built for %v, this machine needs %v: install the right one with %s", path, f.Machine, want, installAgain(path))
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("XLA plugin: %w", err)
	}
	for _, s := range f.Sections {
		if s.Type != elf.SHT_NOBITS && int64(s.Offset+s.FileSize) > info.Size() {
			return fmt.Errorf("XLA plugin %s: cut short: install it again with %s", path, installAgain(path))
		}
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return fmt.Errorf("XLA plugin %s: no symbols (%w): install it again with %s", path, err, installAgain(path))
	}
	for _, s := range symbols {
		if s.Name == "GetPjrtApi" && s.Section != elf.SHN_UNDEF {
			return nil
		}
	}
	return fmt.Errorf("XLA plugin %s: has no GetPjrtApi, so it is not an XLA plugin", path)
}
