package wheel

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starvc/vc/internal/bounded"
)

// FuzzIndex reads what a package index answers.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"files":[{"filename":"a.whl","url":"https://x/a.whl"}]}`), "a.whl")
	f.Add([]byte(`<a href="../a.whl#sha256=0">a.whl</a><A  class=x HREF='%61.whl?x'>`), "a.whl")
	f.Fuzz(func(t *testing.T, body []byte, file string) {
		bounded.Allocates(t, bounded.Beyond, func() {
			linkInJSON(body, file)
			if link := linkInHTML(body, file); link != "" && !strings.Contains(link, "%") && !strings.Contains(link, file) {
				t.Errorf("link %q for %q", link, file)
			}
		})
	})
}

// FuzzUnpack unpacks a wheel with a file of any name and content: nothing lands outside of the folder.
func FuzzUnpack(f *testing.F) {
	f.Add("a/lib.so", []byte("code"), uint32(0o644), false, []byte{}, uint16(0))
	f.Add("../a.so", []byte("code"), uint32(0o120777), true, []byte{1, 2}, uint16(40))
	f.Add(`a\\..\\b.so`, []byte("code"), uint32(0o755), true, []byte{0xff}, uint16(4))
	f.Fuzz(func(t *testing.T, name string, content []byte, mode uint32, wrong bool, patch []byte, at uint16) {
		sum := sha256.Sum256(content)
		record := name + ",sha256=" + base64.RawURLEncoding.EncodeToString(sum[:]) + ",1\n"
		if wrong {
			record = strings.Replace(record, "sha256=", "sha256=A", 1)
		}
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		head := &zip.FileHeader{Name: name, Method: zip.Deflate}
		head.SetMode(fs.FileMode(mode))
		w, err := z.CreateHeader(head)
		if err != nil {
			return
		}
		w.Write(content)
		if w, err = z.Create("x.dist-info/RECORD"); err != nil {
			return
		}
		w.Write([]byte(record))
		if z.Close() != nil {
			return
		}
		file := b.Bytes()
		copy(file[min(int(at), len(file)):], patch)
		dir := t.TempDir()
		wheel, folder := filepath.Join(dir, "x.whl"), filepath.Join(dir, "in", "side")
		if err := os.WriteFile(wheel, file, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		bounded.Allocates(t, bounded.Beyond, func() {
			UnpackedBytes(wheel)
			if err := Unpack(wheel, folder); err == nil && wrong && len(patch) == 0 && wanted(name) {
				t.Errorf("%q with a wrong checksum was unpacked", name)
			}
		})
		filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && path != wheel && !strings.HasPrefix(path, folder+string(filepath.Separator)) {
				t.Errorf("%s lies outside", path)
			}
			if err == nil && d.Type()&fs.ModeSymlink != 0 {
				t.Errorf("%s is a link", path)
			}
			return nil
		})
	})
}
