package corpus

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/atomicfile"
)

// cacheVersion changes whenever the layout of a shard or the lint or the trimming changes. Changes to the features
// that its signal does not show change it too: 3 levels the recordings, 4 measures their quality.
const cacheVersion = 4

const (
	shardBytes   = 64 << 20            // of features, before a shard is written: half an hour of speech
	shardIdle    = 60 * 24 * time.Hour // a shard that no program used for so long is removed
	leftoverAge  = 24 * time.Hour      // temporary files of programs that were killed
	stampMinAge  = 2 * time.Second     // a younger file may change again within the clock's tick
	oldExtension = ".features"         // a file per recording, as version 1 kept them
)

// cache keeps what reading a recording gives, in shards in a folder. A shard belongs to a key: a hash of the feature
// configuration, the cache's version, and of the features of a fixed test signal, so that neither a change to the
// extractor's code nor another processor's rounding lets old values into a run that must be bit-exact. A recording is
// known by its content, and without reading it by its stamp.
//
// New entries stay in memory until they fill a shard, or until flush. Several programs may use a folder: each writes
// shards of its own, and at worst both keep the same.
//
// A nil cache holds nothing.
type cache struct {
	dir   string
	key   digest
	mels  int
	limit int // bytes of features before a shard is written

	shards    []*shard // as found at the start
	byContent map[digest]place
	byStamp   map[stamp]place

	mu      sync.Mutex
	pending []newEntry
	bytes   int   // of features in pending
	fail    error // why nothing can be written; the first reason
}

// place is where an entry is: a shard, and the index of its record.
type place struct {
	shard *shard
	index int
}

// newEntry is an entry that is in no shard yet, and what uses it.
type newEntry struct {
	entry
	moved func(features.Frames) // told where the same frames lie in the shard
}

// stamp tells whether a file is what it was, as well as make and rsync can tell.
type stamp struct {
	Path     string `json:"path"` // absolute, without symbolic links
	Bytes    int64  `json:"bytes"`
	Modified int64  `json:"modified"` // Unix time in ns
}

// stampOf is the stamp of an open file, zero where there can be none.
func stampOf(file *os.File) stamp {
	info, err := file.Stat()
	if err != nil || time.Since(info.ModTime()) < stampMinAge {
		return stamp{}
	}
	path, err := filepath.Abs(file.Name())
	if err != nil {
		return stamp{}
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return stamp{}
	}
	return stamp{path, info.Size(), info.ModTime().UnixNano()}
}

// newCache makes the folder where needed and reads the indices of the shards in it. A damaged or foreign shard is simply
// not there.
func newCache(dir string, cfg features.Config) (*cache, error) {
	if dir == "" {
		return nil, nil
	}
	probe, err := probeHash(cfg)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	fmt.Fprintf(h, "vc features, cache version %d\n", cacheVersion)
	h.Write(configJSON(cfg))
	h.Write(probe[:])
	c := &cache{dir: dir, key: digest(h.Sum(nil)), mels: cfg.NMels, limit: shardBytes, byContent: map[digest]place{}, byStamp: map[stamp]place{}}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		c.fail = err
	}
	names, err := os.ReadDir(dir)
	if err != nil && c.fail == nil {
		c.fail = err
	}
	for _, n := range names { // in order of their names, so that of two shards with the same the same one is always used
		if !strings.HasPrefix(n.Name(), shardPrefix(c.key)) || filepath.Ext(n.Name()) != shardExtension {
			continue
		}
		s, err := openShard(filepath.Join(dir, n.Name()), c.key, c.mels)
		if err != nil {
			continue
		}
		c.shards = append(c.shards, s)
		for i, r := range s.records {
			if _, ok := c.byContent[r.Content]; !ok {
				c.byContent[r.Content] = place{s, i}
			}
			if _, ok := c.byStamp[r.Stamp]; !ok && r.Stamp != (stamp{}) {
				c.byStamp[r.Stamp] = place{s, i}
			}
		}
	}
	return c, nil
}

// configJSON is the configuration in one fixed form.
func configJSON(cfg features.Config) []byte {
	b, err := json.Marshal(cfg)
	if err != nil { // a NaN field, which Validate refuses
		panic(fmt.Sprintf("corpus: feature configuration: %v", err))
	}
	return b
}

