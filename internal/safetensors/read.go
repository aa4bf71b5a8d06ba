package safetensors

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"github.com/starvc/vc/internal/float16"
)

// remedy closes every message about a file that is not what was written.
const remedy = "copy or download it again, or go back to an earlier one"

// entry is one row of the tensor table as it stands in the header.
type entry struct {
	DType   DType    `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// table is a parsed header; the tensors are in the order of their data and have none yet.
type table struct {
	tensors  []Tensor
	metadata map[string]string
	bytes    int64 // length of the data section
}

// ReadFile reads and checks a whole file. Errors begin with the path.
func ReadFile(path string) (*File, error) { return readFile(path, always) }

// verify says when the sums of a file are checked.
type verify int

const (
	always  verify = iota // and must be there
	ifThere               // as other programs leave them out
	never                 // for the fuzz test, which could otherwise not get past them
)

func readFile(path string, verify verify) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size := int64(-1)
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	file, err := read(f, size, verify)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

// ReadForeignFile is ReadFile for a file that another program may have written, which has no sums. Those that are there are
// checked.
func ReadForeignFile(path string) (*File, error) { return readFile(path, ifThere) }

// Read reads r to its end and checks all of it: the table must cover the data without gap or overlap, both sums
// must be there and right, and nothing may follow. Memory grows with the bytes that arrive, not with what the
// header promises.
func Read(r io.Reader) (*File, error) { return read(r, -1, always) }

// read does the work. size is the file's length, -1 where unknown.
func read(r io.Reader, size int64, when verify) (*File, error) {
	var length [8]byte
	if n, err := io.ReadFull(r, length[:]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("cut short: only %d bytes are there; %s", n, remedy)
		}
		return nil, err
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeaderBytes {
		return nil, fmt.Errorf("not a safetensors file, or damaged: header of %d bytes; %s", n, remedy)
	}
	if size >= 0 && int64(n) > size-8 {
		return nil, cutShort(size, 8+int64(n))
	}
	header, err := readBytes(r, int64(n))
	if err != nil {
		return nil, err
	}
	if int64(len(header)) < int64(n) {
		return nil, cutShort(8+int64(len(header)), 8+int64(n))
	}
	t, err := parseHeader(header)
	if err != nil {
		return nil, fmt.Errorf("not a safetensors file, or damaged: %w; %s", err, remedy)
	}
	verify := when == always || when == ifThere && (t.metadata[headerSumKey] != "" || t.metadata[dataSumKey] != "")
	if verify {
		if err := checkHeaderSum(header, t.metadata[headerSumKey]); err != nil {
			return nil, err
		}
	}
	total := 8 + int64(n) + t.bytes
	if size >= 0 && size < total {
		return nil, cutShort(size, total)
	}
	hash := startSum()
	done, err := decodeAll(r, hash, t, size >= 0)
	sum := hash.finish()
	if err != nil {
		return nil, err
	}
	if done < t.bytes {
		return nil, cutShort(total-t.bytes+done, total)
	}
	if k, _ := io.ReadFull(r, length[:1]); k != 0 {
		return nil, fmt.Errorf("damaged: bytes follow the end of the data; %s", remedy)
	}
	if verify {
		if err := checkDataSum(sum, t.metadata[dataSumKey]); err != nil {
			return nil, err
		}
	}
	delete(t.metadata, dataSumKey)
	delete(t.metadata, headerSumKey)
	f := &File{tensors: t.tensors, metadata: t.metadata, index: make(map[string]int, len(t.tensors))}
	for i := range f.tensors {
		f.index[f.tensors[i].Name] = i
	}
	return f, nil
}

func cutShort(have, want int64) error {
	return fmt.Errorf("cut short: %d of %d bytes are there; %s", have, want, remedy)
}

func checkHeaderSum(header []byte, want string) error {
	if want == "" {
		return fmt.Errorf("damaged, or not written by this program: the header has no checksum; %s", remedy)
	}
	at, err := headerSumAt(header, want)
	if err != nil || len(want) != len(zeroSum) {
		return fmt.Errorf("damaged: the header's checksum is unreadable; %s", remedy)
	}
	blank := slices.Clone(header)
	copy(blank[at:], zeroSum)
	if sum := sha256.Sum256(blank); hex.EncodeToString(sum[:]) != want {
		return fmt.Errorf("damaged: the header does not match its checksum; %s", remedy)
	}
	return nil
}

func checkDataSum(sum []byte, want string) error {
	if hex.EncodeToString(sum) != want {
		return fmt.Errorf("damaged: the data does not match its checksum; %s", remedy)
	}
	return nil
}

// readBytes reads up to n bytes and allocates as they arrive; fewer come back where r ends early.
func readBytes(r io.Reader, n int64) ([]byte, error) {
	var b bytes.Buffer
	if _, err := io.CopyN(&b, r, n); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b.Bytes(), nil
}

// parseHeader reads the JSON, refusing names that occur twice, unknown types, and a table that leaves gaps in the
// data or uses a byte twice.
func parseHeader(header []byte) (*table, error) {
	t := &table{metadata: map[string]string{}}
	d := json.NewDecoder(bytes.NewReader(header))
	if err := expect(d, json.Delim('{')); err != nil {
		return nil, err
	}
	type row struct {
		tensor Tensor
		span   [2]int64
	}
	var rows []row
	seen := map[string]bool{}
	for d.More() {
		name, err := key(d)
		if err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, fmt.Errorf("tensor %q: twice in the header", name)
		}
		seen[name] = true
		if name == "__metadata__" {
			if err := parseMetadata(d, t.metadata); err != nil {
				return nil, err
			}
			continue
		}
		var e entry
		if err := d.Decode(&e); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		n, err := elements(e.Shape)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		width := e.DType.bytes()
		if width == 0 {
			return nil, fmt.Errorf("tensor %q: type %q: unknown", name, e.DType)
		}
		if e.Offsets[0] < 0 || e.Offsets[1] > maxDataBytes || e.Offsets[1]-e.Offsets[0] != int64(n)*int64(width) {
			return nil, fmt.Errorf("tensor %q: bytes %v do not fit shape %v of %s", name, e.Offsets, e.Shape, e.DType)
		}
		if len(rows) == maxTensors {
			return nil, fmt.Errorf("more than %d tensors", maxTensors)
		}
		rows = append(rows, row{Tensor{Name: name, Shape: e.Shape, DType: e.DType}, e.Offsets})
	}
	if err := expect(d, json.Delim('}')); err != nil {
		return nil, err
	}
	if rest := bytes.Trim(header[d.InputOffset():], " "); len(rest) > 0 {
		return nil, fmt.Errorf("something follows the header's JSON")
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		if a.span[0] != b.span[0] {
			return int(min(1, max(-1, a.span[0]-b.span[0])))
		}
		return int(min(1, max(-1, a.span[1]-b.span[1]))) // an empty tensor stands before the one at its place
	})
	for _, r := range rows {
		if r.span[0] != t.bytes {
			return nil, fmt.Errorf("tensor %q: starts at byte %d of the data, want %d", r.tensor.Name, r.span[0], t.bytes)
		}
		t.bytes = r.span[1]
		t.tensors = append(t.tensors, r.tensor)
	}
	return t, nil
}

func expect(d *json.Decoder, want json.Delim) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	if token != want {
		return fmt.Errorf("header: %v where %v should stand", token, want)
	}
	return nil
}

func key(d *json.Decoder) (string, error) {
	token, err := d.Token()
	if err != nil {
		return "", err
	}
	return token.(string), nil // the decoder gives nothing else between the members of an object
}

func parseMetadata(d *json.Decoder, into map[string]string) error {
	if err := expect(d, json.Delim('{')); err != nil {
		return err
	}
	for d.More() {
		name, err := key(d)
		if err != nil {
			return err
		}
		token, err := d.Token()
		if err != nil {
			return err
		}
		text, ok := token.(string)
		if !ok {
			return fmt.Errorf("metadata %q: not a text", name)
		}
		if _, twice := into[name]; twice {
			return fmt.Errorf("metadata %q: twice in the header", name)
		}
		into[name] = text
	}
	return expect(d, json.Delim('}'))
}

// runningSum sums up data beside whoever decodes it, since either takes about as long.
type runningSum struct {
	in, free chan []byte // parts to be summed, and buffers that were
	sum      chan []byte
}

// sumBuffers is how many parts may be under way.
const sumBuffers = 3

func startSum() *runningSum {
	s := &runningSum{make(chan []byte, sumBuffers), make(chan []byte, sumBuffers), make(chan []byte)}
	for range sumBuffers {
		s.free <- make([]byte, 8*chunkNumbers)
	}
	go func() {
		hash := sha256.New()
		for part := range s.in {
			hash.Write(part)
			s.free <- part[:cap(part)]
		}
		s.sum <- hash.Sum(nil)
	}()
	return s
}

// finish waits for the sum of all parts.
func (s *runningSum) finish() []byte {
	close(s.in)
	return <-s.sum
}

// decodeAll fills the table's tensors, sums up what it reads, and reports how many bytes of data there were. known says
// that the file is as long as the table wants, so that memory can be asked for at once.
func decodeAll(r io.Reader, sum *runningSum, t *table, known bool) (done int64, err error) {
	for i := range t.tensors {
		tensor := &t.tensors[i]
		n, _ := elements(tensor.Shape)
		width := tensor.DType.bytes()
		room := n
		if !known {
			room = min(n, chunkNumbers)
		}
		if tensor.DType.isInt() {
			tensor.Ints = make([]int64, 0, room)
		} else {
			tensor.Data = make([]float32, 0, room)
		}
		for n > 0 {
			count := min(n, chunkNumbers)
			buf := <-sum.free // comes back when it is summed; decoding it was over before
			part := buf[:count*width]
			k, err := io.ReadFull(r, part)
			done += int64(k)
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return done, nil
			}
			if err != nil {
				return done, err
			}
			sum.in <- part
			tensor.decode(part) // both only read it
			n -= count
		}
	}
	return done, nil
}

// decode appends the numbers of one chunk.
func (t *Tensor) decode(part []byte) {
	switch t.DType {
	case F32:
		n := len(t.Data)
		t.Data = slices.Grow(t.Data, len(part)/4)[:n+len(part)/4]
		for i := range t.Data[n:] {
			t.Data[n+i] = math.Float32frombits(binary.LittleEndian.Uint32(part[4*i:]))
		}
	case F16:
		for ; len(part) >= 2; part = part[2:] {
			t.Data = append(t.Data, float16.ToFloat32(binary.LittleEndian.Uint16(part)))
		}
	case BF16:
		for ; len(part) >= 2; part = part[2:] {
			t.Data = append(t.Data, float16.BrainToFloat32(binary.LittleEndian.Uint16(part)))
		}
	default:
		for ; len(part) >= 8; part = part[8:] {
			t.Ints = append(t.Ints, int64(binary.LittleEndian.Uint64(part)))
		}
	}
}
