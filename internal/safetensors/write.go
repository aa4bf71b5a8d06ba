package safetensors

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/starvc/vc/internal/float16"
)

// chunkNumbers is how many numbers are converted at a time, both ways.
const chunkNumbers = 1 << 16

// Write encodes the tensors in the order given. The metadata's keys "sha256" and "sha256.header" belong to this
// package and are refused. A tensor whose data does not fill its shape, a name given twice, and a finite number
// that F16 or BF16 cannot hold are errors, before the first byte is written. Writing is deterministic.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	header, err := buildHeader(tensors, metadata)
	if err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	var length [8]byte
	binary.LittleEndian.PutUint64(length[:], uint64(len(header)))
	if _, err := w.Write(length[:]); err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	if _, err := w.Write(header); err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	buf := make([]byte, 0, 8*chunkNumbers)
	for i := range tensors {
		if err := encode(w, &tensors[i], buf); err != nil {
			return fmt.Errorf("safetensors: %w", err)
		}
	}
	return nil
}

// diskType is the tensor's type with the default filled in.
func (t *Tensor) diskType() DType {
	switch {
	case t.DType != "":
		return t.DType
	case t.Ints != nil:
		return I64
	}
	return F32
}

// check finds what would make the tensor unreadable.
func (t *Tensor) check() error {
	n, err := elements(t.Shape)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	dt, have := t.diskType(), len(t.Data)
	switch {
	case t.Name == "" || t.Name == "__metadata__":
		return fmt.Errorf("tensor name %q: reserved", t.Name)
	case dt.bytes() == 0:
		return fmt.Errorf("tensor %q: type %q: unknown", t.Name, dt)
	case dt.isInt() && t.Data != nil, !dt.isInt() && t.Ints != nil:
		return fmt.Errorf("tensor %q: type %s does not fit the numbers given", t.Name, dt)
	case dt.isInt():
		have = len(t.Ints)
	}
	if have != n {
		return fmt.Errorf("tensor %q: %d numbers, want %d for shape %v", t.Name, have, n, t.Shape)
	}
	return nil
}

// buildHeader lays the file out and puts both sums in.
func buildHeader(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	seen := make(map[string]bool, len(tensors))
	hash := sha256.New()
	buf := make([]byte, 0, 8*chunkNumbers)
	entries := make([]entry, len(tensors))
	offset := int64(0)
	for i := range tensors {
		t := &tensors[i]
		if err := t.check(); err != nil {
			return nil, err
		}
		if seen[t.Name] {
			return nil, fmt.Errorf("tensor %q: given twice", t.Name)
		}
		seen[t.Name] = true
		if err := encode(hash, t, buf); err != nil {
			return nil, err
		}
		bytes := int64(max(len(t.Data), len(t.Ints))) * int64(t.diskType().bytes())
		entries[i] = entry{DType: t.diskType(), Shape: append([]int{}, t.Shape...), Offsets: [2]int64{offset, offset + bytes}}
		offset += bytes
	}
	meta := maps.Clone(metadata)
	if meta == nil {
		meta = map[string]string{}
	}
	for _, key := range []string{dataSumKey, headerSumKey} {
		if _, ok := meta[key]; ok {
			return nil, fmt.Errorf("metadata key %q: reserved", key)
		}
	}
	meta[dataSumKey] = hex.EncodeToString(hash.Sum(nil))
	meta[headerSumKey] = zeroSum

	var b bytes.Buffer
	b.WriteString(`{"__metadata__":{`)
	for i, key := range slices.Sorted(maps.Keys(meta)) {
		if i > 0 {
			b.WriteByte(',')
		}
		writeJSON(&b, key)
		b.WriteByte(':')
		writeJSON(&b, meta[key])
	}
	b.WriteByte('}')
	for i, e := range entries {
		b.WriteByte(',')
		writeJSON(&b, tensors[i].Name)
		b.WriteByte(':')
		writeJSON(&b, e)
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ') // the data starts on a multiple of 8
	}
	header := b.Bytes()
	if len(header) > maxHeaderBytes {
		return nil, fmt.Errorf("header of %d bytes: more than %d", len(header), maxHeaderBytes)
	}
	at, err := headerSumAt(header, zeroSum)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(header)
	hex.Encode(header[at:], sum[:])
	return header, nil
}

// writeJSON encodes strings and table entries, which cannot fail.
func writeJSON(b *bytes.Buffer, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("safetensors: %v", err))
	}
	b.Write(text)
}

// headerSumAt finds where the header's own sum stands. A quote inside a JSON string is always escaped, so the
// pattern cannot occur inside a value.
func headerSumAt(header []byte, sum string) (int, error) {
	pattern := []byte(`"` + headerSumKey + `":"` + sum + `"`)
	if bytes.Count(header, pattern) != 1 {
		return 0, fmt.Errorf("the header's checksum is not where it should be")
	}
	return bytes.Index(header, pattern) + len(headerSumKey) + 4, nil
}

// encode writes the tensor's numbers in chunks through buf.
func encode(w io.Writer, t *Tensor, buf []byte) error {
	dt := t.diskType()
	if dt.isInt() {
		for part := range slices.Chunk(t.Ints, chunkNumbers) {
			buf = buf[:0]
			for _, v := range part {
				buf = binary.LittleEndian.AppendUint64(buf, uint64(v))
			}
			if _, err := w.Write(buf); err != nil {
				return err
			}
		}
		return nil
	}
	for part := range slices.Chunk(t.Data, chunkNumbers) {
		buf = buf[:0]
		switch dt {
		case F32:
			for _, v := range part {
				buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
			}
		default:
			round := float16.FromFloat32
			if dt == BF16 {
				round = float16.BrainFromFloat32
			}
			for _, v := range part {
				h, ok := round(v)
				if !ok {
					return fmt.Errorf("tensor %q: %g is too large for %s", t.Name, v, dt)
				}
				buf = binary.LittleEndian.AppendUint16(buf, h)
			}
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return nil
}
