package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// withOutput runs a training that writes to path, which may be empty. Hours of work must not end at a file that cannot be written,
// so this is found out first, and missing folders are made. If nothing came of the training they go again.
func withOutput(path string, train func() error) error {
	made, err := makeFolders(path)
	if err == nil {
		if err = checkOutput(path); err == nil {
			err = train()
		}
	}
	for _, dir := range made {
		if os.Remove(dir) != nil { // something is in it
			break
		}
	}
	return err
}

func checkOutput(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("output %s is a folder: name a file with -o", path)
	}
	if err := checkWritable(path, false); err != nil {
		return fmt.Errorf("output %w: name another place with -o", err)
	}
	return nil
}

// makeFolders makes what is missing of the folders above a file, and says which they are, innermost first.
func makeFolders(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	var missing []string
	for dir := filepath.Dir(path); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); err == nil {
			break
		}
		missing = append(missing, dir)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return missing, fmt.Errorf("output %s: cannot make its folder: %w: name another place with -o", path, plainCause(err))
	}
	return missing, nil
}
