package train

import (
	"os"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	"github.com/starvc/vc/internal/device"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/run"
)

func openGo(t testing.TB) compute.Backend {
	t.Helper()
	d, err := device.Find("go")
	if err != nil {
		t.Fatal(err)
	}
	b, err := mlx.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Finalize)
	return b
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// blocked is standard error that puts something in the way of snapshots once a word is said, and takes it away at another.
type blocked struct {
	strings.Builder
	folder      run.Folder
	from, until string
	away        string
}

func (b *blocked) Write(p []byte) (int, error) {
	text := string(p)
	if b.from != "" && strings.Contains(text, b.from) {
		b.from, b.away = "", b.folder.Path("away")
		os.Rename(b.folder.Path("snapshots"), b.away)
		os.WriteFile(b.folder.Path("snapshots"), nil, 0o600) // a file: no folder to write into, for root either
	}
	if b.away != "" && b.until != "" && strings.Contains(text, b.until) {
		b.restore()
	}
	return b.Builder.Write(p)
}

func (b *blocked) restore() {
	os.Remove(b.folder.Path("snapshots"))
	os.Rename(b.away, b.folder.Path("snapshots"))
	b.away = ""
}
