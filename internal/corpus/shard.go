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
	"path/filepath"
	"sync"
	"unsafe"

	"github.com/edsrzf/mmap-go"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/atomicfile"
)

// A shard holds the features of many recordings before trimming, bit for bit, so laid out that the float32 of a file that
// is mapped into memory are used where they lie:
//
//	64 bytes header: magic, uint32 byte order, uint32 mels, the key, uint64 frames, uint32 bytes of the index,
//	         uint32 CRC-32C of the header before it and of the index
//	float32  log-mel of all frames, then F0 of all, then log-energy of all
//	JSON     the index: a record per recording
//
// Numbers are in the machine's own byte order: a shard from another kind of machine is no shard here. A file never changes
// after it has its name.
const (
	shardMagic       = "vcshard\x01"
	shardOrder       = uint32(0x01020304)
	shardHeaderBytes = 64
	shardExtension   = ".shard"
	maxIndexBytes    = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// digest is a SHA-256.
type digest [sha256.Size]byte

// MarshalText writes the digest in hexadecimal.
func (d digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *digest) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(d)) {
		return errShard
	}
	_, err := hex.Decode(d[:], text)
	return err
}

// record is what is known of a recording besides its features, and where in its shard they are.
type record struct {
	Content  digest    `json:"content"`  // SHA-256 of the recording's file
	Stamp    stamp     `json:"stamp"`    // zero when the file was too young for it
	Problems []Problem `json:"problems"` // without paths
	First    int       `json:"first"`    // frame of the shard
	Whole    stretch   `json:"whole"`    // all frames
	Trimmed  stretch   `json:"trimmed"`  // without long silences at the ends
	Quality  Quality   `json:"quality"`
}

// stretch is a range of a recording's frames, and what one would else have to read them for at every start.
type stretch struct {
	From  int     `json:"from"`
	To    int     `json:"to"`
	Sum   digest  `json:"sum"`   // frameHash
	Limit float32 `json:"limit"` // activeLimit
}

func measure(f features.Frames, from, to int) stretch {
	part := f.Slice(from, to)
	return stretch{from, to, frameHash(part), activeLimit(part)}
}

// entry is a record and the features, of all frames of the recording.
type entry struct {
	record
	frames features.Frames
}

// shard is a file whose header and index were found good. Its frames come into memory when they are first asked for, and
// stay as long as the program runs, since nobody knows when the last slice of them is let go.
type shard struct {
	path    string
	mels    int
	count   int // frames
	bytes   int64
	records []record

	load    sync.Once
	frames  features.Frames
	loadErr error
}

var errShard = errors.New("damaged or foreign file of features")

// openShard reads header and index, not the features.
func openShard(path string, key digest, mels int) (*shard, error) {
	file, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return readShard(file, path, info.Size(), key, mels)
}

func readShard(file io.ReaderAt, path string, length int64, key digest, mels int) (*shard, error) {
	var header [shardHeaderBytes]byte
	if _, err := file.ReadAt(header[:], 0); err != nil {
		return nil, err
	}
	if !bytes.Equal(header[:48], shardHeader(key, mels, 0, nil)[:48]) {
		return nil, errShard
	}
	frames, indexBytes := binary.NativeEndian.Uint64(header[48:]), int64(binary.NativeEndian.Uint32(header[56:]))
	at := length - indexBytes
	if indexBytes > maxIndexBytes || at < shardHeaderBytes || frames > uint64(length) || at != shardHeaderBytes+4*int64(frames)*int64(mels+2) {
		return nil, errShard
	}
	index := make([]byte, indexBytes)
	if _, err := file.ReadAt(index, at); err != nil {
		return nil, err
	}
	if !bytes.Equal(header[:], shardHeader(key, mels, int(frames), index)) {
		return nil, errShard
	}
	s := &shard{path: path, mels: mels, count: int(frames), bytes: length}
	if err := json.Unmarshal(index, &s.records); err != nil {
		return nil, errShard
	}
	for _, r := range s.records {
		n := r.Whole.To
		if r.Whole.From != 0 || r.First < 0 || n < 0 || r.First > s.count-n || r.Trimmed.From < 0 || r.Trimmed.From > r.Trimmed.To || r.Trimmed.To > n {
			return nil, errShard
		}
	}
	return s, nil
}

