// Package runtest helps the tests of trainings: standard errors that do something to a run when it says a word.
package runtest

import (
	"os"
	"strings"

	"github.com/starvc/vc/internal/run"
)

// Stopper calls Stop once After was written to it.
type Stopper struct {
	strings.Builder
	After string
	Stop  func()
}

func (s *Stopper) Write(p []byte) (int, error) {
	n, err := s.Builder.Write(p)
	if strings.Contains(s.String(), s.After) {
		s.Stop()
	}
	return n, err
}

// Blocked puts something in the way of the snapshots in Folder once From is said, and takes it away at Until, or by Restore where that
// is empty.
type Blocked struct {
	strings.Builder
	Folder      run.Folder
	From, Until string

	away string
}

func (b *Blocked) Write(p []byte) (int, error) {
	text := string(p)
	if b.From != "" && strings.Contains(text, b.From) {
		b.From, b.away = "", b.Folder.Path("away")
		os.Rename(b.Folder.Path("snapshots"), b.away)
		os.WriteFile(b.Folder.Path("snapshots"), nil, 0o600) // a file: no folder to write into, for root either
	}
	if b.away != "" && b.Until != "" && strings.Contains(text, b.Until) {
		b.Restore()
	}
	return b.Builder.Write(p)
}

// Restore takes away what is in the way.
func (b *Blocked) Restore() {
	os.Remove(b.Folder.Path("snapshots"))
	os.Rename(b.away, b.Folder.Path("snapshots"))
	b.away = ""
}

// Dashed names options as a command line does.
func Dashed(option string) string { return "--" + option }
