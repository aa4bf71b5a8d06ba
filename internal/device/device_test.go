package device

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// tinyLibrary is a shared library of nothing but one dynamic symbol, defined or only asked for.
func tinyLibrary(machine elf.Machine, symbol string, defined bool) []byte {
	section := uint16(elf.SHN_UNDEF)
	if defined {
		section = 1
	}
	names := "\x00.dynsym\x00.dynstr\x00.shstrtab\x00"
	strs := "\x00" + symbol + "\x00"
	var symbols bytes.Buffer
	write := func(w *bytes.Buffer, v any) {
		if err := binary.Write(w, binary.LittleEndian, v); err != nil {
			panic(err)
		}
	}
	write(&symbols, elf.Sym64{})
	write(&symbols, elf.Sym64{Name: 1, Info: elf.ST_INFO(elf.STB_GLOBAL, elf.STT_FUNC), Shndx: section})

	const header, entry = 64, 64
	symbolsAt := uint64(header)
	strsAt := symbolsAt + uint64(symbols.Len())
	namesAt := strsAt + uint64(len(strs))
	tableAt := (namesAt + uint64(len(names)) + 7) &^ 7

	var b bytes.Buffer
	h := elf.Header64{
		Type: uint16(elf.ET_DYN), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT), Shoff: tableAt,
		Ehsize: header, Shentsize: entry, Shnum: 4, Shstrndx: 3,
	}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	write(&b, h)
	b.Write(symbols.Bytes())
	b.WriteString(strs)
	b.WriteString(names)
	b.Write(make([]byte, tableAt-uint64(b.Len())))
	write(&b, elf.Section64{})
	write(&b, elf.Section64{Name: 1, Type: uint32(elf.SHT_DYNSYM), Off: symbolsAt, Size: uint64(symbols.Len()), Link: 2, Info: 1, Entsize: elf.Sym64Size})
	write(&b, elf.Section64{Name: 9, Type: uint32(elf.SHT_STRTAB), Off: strsAt, Size: uint64(len(strs))})
	write(&b, elf.Section64{Name: 17, Type: uint32(elf.SHT_STRTAB), Off: namesAt, Size: uint64(len(names))})
	return b.Bytes()
}

func machines(t *testing.T) (own, other elf.Machine) {
	t.Helper()
	switch runtime.GOARCH {
	case "amd64":
		return elf.EM_X86_64, elf.EM_AARCH64
	case "arm64":
		return elf.EM_AARCH64, elf.EM_X86_64
	}
	t.Skip("no XLA on " + runtime.GOARCH)
	return
}

func writeFile(t *testing.T, path string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckPlugin(t *testing.T) {
	own, other := machines(t)
	good := tinyLibrary(own, "GetPjrtApi", true)
	foreign := bytes.Clone(good)
	binary.LittleEndian.PutUint16(foreign[18:], uint16(other)) // e_machine
	// A section that reaches beyond the end, as where the middle of a download is missing: .dynstr, the third entry.
	beyond := bytes.Clone(good)
	table := binary.LittleEndian.Uint64(good[40:])
	binary.LittleEndian.PutUint64(beyond[table+3*64+32:], 1<<40) // the size of .shstrtab

	path := filepath.Join(t.TempDir(), "pjrt_c_api_cpu_plugin.so")
	for _, c := range []struct {
		name string
		data []byte
		want string // in the error; empty for none
	}{
		{"whole", good, ""},
		{"empty", nil, "install it again"},
		{"not ELF", []byte("<html>404 Not Found</html>" + strings.Repeat(" ", 200)), "not a whole shared library"},
		{"another machine's", foreign, "install the right one"},
		{"section beyond the end", beyond, "install it again"},
		{"no such symbol", tinyLibrary(own, "GetOtherApi", true), "has no GetPjrtApi"},
		{"symbol asked for, not defined", tinyLibrary(own, "GetPjrtApi", false), "has no GetPjrtApi"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := CheckPlugin(writeFile(t, path, c.data))
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path)):
				t.Errorf("error %v, want one with %q and the path", err, c.want)
			}
		})
	}
	for n := range len(good) {
		if err := CheckPlugin(writeFile(t, path, good[:n])); err == nil {
			t.Errorf("cut to %d of %d bytes it passes", n, len(good))
		}
	}
	if err := CheckPlugin(filepath.Join(t.TempDir(), "missing.so")); err == nil {
		t.Error("a missing file passes")
	}
	if err := CheckPlugin(t.TempDir()); err == nil {
		t.Error("a folder passes")
	}
}

