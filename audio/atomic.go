package audio

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
)

// WriteAtomic writes a file so that path holds either what it held before or all of the new content, never a part:
// write fills a file with a temporary name in the same folder, which is flushed to the disk and then renamed. When
// anything fails, including a panic in write, the temporary file is removed. An existing file keeps its permissions,
// and a symbolic link keeps pointing where it does. Devices and named pipes cannot be replaced; they are written to
// directly. The writer handed to write is buffered, and an io.Seeker unless it is one of those. Errors begin with the path.
func WriteAtomic(path string, write func(io.Writer) error) error {
	if err := writeAtomic(path, write); err != nil {
		return fmt.Errorf("%s: %w", path, pathCause(err))
	}
	return nil
}

func writeAtomic(path string, write func(io.Writer) error) error {
	t, err := findTarget(path)
	if err != nil {
		return err
	}
	if t.device {
		return writeThrough(path, write)
	}
	return t.replace(".tmp", func(f *os.File) error {
		bw := seekingWriter{bufio.NewWriterSize(f, 1<<16), f}
		if err := write(bw); err != nil {
			return err
		}
		return bw.Flush()
	})
}

// target is a file that is to be written.
type target struct {
	path   string // links followed
	mode   fs.FileMode
	exists bool
	device bool // or a pipe, which cannot be replaced
}

func findTarget(path string) (t target, err error) {
	t = target{path: path, mode: 0o666}
	info, err := os.Stat(path)
	if err != nil {
		return t, nil // creating it says what is wrong
	}
	if info.IsDir() {
		return t, errors.New("is a folder: give the name of a file")
	}
	if t.device = !info.Mode().IsRegular(); t.device {
		return t, nil
	}
	t.mode, t.exists = info.Mode().Perm(), true
	t.path, err = filepath.EvalSymlinks(path)
	return t, err
}

// replace has fill make a file whose temporary name ends as given, and renames it.
func (t target) replace(ending string, fill func(f *os.File) error) error {
	f, err := createTemp(filepath.Dir(t.path), ending, t.mode)
	if err != nil {
		return fmt.Errorf("cannot write into its folder: %w", pathCause(err))
	}
	done := false
	defer func() {
		if !done {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if t.exists { // the umask may have taken bits that the old file had
		if err := f.Chmod(t.mode); err != nil {
			return err
		}
	}
	if err := fill(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), t.path); err != nil {
		return err
	}
	done = true
	syncFolder(filepath.Dir(t.path))
	return nil
}

// seekingWriter is a buffered file.
type seekingWriter struct {
	*bufio.Writer
	f *os.File
}

func (w seekingWriter) Seek(offset int64, whence int) (int64, error) {
	if err := w.Flush(); err != nil {
		return 0, err
	}
	return w.f.Seek(offset, whence)
}

// createTemp makes a new file whose name does not depend on the target's, which may be as long as names can be.
// Unlike os.CreateTemp it leaves the permissions to mode and the umask.
func createTemp(dir, ending string, mode fs.FileMode) (*os.File, error) {
	for try := 0; ; try++ {
		name := filepath.Join(dir, ".vc-"+strconv.FormatUint(rand.Uint64(), 36)+ending)
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode|0o200)
		if err == nil || !errors.Is(err, fs.ErrExist) || try == 100 {
			return f, err
		}
	}
}

func writeThrough(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	bw := bufio.NewWriterSize(f, 1<<16)
	err = write(bw)
	if err == nil {
		err = bw.Flush()
	}
	return errors.Join(err, f.Close())
}

// syncFolder makes the rename last through a power cut. Where folders cannot be synced the rename is as safe as the
// system makes it.
func syncFolder(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}

// pathCause takes the names of temporary files and system calls off an error: the caller names the file.
func pathCause(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	var linkErr *os.LinkError
	if errors.As(err, &linkErr) {
		return linkErr.Err
	}
	return err
}
