// Package atomicfile replaces files whole. A program can be killed and a disk can be full at any moment; whoever opens the
// file afterwards finds what it held before or all of the new content, never a part, and no rubbish lies beside it.
//
// The content goes to a file with a temporary name in the same folder, which is flushed to the disk and then renamed.
// An existing file keeps its permissions, and a symbolic link keeps pointing where it does.
package atomicfile

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

// Leftovers is the pattern of the temporary names that [Write] uses. A file of such a name stays only where a program
// was killed or the power failed.
const Leftovers = prefix + "*" + ending

const (
	prefix = ".vc-"
	ending = ".tmp"
)

// Write has write make the content of the file at path. When anything fails, including a panic in write, the file stays
// as it was. Devices and named pipes cannot be replaced; they are written to directly. The writer handed to write is
// buffered, and an [io.Seeker] unless it is one of those. Errors begin with the path.
func Write(path string, write func(io.Writer) error) error {
	t, err := findTarget(path)
	return t.write(path, err, write)
}

// WriteMode is [Write] of a file that has that mode, whatever an existing one had and the umask says. At no moment others can read what
// mode keeps from them.
func WriteMode(path string, mode fs.FileMode, write func(io.Writer) error) error {
	t, err := findTarget(path)
	t.mode, t.exact = mode, true
	return t.write(path, err, write)
}

// write writes the file at path, whose target was found with err.
func (t target) write(path string, err error, write func(io.Writer) error) error {
	switch {
	case err != nil:
	case t.device:
		err = writeThrough(path, write)
	default:
		err = t.replace(ending, func(f *os.File) error {
			bw := seekingWriter{bufio.NewWriterSize(f, 1<<16), f}
			if err := write(bw); err != nil {
				return err
			}
			return bw.Flush()
		})
	}
	return named(path, err)
}

// WriteIn is [Write] of text to a file inside a root, which links do not lead out of. A new file and a replaced one have mode.
// Several programs may write one file at the same time: it then holds what one of them wrote.
func WriteIn(root *os.Root, name string, text []byte, mode fs.FileMode) error {
	return named(name, writeIn(root, name, text, mode))
}

func writeIn(root *os.Root, name string, text []byte, mode fs.FileMode) error {
	f, temp, err := createTemp(filepath.Dir(name), ending, mode, root.OpenFile)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = root.Rename(temp, name)
	}
	if err != nil {
		root.Remove(temp)
	}
	return err
}

// Replace is [Write] for other programs, which are told the name of the file to fill: that of f, which ends as given.
// They may write to f or open it by its name. Devices and named pipes are refused.
func Replace(path, ending string, fill func(f *os.File) error) error {
	t, err := findTarget(path)
	switch {
	case err != nil:
	case t.device:
		err = errors.New("is a device or a pipe: give the name of a file")
	default:
		err = t.replace(ending, fill)
	}
	return named(path, err)
}

func named(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", path, cause(err))
}

// target is a file that is to be written.
type target struct {
	path   string // links followed
	mode   fs.FileMode
	exact  bool // the umask must not take bits of mode
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
	t.mode, t.exact = info.Mode().Perm(), true // which the umask may forbid to new files
	t.path, err = filepath.EvalSymlinks(path)
	return t, err
}

// replace has fill make a file whose temporary name ends as given, and renames it.
func (t target) replace(ending string, fill func(f *os.File) error) error {
	f, _, err := createTemp(filepath.Dir(t.path), ending, t.mode, os.OpenFile)
	if err != nil {
		return fmt.Errorf("cannot write into its folder: %w", cause(err))
	}
	done := false
	defer func() {
		if !done {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if t.exact {
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
// Unlike os.CreateTemp it leaves the permissions to mode and the umask. Open is [os.OpenFile] or that of a root.
func createTemp(dir, ending string, mode fs.FileMode, open func(string, int, fs.FileMode) (*os.File, error)) (f *os.File, name string, err error) {
	for try := 0; ; try++ {
		name = filepath.Join(dir, prefix+strconv.FormatUint(rand.Uint64(), 36)+ending)
		f, err = open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode|0o200)
		if err == nil || !errors.Is(err, fs.ErrExist) || try == 100 {
			return f, name, err
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

// cause takes the names of temporary files and system calls off an error: the caller names the file.
func cause(err error) error {
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
