// Package wheel fetches Python wheels, which are zip files with a list of checksums, and unpacks what is wanted of them.
// XLA's plugins and NVIDIA's libraries are published in no other form. No Python is needed.
//
// An index is asked in the way that pip asks it (PEP 503 and 691), so that every mirror serves; downloads resume, give up
// when nothing arrives, and count only when their checksum is right; what is unpacked appears under its name only when it
// is whole.
package wheel

import (
	"fmt"
	"strings"
)

// Pin is a wheel of a known content.
type Pin struct {
	Project string // as the index calls it, such as nvidia-cublas
	Version string
	File    string // name of the file
	Bytes   int64
	SHA256  string // in hexadecimal
}

func (p Pin) String() string { return p.Project + " " + p.Version }

// stem is how file names begin that belong to the project, whatever the version.
func (p Pin) stem() string { return strings.ReplaceAll(p.Project, "-", "_") + "-" }

// Total is the number of bytes to download.
func Total(pins []Pin) (n int64) {
	for _, p := range pins {
		n += p.Bytes
	}
	return n
}

// PipDownload is the command that fetches the wheels on another machine, into folder wheels.
func PipDownload(pins []Pin) string {
	var b strings.Builder
	b.WriteString("pip download --no-deps --only-binary :all: --platform manylinux_2_28_x86_64 -d wheels")
	for _, p := range pins {
		fmt.Fprintf(&b, " %s==%s", p.Project, p.Version)
	}
	return b.String()
}
