package corpus

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"unsafe"

	"github.com/starvc/vc/features"
)

var testKey = digest(sha256.Sum256([]byte("key")))

func testEntry(name string, frames int) entry {
	e := entry{frames: features.Frames{NMels: 3}}
	e.Content = sha256.Sum256([]byte(name))
	e.Stamp = stamp{"/" + name, 1000, 12345}
	e.Problems = []Problem{{Kind: Clipped, Detail: "at 2 places"}}
	for t := range frames {
		e.frames.LogMel = append(e.frames.LogMel, float32(t), -0.1, 1e-30)
		e.frames.F0 = append(e.frames.F0, 100+float32(t))
		e.frames.LogEnergy = append(e.frames.LogEnergy, -2.5/float32(t+1))
	}
	e.Whole, e.Trimmed = measure(e.frames, 0, frames), measure(e.frames, frames/3, frames)
	return e
}

func TestShardKeepsEveryBit(t *testing.T) {
	t.Parallel()
	want := []entry{testEntry("a", 4), testEntry("b", 0), testEntry("c", 7)}
	s, err := writeShard(t.TempDir(), testKey, 3, want)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		got, err := s.entry(i)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want[i]) {
			t.Errorf("entry %d: got %+v, %v\nwant %+v", i, got, err, want[i])
		}
		if i == 2 && uintptr(unsafe.Pointer(&got.frames.F0[0]))%4 != 0 {
			t.Error("not aligned")
		}
	}
	if again, err := writeShard(filepath.Dir(s.path), testKey, 3, want); err != nil || again.path != s.path {
		t.Errorf("the same once more: %v", err)
	}
}

// Once a shard is written, its frames take the place of those in memory.
func TestFramesMoveIntoTheShard(t *testing.T) {
	t.Parallel()
	cfg := features.DefaultConfig()
	cfg.NMels = 3
	c, err := newCache(t.TempDir(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	e := testEntry("a", 5)
	var moved features.Frames
	c.put(e, func(f features.Frames) { moved = f })
	c.flush()
	if err := c.failure(); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(moved, e.frames) || &moved.LogMel[0] == &e.frames.LogMel[0] {
		t.Errorf("moved %v", moved)
	}
	if c, err = newCache(c.dir, cfg); err != nil {
		t.Fatal(err)
	}
	if got, ok := c.known(e.Stamp); !ok || !reflect.DeepEqual(got.frames, moved) || &got.frames.LogMel[0] == &moved.LogMel[0] {
		t.Errorf("by stamp: %v, %v", ok, got)
	}
	if got, ok := c.find(e.Content); !ok || got.Content != e.Content {
		t.Errorf("by content: %v", ok)
	}
	if _, ok := c.find(digest{}); ok {
		t.Error("unknown content is found")
	}
}

func TestShardDamageIsNoticed(t *testing.T) {
	t.Parallel()
	s, err := writeShard(t.TempDir(), testKey, 3, []entry{testEntry("a", 4)})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	open := func(data []byte, key digest, mels int) error {
		_, err := readShard(bytes.NewReader(data), "", int64(len(data)), key, mels)
		return err
	}
	if err := open(data, testKey, 3); err != nil {
		t.Fatal(err)
	}
	floats := 4 * 4 * (3 + 2)
	for n := range data {
		if open(data[:n], testKey, 3) == nil {
			t.Errorf("cut to %d bytes: no error", n)
		}
		if n >= shardHeaderBytes && n < shardHeaderBytes+floats {
			continue // features are compared with their checksums when a shard is made
		}
		damaged := bytes.Clone(data)
		damaged[n] ^= 0x10
		if open(damaged, testKey, 3) == nil {
			t.Errorf("byte %d flipped: no error", n)
		}
	}
	if open(append(bytes.Clone(data), 0), testKey, 3) == nil {
		t.Error("a byte too many: no error")
	}
	if open(data, digest{}, 3) == nil {
		t.Error("another key: no error")
	}
	if open(data, testKey, 4) == nil {
		t.Error("another number of mels: no error")
	}

	// Cut short after it was opened, a shard is not mapped.
	if s, err = openShard(s.path, testKey, 3); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.path); err != nil { // the first one is mapped
		t.Fatal(err)
	}
	writeBytes(t, s.path, data[:len(data)-1])
	if _, err := s.entry(0); err == nil {
		t.Error("cut short after opening: no error")
	}

	// Other features than the index says are noticed where a shard is made.
	data[shardHeaderBytes+1] ^= 1
	if s, err = openShard(writeBytes(t, s.path, data), testKey, 3); err != nil {
		t.Fatal(err)
	}
	if s.check() == nil {
		t.Error("other features: no error")
	}
}

func FuzzReadShard(f *testing.F) {
	for _, frames := range []int{0, 1, 5} {
		index, err := json.Marshal([]record{testEntry("a", frames).record})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint16(frames), index)
	}
	f.Add(uint16(3), []byte(`[{"first":9223372036854775807,"whole":{"to":9223372036854775807}}]`))
	f.Fuzz(func(t *testing.T, frames uint16, index []byte) {
		// The checksum and the length are right, so that the fuzzer gets past them.
		data := shardHeader(testKey, 3, int(frames), index)
		data = append(append(data, make([]byte, 4*int(frames)*(3+2))...), index...)
		s, err := readShard(bytes.NewReader(data), "", int64(len(data)), testKey, 3)
		if err != nil {
			return
		}
		s.load.Do(func() {}) // no file
		s.frames = features.Frames{NMels: 3, LogMel: make([]float32, 3*int(frames)), F0: make([]float32, frames), LogEnergy: make([]float32, frames)}
		for i := range s.records {
			if e, err := s.entry(i); err == nil {
				e.frames.Slice(e.Trimmed.From, e.Trimmed.To)
				e.frames.Slice(e.Whole.From, e.Whole.To)
			}
		}
	})
}