// probeHash is a hash of the features of a fixed signal: a gliding pulse train, then noise, resampled on the way.
func probeHash(cfg features.Config) (digest, error) {
	const rate = 44100
	x := make([]float32, rate/2)
	phase, state := 0.0, uint32(1)
	for i := range x {
		phase += (100 + 200*float64(i)/float64(len(x))) / rate
		state = state*1664525 + 1013904223
		noise := float64(state>>8)/(1<<24) - 0.5
		if i < len(x)*2/3 {
			for k := 1; k <= 20; k++ {
				x[i] += float32(0.2 / float64(k) * math.Sin(2*math.Pi*phase*float64(k)))
			}
			noise *= 0.01
		}
		x[i] += float32(0.3 * noise)
	}
	recording, err := features.Analyze(cfg, audio.Clip{Samples: x, Rate: rate})
	if err != nil {
		return digest{}, err
	}
	return frameHash(recording.Frames), nil
}

// known finds a recording by its stamp.
func (c *cache) known(st stamp) (entry, bool) {
	if c == nil || st == (stamp{}) {
		return entry{}, false
	}
	return c.get(c.byStamp[st])
}

// find finds a recording by its content.
func (c *cache) find(content digest) (entry, bool) {
	if c == nil {
		return entry{}, false
	}
	return c.get(c.byContent[content])
}

func (c *cache) get(p place) (entry, bool) {
	if p.shard == nil {
		return entry{}, false
	}
	e, err := p.shard.entry(p.index)
	return e, err == nil
}

// put keeps an entry, whose frames it reads until it calls moved, once and perhaps from another goroutine, or until flush
// returns. After the first failure it does nothing more; failure says why.
func (c *cache) put(e entry, moved func(features.Frames)) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return
	}
	c.pending = append(c.pending, newEntry{e, moved})
	c.bytes += 4 * e.frames.Len() * (c.mels + 2)
	if c.bytes >= c.limit {
		c.write()
	}
}

// flush writes what is left. All that was put is on the disk then, or failure says why not.
func (c *cache) flush() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write()
}

// write makes a shard of all pending entries, in an order that does not depend on who was faster. c.mu is held.
func (c *cache) write() {
	all := c.pending
	c.pending, c.bytes = nil, 0
	if len(all) == 0 || c.fail != nil {
		return
	}
	slices.SortStableFunc(all, func(a, b newEntry) int {
		if d := bytes.Compare(a.Content[:], b.Content[:]); d != 0 {
			return d
		}
		return strings.Compare(a.Stamp.Path, b.Stamp.Path)
	})
	entries := make([]entry, len(all))
	for i, n := range all {
		entries[i] = n.entry
	}
	s, err := writeShard(c.dir, c.key, c.mels, entries)
	if err != nil {
		c.fail = err
		return
	}
	for i, n := range all {
		if e, err := s.entry(i); err == nil {
			n.moved(e.frames)
		}
	}
}

func (c *cache) failure() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fail
}

// tidy notes that the shards that were read are in use, and removes those that no program used for a long time, whatever
// their key, with what older versions and killed programs left. What cannot be removed waits for the next time; a program
// that uses a shard keeps it to its end, removed or not.
func (c *cache) tidy(now time.Time) {
	if c == nil {
		return
	}
	for _, s := range c.shards {
		if s.frames.NMels != 0 { // frames of it were asked for
			os.Chtimes(s.path, now, now)
		}
	}
	names, err := os.ReadDir(c.dir)
	if err != nil {
		return
	}
	for _, n := range names {
		age := shardIdle
		switch leftover, _ := filepath.Match(atomicfile.Leftovers, n.Name()); {
		case leftover:
			age = leftoverAge
		case filepath.Ext(n.Name()) != shardExtension && filepath.Ext(n.Name()) != oldExtension:
			continue
		}
		if info, err := n.Info(); err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > age {
			os.Remove(filepath.Join(c.dir, n.Name()))
		}
	}
}

func appendFloats(b []byte, x []float32) []byte {
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}