// The program itself is a real ELF file of this machine and no plugin; cut short it is not even that.
func TestCheckPluginOnThisProgram(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no ELF")
	}
	machines(t)
	exe, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	data, err := os.ReadFile(exe)
	if err != nil {
		t.Skip(err)
	}
	if err := CheckPlugin(exe); err == nil {
		t.Error("a program passes for a plugin")
	}
	err = CheckPlugin(writeFile(t, filepath.Join(t.TempDir(), "half.so"), data[:len(data)/2]))
	if err == nil || !strings.Contains(err.Error(), "install it again") {
		t.Errorf("half a program: error %v, want advice to install again", err)
	}
}

// bare hides every plugin and Python of the machine.
func bare(t *testing.T) (pluginFolder string) {
	t.Helper()
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "")
	t.Setenv("VIRTUAL_ENV", "")
	t.Setenv("PATH", t.TempDir())
	return PluginFolder()
}

func TestFindDevice(t *testing.T) {
	bare(t)
	for _, c := range []struct {
		name string
		want string // in the error; empty for the pure Go backend
	}{
		{"go", ""},
		{"gpu", `"gpu"`},
		{"Go ", "want auto, cpu, go, cuda"},
		{"cuda:x", "number of a card"},
		{"cuda:-1", "number of a card"},
		{"cuda:1.5", "number of a card"},
	} {
		d, err := Find(c.name)
		switch {
		case c.want == "" && (err != nil || d.Kind != "go" || d.NativeConv() || d.Path != ""):
			t.Errorf("%q: %+v, %v, want the pure Go backend", c.name, d, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%q: error %v, want one with %q", c.name, err, c.want)
		}
	}
	if !thisHost().hasDriver() {
		_, err := Find("cuda")
		if !errors.As(err, new(*NoCardError)) && err != errNoXLA {
			t.Errorf("cuda without a card: error %v, want a NoCardError", err)
		}
	}
	if hasXLA {
		if _, err := Find("xla:" + filepath.Join(t.TempDir(), "none.so")); err == nil || !strings.Contains(err.Error(), "none.so") {
			t.Errorf("a plugin that is not there: error %v, want one that names it", err)
		}
	} else if _, err := Find("xla:none.so"); err != errNoXLA {
		t.Errorf("without XLA: error %v", err)
	}
}

// A broken plugin in the search path is passed over, and without a sound one the CPU is pure Go.
func TestFindDevicePassesBrokenPlugins(t *testing.T) {
	if !hasXLA {
		t.Skip("built without XLA")
	}
	own, _ := machines(t)
	folder := bare(t)
	if len(findPlugins(false)) > 0 {
		t.Skip("this machine has a plugin in a system folder")
	}
	good := tinyLibrary(own, "GetPjrtApi", true)
	writeFile(t, filepath.Join(folder, "a_cpu_broken.so"), good[:len(good)-9])
	writeFile(t, filepath.Join(folder, "readme.txt"), []byte("cpu"))
	writeFile(t, filepath.Join(folder, "pjrt_cuda.so"), good)
	if d, err := Find("cpu"); err != nil || d.Kind != "go" {
		t.Errorf("with a broken plugin alone: %+v, %v, want pure Go", d, err)
	}
	// Elsewhere, by the environment, in a folder whose name has a space.
	second := filepath.Join(t.TempDir(), "my plugins")
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", second)
	path := writeFile(t, filepath.Join(second, "pjrt_c_api_cpu_plugin.so"), good)
	if d, err := Find("cpu"); err != nil || d.Kind != "xla-cpu" || d.Path != path || d.Config != "xla:"+path {
		t.Errorf("with a sound plugin: %+v, %v, want %s", d, err, path)
	}
	if d, err := Find("xla:" + path); err != nil || d.Kind != "xla-cpu" || !d.NativeConv() {
		t.Errorf("named: %+v, %v", d, err)
	}
	t.Chdir(second)
	if d, err := Find("xla:./pjrt_c_api_cpu_plugin.so"); err != nil || d.Path != path {
		t.Errorf("named from its folder: %+v, %v, want %s", d, err, path)
	}
	if d, err := Find("xla:" + filepath.Join(folder, "pjrt_cuda.so")); err != nil || d.Kind != "cuda" || !d.NativeConv() {
		t.Errorf("named, for CUDA: %+v, %v", d, err)
	}
}

func TestPluginsInSitePackages(t *testing.T) {
	own, _ := machines(t)
	bare(t)
	venv := filepath.Join(t.TempDir(), "my venv")
	site := filepath.Join(venv, "lib", "python3.13", "site-packages")
	path := writeFile(t, filepath.Join(site, cpuPlugins[0]), tinyLibrary(own, "GetPjrtApi", true))
	t.Setenv("VIRTUAL_ENV", venv)
	if got := findPlugins(false); len(got) == 0 || got[0] != path {
		t.Errorf("plugins %q, want %q first", got, path)
	}

	// Python itself may name a folder with a space.
	t.Setenv("VIRTUAL_ENV", "")
	bin := t.TempDir()
	script := "#!/bin/sh\necho '" + site + "'\n"
	if err := os.WriteFile(filepath.Join(bin, "python3"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	t.Setenv("PATH", bin)
	if got := findPlugins(false); len(got) == 0 || got[0] != path {
		t.Errorf("plugins %q by way of Python, want %q first", got, path)
	}
}

func TestDeviceNames(t *testing.T) {
	for _, c := range []struct {
		device Device
		want   string
	}{
		{Device{Kind: "go"}, "CPU, pure Go"},
		{Device{Kind: "xla-cpu", Path: "/p.so"}, "CPU through XLA (/p.so)"},
		{Device{Kind: "cuda", Path: "/p.so"}, "CUDA through XLA (/p.so)"},
	} {
		if got := c.device.String(); got != c.want {
			t.Errorf("%+v is called %q, want %q", c.device, got, c.want)
		}
	}
}

// What passes the check can still be refused by the system's loader; that must be an error, not a crash.
func TestOpenUnloadablePlugin(t *testing.T) {
	if !hasXLA {
		t.Skip("built without XLA")
	}
	own, _ := machines(t)
	path := writeFile(t, filepath.Join(t.TempDir(), "pjrt_c_api_cpu_plugin.so"), tinyLibrary(own, "GetPjrtApi", true))
	d, err := Find("xla:" + path)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Prepare(); err == nil {
		t.Error("a library without code was loaded")
	} else if !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want one that names the plugin", err)
	}
}

func TestWithCUDAFolder(t *testing.T) {
	for _, c := range [][3]string{ // flags, folder, want
		{"", "/a", "--xla_gpu_cuda_data_dir=/a"},
		{"--xla_dump_to=d", "/a", "--xla_dump_to=d --xla_gpu_cuda_data_dir=/a"},
		{"--xla_gpu_cuda_data_dir=/mine", "/a", "--xla_gpu_cuda_data_dir=/mine"},
		{"", "/a b", "--xla_gpu_cuda_data_dir='/a b'"},
	} {
		if got := withCUDAFolder(c[0], c[1]); got != c[2] {
			t.Errorf("%q with folder %q: %q, want %q", c[0], c[1], got, c[2])
		}
	}
}
