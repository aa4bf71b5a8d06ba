//go:build !unix

package main

import "os/exec"

// detach has nothing to do: the command that opens a browser ends at once.
func detach(*exec.Cmd) {}
