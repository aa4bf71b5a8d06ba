package batch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Entry is a line of a manifest: one finished result.
type Entry struct {
	Source, Target string  // the recording, and its result inside the output folder, parted by slashes
	Settings       string  // all that the result depends on beside the recording
	Seconds        float64 // of sound
	Sum, SourceSum string  // SHA-256 of the result and of the recording, in hexadecimal digits
	MadeBy         string  // version of the program
}

// Header is the first line of a manifest, the names of the columns.
const Header = "source\ttarget\tsettings\tseconds\tsha256\tsource_sha256\tmade_by"

// Line is the entry as a manifest has it, without the new line.
func (e Entry) Line() string {
	return strings.Join([]string{e.Source, e.Target, e.Settings, strconv.FormatFloat(e.Seconds, 'f', 3, 64), e.Sum, e.SourceSum, e.MadeBy}, "\t")
}

// parseLine reads a line. A line that a kill or a full disk has cut short, or that two hosts have written over each other, is none.
func parseLine(line string) (Entry, bool) {
	f := strings.Split(line, "\t")
	if len(f) != strings.Count(Header, "\t")+1 || len(f[4]) != 2*sha256.Size || len(f[5]) != 2*sha256.Size {
		return Entry{}, false
	}
	seconds, err := strconv.ParseFloat(f[3], 64)
	if err != nil {
		return Entry{}, false
	}
	return Entry{f[0], f[1], f[2], seconds, f[4], f[5], f[6]}, true
}

// Books are the manifests of an output folder. They may be used by several goroutines.
type Books struct {
	dir string

	mutex   sync.Mutex
	entries map[string][]Entry // by target
	own     *os.File           // nil where nothing is written
	read    int64              // bytes of own, up to the end of a line
}

// manifestPattern is that of all shards.
const manifestPattern = "manifest-*-of-*.tsv"

// Open reads the manifests of all shards in the output folder dir, which need not be there.
func Open(dir string) (*Books, error) {
	b := &Books{dir: dir, entries: map[string][]Entry{}}
	names, err := fs.Glob(os.DirFS(dir), manifestPattern) // the folder's name may hold what means something in patterns
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		b.take(data)
	}
	return b, nil
}

// ManifestName is that of a shard's manifest in the output folder.
func ManifestName(s Shard) string {
	digits := len(strconv.Itoa(s.Count))
	return fmt.Sprintf("manifest-%0*d-of-%d.tsv", digits, s.Index+1, s.Count)
}

// Write opens the manifest of a shard for [Books.Add].
func (b *Books) Write(s Shard) error {
	f, err := os.OpenFile(filepath.Join(b.dir, ManifestName(s)), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	b.own = f
	return nil
}

// Close closes the shard's manifest.
func (b *Books) Close() error {
	if b.own == nil {
		return nil
	}
	return b.own.Close()
}

// take takes the whole lines in data and returns how many bytes these have.
func (b *Books) take(data []byte) int {
	n := bytes.LastIndexByte(data, '\n') + 1
	for line := range strings.Lines(string(data[:n])) {
		if e, ok := parseLine(strings.TrimSuffix(line, "\n")); ok && !slices.Contains(b.entries[e.Target], e) {
			b.entries[e.Target] = append(b.entries[e.Target], e)
		}
	}
	return n
}

// refresh takes what another worker on this shard has added.
func (b *Books) refresh() error {
	if b.own == nil {
		return nil
	}
	info, err := b.own.Stat()
	if err != nil || info.Size() <= b.read {
		return err
	}
	data := make([]byte, info.Size()-b.read)
	n, err := b.own.ReadAt(data, b.read)
	if err != nil && err != io.EOF {
		return err
	}
	b.read += int64(b.take(data[:n]))
	return nil
}

// Add adds a line to the shard's manifest, in one write, so that lines of several workers do not mix.
func (b *Books) Add(e Entry) error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	line := e.Line() + "\n"
	switch info, err := b.own.Stat(); {
	case err != nil:
		return err
	case info.Size() == 0:
		line = Header + "\n" + line
	default:
		last := make([]byte, 1)
		if _, err := b.own.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
			line = "\n" + line // whoever wrote before was cut short
		}
	}
	if _, err := b.own.WriteString(line); err != nil {
		return err
	}
	return b.own.Sync()
}

// State is what became of an item.
type State string

// States of items.
const (
	Whole    State = "whole"    // it is as its manifest says
	Missing  State = "missing"  // there is no result, or no manifest has it
	Broken   State = "broken"   // the result is not what was written
	Outdated State = "outdated" // the recording is another one now, or other settings are asked for
)

// Judge says what became of a target, given the settings and the recording that it should be made of, and gives the entry of a whole one.
// It reads both files. A recording that cannot be read is an error.
func (b *Books) Judge(ctx context.Context, source, target, settings string) (State, Entry, error) {
	b.mutex.Lock()
	err := b.refresh()
	entries := b.entries[filepath.ToSlash(target)]
	b.mutex.Unlock()
	if err != nil || len(entries) == 0 {
		return Missing, Entry{}, err
	}
	sum, err := Checksum(ctx, filepath.Join(b.dir, target))
	if errors.Is(err, fs.ErrNotExist) {
		return Missing, Entry{}, nil
	}
	if err != nil {
		return "", Entry{}, err
	}
	state := Broken
	for _, e := range entries {
		if e.Sum != sum {
			continue
		}
		if state = Outdated; e.Settings != settings {
			continue
		}
		now, err := Checksum(ctx, source)
		if err != nil {
			return "", Entry{}, err
		}
		if e.SourceSum == now {
			return Whole, e, nil
		}
	}
	return state, Entry{}, nil
}

// Knows reports whether a manifest has the target.
func (b *Books) Knows(target string) bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return len(b.entries[filepath.ToSlash(target)]) > 0
}

// Checksum is the SHA-256 of a file in hexadecimal digits.
func Checksum(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return ChecksumOf(ctx, f)
}

// ChecksumOf is that of all that r gives.
func ChecksumOf(ctx context.Context, r io.Reader) (string, error) {
	h := sha256.New()
	block := make([]byte, 1<<18)
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := r.Read(block)
		h.Write(block[:n])
		if err == io.EOF {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
}
