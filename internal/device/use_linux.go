package device

import (
	"os/exec"
	"syscall"
)

// dieWithParent lets the system kill the command when this program ends, be it by a signal that none can catch. The thread that
// starts the command must live as long as the program is to, or the command dies with the thread.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
