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

// IndexError says that an index does not give a wheel. Another index may, or a folder of wheels.
type IndexError struct{ Err error }

func (e *IndexError) Error() string { return e.Err.Error() }
func (e *IndexError) Unwrap() error { return e.Err }

// FolderError says that a folder has no room for an installation or cannot be written. Another folder may do.
type FolderError struct{ Err error }

func (e *FolderError) Error() string { return e.Err.Error() }
func (e *FolderError) Unwrap() error { return e.Err }

func indexErrorf(format string, a ...any) error { return &IndexError{fmt.Errorf(format, a...)} }

func folderErrorf(format string, a ...any) error { return &FolderError{fmt.Errorf(format, a...)} }

// Total is the number of bytes to download.
func Total(pins []Pin) (n int64) {
	for _, p := range pins {
		n += p.Bytes
	}
	return n
}

// PipDownload is the command that fetches the wheels on another machine, into folder wheels. pip takes a wheel for another
// machine only when one of the platforms in its file name is given word for word.
func PipDownload(pins []Pin) string {
	var b strings.Builder
	b.WriteString("pip download --no-deps --only-binary :all: -d wheels")
	given := map[string]bool{}
	for _, p := range pins {
		for _, platform := range p.platforms() {
			if !given[platform] {
				given[platform] = true
				b.WriteString(" --platform " + platform)
			}
		}
	}
	for _, p := range pins {
		fmt.Fprintf(&b, " %s==%s", p.Project, p.Version)
	}
	return b.String()
}

// platforms are those at the end of the file's name, joined by dots there (PEP 425); none for a wheel that runs anywhere.
func (p Pin) platforms() []string {
	name := strings.TrimSuffix(p.File, ".whl")
	tag := name[strings.LastIndex(name, "-")+1:]
	if tag == "" || tag == "any" {
		return nil
	}
	return strings.Split(tag, ".")
}
