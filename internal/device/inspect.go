package device

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Plugin is an XLA plugin that was found, sound or not.
type Plugin struct {
	Path    string
	Version PJRTVersion // zero where Fault says why it is not known
	Fault   error       // why it cannot be used, with the remedy; nil if it can
}

// Inspection is what there is to train on, and what is missing.
type Inspection struct {
	Cores    int
	XLA      bool // whether this program can load XLA plugins at all
	CPU      []Plugin
	CUDA     []Plugin
	Driver   Driver
	NoDriver error    // why Driver is empty, with the remedy
	Folders  []string // where plugins were looked for, in this order
	Auto     Device   // what "auto" stands for
}

// Inspect looks for everything that Find looks for, and reads every plugin's version, for which it is loaded.
func Inspect() Inspection { return thisHost().inspect() }

func (h host) inspect() Inspection {
	i := Inspection{Cores: runtime.NumCPU(), XLA: hasXLA, Folders: slices.Concat(pluginFolders(), sitePackages())}
	i.Driver, i.NoDriver = h.driver()
	for _, path := range findPlugins(false) {
		i.CPU = append(i.CPU, inspectPlugin(path))
	}
	for _, path := range findPlugins(true) {
		p := inspectPlugin(path)
		if p.Fault == nil && i.NoDriver == nil {
			p.Fault = i.Driver.serves(path)
		}
		i.CUDA = append(i.CUDA, p)
	}
	if d, err := Find("auto"); err == nil {
		i.Auto = d
	}
	return i
}

func inspectPlugin(path string) Plugin {
	p := Plugin{Path: path}
	if p.Fault = CheckPlugin(path); p.Fault != nil {
		return p
	}
	if p.Version, p.Fault = readPJRTVersion(path); p.Fault == nil {
		p.Fault = p.Version.check(path)
	}
	return p
}

// Line is one finding, fit to print.
type Line struct {
	Device string // cuda, cpu or go
	Ready  bool
	Text   string
	Remedy string // what to do, empty where there is nothing to do
}

// Lines are the findings in the order in which "auto" would choose.
func (i Inspection) Lines() []Line {
	return []Line{i.cudaLine(), i.cpuLine(), {
		Device: "go", Ready: true,
		Text: fmt.Sprintf("pure Go on %d cores, always there, about ten times slower than XLA's CPU plugin", i.Cores),
	}}
}

func (i Inspection) cudaLine() Line {
	l := Line{Device: "cuda"}
	var parts []string
	if i.NoDriver == nil {
		parts = append(parts, "NVIDIA driver "+i.Driver.Version)
		for n, c := range i.Driver.Cards {
			parts = append(parts, fmt.Sprintf("card %d: %s, %.0f GiB (%.0f free), compute capability %s", n, c.Name, gibibytes(c.Memory), gibibytes(c.Free), c.Compute))
		}
	} else {
		text, remedy, _ := strings.Cut(i.NoDriver.Error(), ": ")
		parts, l.Remedy = append(parts, text), remedy
	}
	plugin, found := usable(i.CUDA)
	switch {
	case found:
		parts = append(parts, describePlugin(plugin))
		if note := missingLibraries(plugin.Path); note != "" {
			parts, l.Remedy = append(parts, note), "install all with `vc setup cuda`"
		} else {
			l.Ready = i.NoDriver == nil && i.XLA
		}
	case len(i.CUDA) > 0:
		parts, l.Remedy = append(parts, i.CUDA[0].Fault.Error()), remedyOf(i.CUDA[0].Fault, l.Remedy)
	default:
		parts = append(parts, "no XLA plugin for CUDA")
		if i.NoDriver == nil {
			l.Remedy = "install it with `vc setup cuda`"
		}
	}
	if !i.XLA {
		parts, l.Remedy = append(parts, errNoXLA.Error()), ""
	}
	l.Text = strings.Join(parts, "; ")
	return l
}

func (i Inspection) cpuLine() Line {
	l := Line{Device: "cpu"}
	plugin, found := usable(i.CPU)
	switch {
	case !i.XLA:
		l.Text = errNoXLA.Error()
	case found:
		l.Ready, l.Text = true, describePlugin(plugin)
	case len(i.CPU) > 0:
		l.Text = i.CPU[0].Fault.Error()
		l.Remedy = remedyOf(i.CPU[0].Fault, "")
	default:
		l.Text, l.Remedy = "no XLA plugin for the CPU, so training on it is in pure Go", "install it with `vc setup cpu`"
	}
	return l
}

// remedyOf is the last part of an error, if it is not known already; errors of plugins end in their remedy.
func remedyOf(err error, known string) string {
	if known != "" {
		return known
	}
	text := err.Error()
	return text[strings.LastIndex(text, ": ")+2:]
}

func usable(plugins []Plugin) (Plugin, bool) {
	for _, p := range plugins {
		if p.Fault == nil {
			return p, true
		}
	}
	return Plugin{}, false
}

func describePlugin(p Plugin) string {
	text := fmt.Sprintf("XLA plugin with PJRT %v", p.Version)
	if note := p.Version.note(); note != "" {
		text += " (" + note + ")"
	}
	return text + ", " + p.Path
}

// missingLibraries names the libraries of NVIDIA's that the CUDA plugin would look for beside itself in vain.
func missingLibraries(plugin string) string {
	if !strings.Contains(filepath.ToSlash(plugin), "jax_plugins/xla_cuda13/") {
		return "" // another layout, which may find them elsewhere
	}
	site := filepath.Dir(filepath.Dir(filepath.Dir(plugin)))
	var missing []string
	for _, pattern := range []string{
		"nvidia/cu13/lib/libcudart.so.*", "nvidia/cu13/lib/libcublas.so.*", "nvidia/cudnn/lib/libcudnn.so.*", "nvidia/cu13/bin/ptxas",
	} {
		if matches, _ := filepath.Glob(filepath.Join(site, pattern)); len(matches) == 0 {
			missing = append(missing, strings.TrimSuffix(filepath.Base(pattern), ".*"))
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return "not beside it: " + strings.Join(missing, ", ")
}

func gibibytes(n int64) float64 { return float64(n) / (1 << 30) }
