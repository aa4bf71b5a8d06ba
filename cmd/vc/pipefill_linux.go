package main

import (
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// pipeFill returns a function that says how many bytes in the pipe w its reader has not taken yet, 0 where that is not known.
func pipeFill(w io.Writer) func() int {
	unknown := func() int { return 0 }
	f, ok := w.(*os.File)
	if !ok {
		return unknown
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		return unknown
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return unknown
	}
	return func() int {
		n := 0
		var failed error
		if err := raw.Control(func(fd uintptr) { n, failed = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }); err != nil || failed != nil {
			return 0
		}
		return n
	}
}
