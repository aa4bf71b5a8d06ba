package corpus

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
)

// cacheVersion changes whenever the layout of a cache file or the lint changes. Changes to the features need no new
// version: the probe notices them.
const cacheVersion = 1

// entry is what the cache keeps of a recording: its features before trimming, bit for bit, and what the lint found.
type entry struct {
	Seconds  float64
	Problems []Problem // without paths
	Frames   features.Frames
}

// cache keeps entries in a folder, one file each. The name is a hash of the recording's content, the feature
// configuration, the cache's version, and of the features of a fixed test signal, so that neither a change to the
// extractor's code nor another processor's rounding lets old values into a run that must be bit-exact.
//
// A nil cache holds nothing.
type cache struct {
	dir    string
	config [sha256.Size]byte

	mu   sync.Mutex
	fail error // why nothing can be written; the first reason
}

// newCache makes the folder where needed.
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
	c := &cache{dir: dir}
	h.Sum(c.config[:0])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		c.fail = err
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
func probeHash(cfg features.Config) ([sha256.Size]byte, error) {
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
	f, err := features.Extract(cfg, audio.Resample(x, rate, cfg.SampleRate))
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return frameHash(f), nil
}

// frameHash is a hash of all values, bit for bit.
func frameHash(f features.Frames) [sha256.Size]byte {
	h := sha256.New()
	var buf []byte
	for _, part := range [][]float32{f.LogMel, f.F0, f.LogEnergy} {
		buf = binary.LittleEndian.AppendUint64(buf[:0], uint64(len(part)))
		buf = appendFloats(buf, part)
		h.Write(buf)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func (c *cache) key(content [sha256.Size]byte) [sha256.Size]byte {
	return sha256.Sum256(append(append([]byte{}, c.config[:]...), content[:]...))
}

func (c *cache) path(key [sha256.Size]byte) string {
	return filepath.Join(c.dir, hex.EncodeToString(key[:16])+".features")
}

// get returns the entry for a recording of that content. A missing, old or damaged file is simply not there.
func (c *cache) get(content [sha256.Size]byte, nMels int) (entry, bool) {
	if c == nil {
		return entry{}, false
	}
	key := c.key(content)
	data, err := os.ReadFile(c.path(key))
	if err != nil {
		return entry{}, false
	}
	e, err := decodeEntry(data, key, nMels)
	return e, err == nil
}

// put writes an entry. After the first failure it does nothing more; failure says why.
func (c *cache) put(content [sha256.Size]byte, e entry) {
	if c == nil || c.failure() != nil {
		return
	}
	key := c.key(content)
	data := encodeEntry(e, key)
	err := audio.WriteAtomic(c.path(key), func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.fail == nil {
			c.fail = err
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

// A cache file, all numbers little-endian: 8 bytes magic, 32 bytes key, uint32 frames, uint32 mels, uint32 length of
// the JSON, the JSON, float32 log-mel, F0 and log-energy, uint32 CRC-32C of all that precedes.
const cacheMagic = "vcfeat\x00\x01"

const cacheHeaderBytes = len(cacheMagic) + sha256.Size + 3*4

// entryMeta is the JSON part of a cache file.
type entryMeta struct {
	Seconds  float64   `json:"seconds"`
	Problems []Problem `json:"problems,omitempty"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func encodeEntry(e entry, key [sha256.Size]byte) []byte {
	meta, err := json.Marshal(entryMeta{e.Seconds, e.Problems})
	if err != nil {
		panic(fmt.Sprintf("corpus: cache entry: %v", err)) // numbers are finite, strings valid
	}
	n := e.Frames.Len()
	b := make([]byte, 0, cacheHeaderBytes+len(meta)+4*n*(e.Frames.NMels+2)+4)
	b = append(b, cacheMagic...)
	b = append(b, key[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(n))
	b = binary.LittleEndian.AppendUint32(b, uint32(e.Frames.NMels))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(meta)))
	b = append(b, meta...)
	b = appendFloats(b, e.Frames.LogMel)
	b = appendFloats(b, e.Frames.F0)
	return sealed(appendFloats(b, e.Frames.LogEnergy))
}

// sealed appends the checksum.
func sealed(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

var errCacheEntry = errors.New("damaged or foreign cache file")

func decodeEntry(b []byte, key [sha256.Size]byte, nMels int) (entry, error) {
	if len(b) < cacheHeaderBytes+4 || string(b[:len(cacheMagic)]) != cacheMagic {
		return entry{}, errCacheEntry
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum || !bytes.Equal(b[len(cacheMagic):len(cacheMagic)+sha256.Size], key[:]) {
		return entry{}, errCacheEntry
	}
	counts := body[cacheHeaderBytes-12:]
	frames, mels := uint64(binary.LittleEndian.Uint32(counts)), uint64(binary.LittleEndian.Uint32(counts[4:]))
	metaBytes := uint64(binary.LittleEndian.Uint32(counts[8:]))
	rest := body[cacheHeaderBytes:]
	if mels != uint64(nMels) || metaBytes > uint64(len(rest)) || uint64(len(rest))-metaBytes != 4*frames*(mels+2) {
		return entry{}, errCacheEntry
	}
	var meta entryMeta
	if err := json.Unmarshal(rest[:metaBytes], &meta); err != nil {
		return entry{}, errCacheEntry
	}
	rest = rest[metaBytes:]
	e := entry{Seconds: meta.Seconds, Problems: meta.Problems, Frames: features.Frames{NMels: nMels}}
	e.Frames.LogMel, rest = takeFloats(rest, int(frames*mels))
	e.Frames.F0, rest = takeFloats(rest, int(frames))
	e.Frames.LogEnergy, _ = takeFloats(rest, int(frames))
	return e, nil
}

func appendFloats(b []byte, x []float32) []byte {
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func takeFloats(b []byte, n int) ([]float32, []byte) {
	x := make([]float32, n)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return x, b[4*n:]
}
