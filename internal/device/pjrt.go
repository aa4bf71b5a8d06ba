package device

import (
	"fmt"
	"strings"
)

// PJRTVersion is the version of the interface between XLA's plugins and programs. Plugins and programs of different minor
// versions get on within bounds.
type PJRTVersion struct{ Major, Minor int }

func (v PJRTVersion) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// The plugins that were tried with the XLA binding in use (go-xla 0.4.5, which is written for PJRT 0.104): xla-cpu-pjrt 0.0.1
// speaks 0.81, the plugins of JAX 0.11.2 speak 0.115. A newer plugin may work; an older one has structures that are too small.
const (
	bindingPJRT = "0.104"
	oldestPJRT  = 81
	newestPJRT  = 115
)

// check refuses a plugin that the binding cannot speak to. Newer minor versions are let through: the plugin refuses them
// itself where it must.
func (v PJRTVersion) check(path string) error {
	if v.Major == 0 && v.Minor >= oldestPJRT {
		return nil
	}
	return fmt.Errorf("XLA plugin %s: speaks PJRT %v, this program wants 0.%d or newer (0.%d is tried): install one that fits with %s",
		path, v, oldestPJRT, newestPJRT, installAgain(path))
}

// note is what a user should know of a version that passed check, or nothing.
func (v PJRTVersion) note() string {
	if v.Minor > newestPJRT {
		return fmt.Sprintf("newer than the newest that was tried, 0.%d", newestPJRT)
	}
	return ""
}

// ExplainOpen adds the remedy to what the binding says when a plugin refuses it.
func ExplainOpen(err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "Unexpected") && strings.Contains(text, "size"):
		return fmt.Errorf("the plugin is of another version than this program's PJRT %s (0.%d to 0.%d are tried): install one that fits with `vc setup cuda` or `vc setup cpu`: %w",
			bindingPJRT, oldestPJRT, newestPJRT, err)
	case strings.Contains(text, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"), strings.Contains(text, "driver version is insufficient"):
		return fmt.Errorf("the driver is too old for the plugin, or was renewed without a restart: see `vc devices`: %w", err)
	case strings.Contains(text, "CUDA_ERROR_NO_DEVICE"), strings.Contains(text, "no CUDA-capable device"), strings.Contains(text, "No visible GPU devices"):
		return fmt.Errorf("the driver shows no card: see `nvidia-smi` and the variable CUDA_VISIBLE_DEVICES: %w", err)
	case OutOfMemory(err):
		return fmt.Errorf("the card has no memory free: see `nvidia-smi` for what else is running on it: %w", err)
	}
	return err
}

// OutOfMemory tells whether a device refused work for want of memory; a smaller batch may pass.
func OutOfMemory(err error) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	for _, sign := range []string{"RESOURCE_EXHAUSTED", "CUDA_ERROR_OUT_OF_MEMORY", "out of memory", "Out of memory"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}