func shardHeader(key digest, mels, frames int, index []byte) []byte {
	b := append(make([]byte, 0, shardHeaderBytes), shardMagic...)
	b = binary.NativeEndian.AppendUint32(b, shardOrder)
	b = binary.NativeEndian.AppendUint32(b, uint32(mels))
	b = append(b, key[:]...)
	b = binary.NativeEndian.AppendUint64(b, uint64(frames))
	b = binary.NativeEndian.AppendUint32(b, uint32(len(index)))
	sum := crc32.Update(crc32.Checksum(b, castagnoli), castagnoli, index)
	return binary.NativeEndian.AppendUint32(b, sum)
}

// entry is record i with its frames. It fails when the file has gone since it was opened.
func (s *shard) entry(i int) (entry, error) {
	s.load.Do(func() { s.loadErr = s.readFrames() })
	if s.loadErr != nil {
		return entry{}, s.loadErr
	}
	r := s.records[i]
	return entry{r, s.frames.Slice(r.First, r.First+r.Whole.To)}, nil
}

// readFrames maps the file or, on systems that cannot, reads it.
func (s *shard) readFrames() error {
	file, err := openRegular(s.path)
	if err != nil {
		return err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || info.Size() != s.bytes {
		return errors.Join(errShard, err) // beyond its end a mapping kills the program
	}
	data, err := mmap.Map(file, mmap.RDONLY, 0)
	if err != nil {
		words := make([]uint64, (s.bytes+7)/8) // for the alignment
		data = unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), s.bytes)
		if _, err := io.ReadFull(file, data); err != nil {
			return err
		}
	}
	floats := unsafe.Slice((*float32)(unsafe.Pointer(&data[shardHeaderBytes])), s.count*(s.mels+2))
	s.frames.NMels = s.mels
	s.frames.LogMel, floats = floats[:s.count*s.mels:s.count*s.mels], floats[s.count*s.mels:]
	s.frames.F0, s.frames.LogEnergy = floats[:s.count:s.count], floats[s.count:]
	return nil
}

// writeShard makes a shard of the entries in dir, and sets their First. The frames are read back and compared with their
// checksums before the file is trusted.
func writeShard(dir string, key digest, mels int, entries []entry) (*shard, error) {
	records, frames := make([]record, len(entries)), 0
	for i := range entries {
		entries[i].First = frames
		records[i] = entries[i].record
		frames += entries[i].frames.Len()
	}
	index, err := json.Marshal(records)
	if err != nil {
		panic(fmt.Sprintf("corpus: index of features: %v", err)) // numbers are finite, strings valid
	}
	if len(index) > maxIndexBytes {
		return nil, fmt.Errorf("index of %d recordings is longer than %d bytes", len(entries), maxIndexBytes)
	}
	sum := sha256.Sum256(index)
	path := filepath.Join(dir, shardPrefix(key)+hex.EncodeToString(sum[:8])+shardExtension)
	if s, err := openShard(path, key, mels); err == nil && s.check() == nil {
		return s, nil // another program was faster
	}
	err = atomicfile.Write(path, func(w io.Writer) error {
		parts := [][]byte{shardHeader(key, mels, frames, index)}
		for _, e := range entries {
			parts = append(parts, floatBytes(e.frames.LogMel))
		}
		for _, e := range entries {
			parts = append(parts, floatBytes(e.frames.F0))
		}
		for _, e := range entries {
			parts = append(parts, floatBytes(e.frames.LogEnergy))
		}
		for _, p := range append(parts, index) {
			if _, err := w.Write(p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s, err := openShard(path, key, mels)
	if err != nil {
		return nil, fmt.Errorf("%s: read back: %w", path, err)
	}
	return s, s.check()
}

// check reads all frames and compares their checksums.
func (s *shard) check() error {
	for i := range s.records {
		e, err := s.entry(i)
		if err != nil {
			return fmt.Errorf("%s: read back: %w", s.path, err)
		}
		if frameHash(e.frames) != e.Whole.Sum {
			return fmt.Errorf("%s: read back: %w", s.path, errShard)
		}
	}
	return nil
}

// shardPrefix begins the names of all shards of a key.
func shardPrefix(key digest) string { return hex.EncodeToString(key[:8]) + "-" }

func floatBytes(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}

// frameHash is a hash of all values, bit for bit.
func frameHash(f features.Frames) digest {
	h := sha256.New()
	var buf []byte
	for _, part := range [][]float32{f.LogMel, f.F0, f.LogEnergy} {
		buf = binary.LittleEndian.AppendUint64(buf[:0], uint64(len(part)))
		buf = appendFloats(buf, part)
		h.Write(buf)
	}
	return digest(h.Sum(nil))
}
