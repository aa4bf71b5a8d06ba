package wheel

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// wanted tells what of a wheel is unpacked: all that a running program may need. Headers, static libraries and Python code,
// a good part of NVIDIA's wheels, stay out.
func wanted(name string) bool {
	if strings.HasSuffix(name, "/") || strings.Contains(name, "/include/") {
		return false
	}
	switch path.Ext(name) {
	case ".a", ".h", ".hpp", ".cuh", ".py", ".pyi", ".cmake":
		return false
	}
	return true
}

// Unpack writes the wanted files of a wheel below folder, which should be a new one, and checks each against the wheel's own
// list of checksums. A name that leads out of folder, a file that is not on the list and a wrong checksum are errors.
func Unpack(wheel, folder string) error {
	name := filepath.Base(wheel)
	z, err := zip.OpenReader(wheel)
	if err != nil {
		return fmt.Errorf("%s: not a whole wheel: %w: fetch it again", name, err)
	}
	defer z.Close()
	sums, err := readRecord(&z.Reader)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, f := range z.File {
		if !wanted(f.Name) {
			continue
		}
		if err := extract(f, folder, sums); err != nil {
			return fmt.Errorf("%s: %s: %w", name, f.Name, err)
		}
	}
	return nil
}

// UnpackedBytes is what Unpack will write.
func UnpackedBytes(wheel string) (int64, error) {
	z, err := zip.OpenReader(wheel)
	if err != nil {
		return 0, fmt.Errorf("%s: not a whole wheel: %w: fetch it again", filepath.Base(wheel), err)
	}
	defer z.Close()
	var n int64
	for _, f := range z.File {
		if wanted(f.Name) {
			n += int64(f.UncompressedSize64)
		}
	}
	return n, nil
}

// readRecord reads NAME.dist-info/RECORD: lines of name, sha256=SUM in unpadded URL-safe base64, and length.
func readRecord(z *zip.Reader) (map[string]string, error) {
	for _, f := range z.File {
		if ok, _ := path.Match("*.dist-info/RECORD", f.Name); !ok {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("RECORD: %w", err)
		}
		defer r.Close()
		text, err := io.ReadAll(io.LimitReader(r, 64<<20))
		if err != nil {
			return nil, fmt.Errorf("RECORD: %w", err)
		}
		rows := csv.NewReader(bytes.NewReader(text))
		rows.FieldsPerRecord = -1
		lines, err := rows.ReadAll()
		if err != nil {
			return nil, fmt.Errorf("RECORD: %w", err)
		}
		sums := map[string]string{f.Name: ""} // it cannot hold its own
		for _, l := range lines {
			if len(l) >= 2 {
				sums[l[0]] = l[1]
			}
		}
		return sums, nil
	}
	return nil, errors.New("not a wheel: it holds no RECORD")
}

func extract(f *zip.File, folder string, sums map[string]string) error {
	if !filepath.IsLocal(filepath.FromSlash(f.Name)) || strings.Contains(f.Name, `\`) {
		return errors.New("its name leads elsewhere")
	}
	if f.Mode()&fs.ModeType != 0 {
		return errors.New("not a plain file")
	}
	want, listed := sums[f.Name]
	if !listed {
		return errors.New("not in the wheel's list of files")
	}
	to := filepath.Join(folder, filepath.FromSlash(f.Name))
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	mode := fs.FileMode(0o666)
	if f.Mode()&0o111 != 0 || strings.Contains(f.Name, "/bin/") { // pip makes programs executable too
		mode = 0o777
	}
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	defer out.Close()
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(out, sum), r); err != nil {
		return err
	}
	// On the disk before the folder gets its name: after a power cut there is no installation of empty files.
	if err := errors.Join(out.Sync(), out.Close()); err != nil {
		return err
	}
	if got := "sha256=" + base64.RawURLEncoding.EncodeToString(sum.Sum(nil)); want != "" && got != want {
		return fmt.Errorf("its checksum is not the one in the wheel's list: fetch the wheel again")
	}
	return nil
}
