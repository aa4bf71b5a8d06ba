//go:build !unix

package audio

import "os/exec"

// ownGroup does nothing here: ffmpeg itself starts no children.
func ownGroup(*exec.Cmd) {}

func endGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }
