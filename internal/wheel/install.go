package wheel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Options of Install.
type Options struct {
	Pins []Pin
	To   string // folder that the installation goes into, made if need be
	Name string // of the installation: a folder in To

	From  string // folder of wheels, instead of an index
	Index Index
	Fetch Fetcher
	Cache string // where downloads are kept until all are unpacked

	Check    func(folder string) error // the last word on what was unpacked, may be nil
	Progress func(what string, done, total int64)
	Say      func(format string, a ...any)
}

// unfinished begins the names of folders that are being filled; whoever looks for installations passes over them.
const unfinished = ".installing-"

// Install fetches and unpacks wheels, all into one folder. Until all is there and checked, nothing is under that name, or
// what was there before. It returns the folder.
func Install(ctx context.Context, o Options) (folder string, err error) {
	if err := os.MkdirAll(o.To, 0o777); err != nil {
		return "", folderErrorf("folder for plugins: %w", err)
	}
	var wheels []string
	if o.From != "" {
		wheels, err = pick(o)
	} else {
		wheels, err = download(ctx, o)
	}
	if err != nil {
		return "", err
	}
	var needed int64
	for _, w := range wheels {
		n, err := UnpackedBytes(w)
		if err != nil {
			return "", err
		}
		needed += n
	}
	if free, ok := freeBytes(o.To); ok && free < needed+needed/50 {
		return "", folderErrorf("folder %s: %s free, and %s are needed: free some space", o.To, megabytes(free), megabytes(needed))
	}
	sweep(o.To)
	fresh, err := os.MkdirTemp(o.To, unfinished)
	if err != nil {
		return "", folderErrorf("folder for plugins: %w", err)
	}
	defer os.RemoveAll(fresh)
	if err := os.Chmod(fresh, 0o755); err != nil { // MkdirTemp's is for the user alone
		return "", fmt.Errorf("folder for plugins: %w", err)
	}
	for i, w := range wheels {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		o.Progress("unpacking", int64(i), int64(len(wheels)))
		if err := Unpack(w, fresh); err != nil {
			return "", fmt.Errorf("unpack: %w", err)
		}
	}
	o.Progress("unpacking", 1, 1)
	if o.Check != nil {
		if err := o.Check(fresh); err != nil {
			return "", err
		}
	}
	folder = filepath.Join(o.To, o.Name)
	if err := replace(fresh, folder); err != nil {
		return "", fmt.Errorf("folder for plugins: %w", err)
	}
	if o.From == "" {
		for _, w := range wheels {
			os.Remove(w) // unpacked they take no less room
		}
	}
	return folder, nil
}

func download(ctx context.Context, o Options) ([]string, error) {
	if err := os.MkdirAll(o.Cache, 0o777); err != nil {
		return nil, fmt.Errorf("folder for downloads: %w", err)
	}
	total := Total(o.Pins)
	var there int64
	for _, p := range o.Pins {
		there += max(length(filepath.Join(o.Cache, p.File)), length(filepath.Join(o.Cache, p.File+".part")))
	}
	if free, ok := freeBytes(o.Cache); ok && free < total-there {
		return nil, fmt.Errorf("folder %s: %s free, and %s are to be downloaded: free some space, or set XDG_CACHE_HOME to a folder on another disk",
			o.Cache, megabytes(free), megabytes(total-there))
	}
	var wheels []string
	var done int64
	for _, p := range o.Pins {
		address, err := o.Index.Find(ctx, p)
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, err
		}
		path, err := o.Fetch.Fetch(ctx, address, p, o.Cache, func(n int64) { o.Progress(p.String(), done+n, total) })
		if err != nil {
			return nil, err
		}
		done += p.Bytes
		o.Say("%s: %s", p, megabytes(p.Bytes))
		wheels = append(wheels, path)
	}
	return wheels, nil
}

// pick takes the wheels out of a folder: the pinned ones, or else other versions of them, with a warning.
func pick(o Options) ([]string, error) {
	entries, err := os.ReadDir(o.From)
	if err != nil {
		return nil, fmt.Errorf("folder of wheels: %w", err)
	}
	var wheels []string
	var missing []Pin
	for _, p := range o.Pins {
		var others []string
		found := ""
		for _, e := range entries {
			name := e.Name()
			switch {
			case name == p.File:
				found = name
			case strings.HasPrefix(strings.ToLower(name), p.stem()) && strings.HasSuffix(name, "x86_64.whl") && strings.Contains(name, "manylinux"):
				others = append(others, name)
			}
		}
		switch {
		case found != "":
			path := filepath.Join(o.From, found)
			if err := fileMatches(path, p); err != nil {
				return nil, fmt.Errorf("wheel %s: %w: the file is damaged, fetch it again", path, err)
			}
			wheels = append(wheels, path)
		case len(others) > 0:
			slices.Sort(others)
			name := others[len(others)-1]
			o.Say("warning: %s is not the version that was tried (%s)", name, p.Version)
			wheels = append(wheels, filepath.Join(o.From, name))
		default:
			missing = append(missing, p)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("folder of wheels %s: %d of %d wheels are missing; on a machine with a network:\n\n   %s\n\nthen copy the folder here", o.From, len(missing), len(o.Pins), PipDownload(missing))
	}
	return wheels, nil
}

// replace puts folder fresh in the place of folder; what was there goes. Where the file system can exchange two names, one of the two
// is there at any moment; elsewhere the old one is back under its name unless the program is killed between two renames.
func replace(fresh, folder string) error {
	switch _, err := os.Lstat(folder); {
	case errors.Is(err, fs.ErrNotExist):
		return os.Rename(fresh, folder)
	case err != nil:
		return err
	}
	if exchange(fresh, folder) == nil {
		return nil // the caller removes fresh, which is the old one now
	}
	parent, err := os.MkdirTemp(filepath.Dir(folder), unfinished)
	if err != nil {
		return err
	}
	defer os.RemoveAll(parent)
	old := filepath.Join(parent, "old")
	if err := os.Rename(folder, old); err != nil {
		return err
	}
	if err := os.Rename(fresh, folder); err != nil {
		return errors.Join(err, os.Rename(old, folder))
	}
	return nil
}

// sweep removes what installations left that were killed long ago.
func sweep(folder string) {
	left, _ := filepath.Glob(filepath.Join(folder, unfinished+"*"))
	for _, l := range left {
		if info, err := os.Stat(l); err == nil && time.Since(info.ModTime()) > 24*time.Hour {
			os.RemoveAll(l)
		}
	}
}

func megabytes(n int64) string { return fmt.Sprintf("%.0f MB", float64(n)/1e6) }
