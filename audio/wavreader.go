package audio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/go-audio/riff"
)

// The chunks are walked here, with go-audio/riff reading only the chunk headers, and not by go-audio/wav's Decoder.
// Version 1.1.0 of that one needs a seekable input, returns float samples as integer bit patterns and A-law and
// mu-law bytes as they are, takes a data length of 0 or 0xFFFFFFFF for no samples, decodes the pad byte of an odd
// data length, says nothing of a truncated file and allocates whatever size a fmt chunk claims. None of this can be
// seen from its results, so that even plain PCM cannot be left to it.

const (
	// maxChunks and maxHeaderBytes bound what stands before the samples, so that a pipe of chunks ends.
	maxChunks      = 4096
	maxHeaderBytes = 1 << 30

	// wavBuffer is what a WAVReader looks ahead, and all the memory it takes.
	wavBuffer = 1 << 16
	// strayBytes is the most that may stand behind the samples without being taken for more of them.
	strayBytes = 4096
)

// WAVReader reads a WAV stream as it comes, from a file or a pipe. It takes RIFF, RF64, BW64 and Wave64 with PCM of up to 32
// bits, float of 32 and 64, A-law and mu-law. It never seeks, and takes 64 KB of memory.
//
// The lengths in the header are claims. One that the writer did not know (0, 0xFFFFFFFF or near 2^31 or 2^32) means up to
// the end; one that is too small, or wrapped at 2^32, does not end a recording that goes on behind it; files joined into one
// are read one after the other. [WAVReader.Warnings] says what differed.
type WAVReader struct {
	br     *bufio.Reader
	format *wavFormat
	layout wavLayout

	left    int64 // bytes of the data chunk still to come, or unknownLength
	length  int64 // of the data chunk as it is believed
	claimed int64 // frames by all headers, while all are known; -1 after
	frames  int64 // given out
	joined  int   // recordings in the stream
	beyond  int64 // frames behind the end that a header claims
	extra   bool  // reading those
	notes   []string
	err     error
}

// NewWAVReader reads up to the first sample of r. Errors are those of a damaged header and of a coding that is not read.
// A stream that ends before its first byte gives io.EOF.
func NewWAVReader(r io.Reader) (*WAVReader, error) {
	br, ok := r.(*bufio.Reader)
	if !ok || br.Size() < wavBuffer {
		br = bufio.NewReaderSize(r, wavBuffer)
	}
	if _, err := br.Peek(1); err != nil {
		return nil, err
	}
	w := &WAVReader{br: br, joined: 1}
	format, length, err := readWAVHeader(br)
	if err != nil {
		return nil, fmt.Errorf("wav: %w", err)
	}
	w.begin(format, length)
	return w, nil
}

// begin starts a data chunk of that length.
func (w *WAVReader) begin(format *wavFormat, length int64) {
	if w.format == nil {
		w.format = format
		w.layout = wavLayout{format.coding, format.coding.bytes(), ""}
		if format.blockBytes != format.frameBytes() {
			head, _ := w.br.Peek(wavBuffer)
			if length > 0 {
				head = head[:min(int64(len(head)), length)]
			}
			var word string
			w.layout, word = format.settleLayout(head)
			w.notes = append(w.notes, word)
		}
	}
	w.left, w.length = length, length
	switch {
	case length == unknownLength:
		w.claimed = -1
	case w.claimed >= 0:
		w.claimed += length / w.frameBytes()
	}
}

func (w *WAVReader) frameBytes() int64 { return int64(w.format.channels * w.layout.stride) }

// Rate returns the sample rate in Hz.
func (w *WAVReader) Rate() int { return w.format.rate }

// Channels returns the number of channels.
func (w *WAVReader) Channels() int { return w.format.channels }

// MonoWeights returns what each channel contributes to one that all are mixed to: by the places of the loudspeakers
// (ITU-R BS.775-4) where the header gives them for three or more, else the average.
func (w *WAVReader) MonoWeights() []float32 { return monoWeights(w.format.channels, w.format.mask) }

// RawFormat returns the raw format that holds the samples without loss, or with the least: 16 bits for 8 bits, A-law and
// mu-law, 32-bit float for 64-bit.
func (w *WAVReader) RawFormat() Format {
	switch w.format.coding {
	case codingS24:
		return S24LE
	case codingS32:
		return S32LE
	case codingF32, codingF64:
		return F32LE
	}
	return S16LE
}

// Read fills dst, which has room for one frame or more, with interleaved samples: whole frames, up to len(dst) samples, and
// returns how many. It hands out what one read of the source brings and does not wait for more than one frame. Integers
// are scaled to [-1, 1]; floats come as they are. At the end it returns 0 and io.EOF. Samples that are no numbers or
// absurdly large are an error. Read does not allocate, except where one recording ends and something follows.
func (w *WAVReader) Read(dst []float32) (int, error) {
	channels := w.format.channels
	if len(dst) < channels {
		panic(fmt.Sprintf("audio: room for %d samples, a frame has %d", len(dst), channels))
	}
	frame := int(w.frameBytes())
	for w.err == nil {
		if w.left >= 0 && w.left < int64(frame) {
			w.err = w.next()
			continue
		}
		if _, err := w.br.Peek(frame); err != nil {
			w.err = err
			continue
		}
		ahead := w.br.Buffered()
		if w.left >= 0 {
			ahead = int(min(int64(ahead), w.left))
		} else {
			ahead = min(ahead, len(dst)/channels*frame, wavBuffer-16)
			if at := w.joint(ahead); at >= 0 && at < frame {
				w.left, w.length = int64(at), 0
				continue
			} else if at >= 0 {
				ahead = at
			}
		}
		frames := min(ahead/frame, len(dst)/channels)
		b, _ := w.br.Peek(frames * frame)
		x := dst[:frames*channels]
		if bad := w.layout.decode(x, b); bad >= 0 {
			w.err = fmt.Errorf("wav: %w", badSample(w.frames+int64(bad/channels), w.format.rate, x[bad]))
			continue
		}
		w.br.Discard(len(b))
		if w.left >= 0 {
			w.left -= int64(len(b))
		}
		w.frames += int64(frames)
		if w.extra {
			w.beyond += int64(frames)
		}
		return len(x), nil
	}
	return 0, w.err
}

// joint looks for the header of a further recording that begins within the next n bytes, where nothing else says how long this
// one is. It returns its place or -1.
func (w *WAVReader) joint(n int) int {
	b, _ := w.br.Peek(n)
	starts := func(at int) bool {
		head, _ := w.br.Peek(at + 16)
		return len(head) == at+16 && StartsWAV(head[at:]) && string(head[at+12:]) == "fmt "
	}
	for from := 0; ; from += len(riffName) {
		i := bytes.Index(b[from:], riffName)
		if i < 0 {
			break
		}
		if from += i; starts(from) {
			return from
		}
	}
	for k := min(n, len(riffName)-1); k > 0; k-- {
		if bytes.HasSuffix(b, riffName[:k]) && starts(n-k) {
			return n - k
		}
	}
	return -1
}

var riffName = []byte("RIFF")

// StartsWAV reports whether a stream that begins with head, 12 bytes or more, is one for [NewWAVReader].
func StartsWAV(head []byte) bool {
	if len(head) < 12 {
		return false
	}
	switch string(head[:4]) {
	case "RIFF", "RF64", "BW64":
		return string(head[8:12]) == "WAVE"
	case "riff":
		return string(head[4:12]) == wave64Riff[:8]
	}
	return false
}

// next finds out what follows a data chunk: nothing, chunks and tags, which are passed over, another recording, or more of
// the same, whose length was wrong.
func (w *WAVReader) next() error {
	w.br.Discard(int(w.left)) // a part of a frame
	w.left = 0
	if w.format.alone {
		return io.EOF
	}
	if w.length%2 == 1 {
		if head, _ := w.br.Peek(1 + chunkHeader); !w.startsSomething(head) || w.startsSomething(head[1:]) {
			w.br.Discard(1) // the pad byte, which some programs forget
		}
	}
	for range maxChunks {
		head, err := w.br.Peek(16)
		if len(head) == 0 {
			return err
		}
		switch n := tagBytes(w.br); {
		case n > 0:
			if _, err := w.br.Discard(n); err != nil {
				return err
			}
		case StartsWAV(head):
			format, length, err := readWAVHeader(w.br)
			if err != nil {
				w.note("behind the sound stands another recording that cannot be read (%v)", err)
				return io.EOF
			}
			if format.rate != w.format.rate || format.channels != w.format.channels || format.coding != w.format.coding {
				text := fmt.Sprintf("%d Hz, %d channels, %d bits", format.rate, format.channels, format.bits)
				if length > 0 {
					part := secondsOf(length/int64(format.frameBytes()), format.rate)
					text += fmt.Sprintf(", %s beside %s", part, secondsOf(w.frames, w.format.rate))
				}
				w.note("behind the sound stands a recording of another kind (%s), which was left out: take the two apart", text)
				return io.EOF
			}
			w.joined++
			w.begin(format, length)
			return nil
		case w.startsSomething(head):
			id, length := string(head[:4]), int64(binary.LittleEndian.Uint32(head[4:]))
			w.br.Discard(chunkHeader)
			if id == "data" {
				w.joined++
				w.begin(w.format, dataLength(uint32(length), 0))
				return nil
			}
			if _, err := io.CopyN(io.Discard, w.br, length+length%2); err != nil {
				return err // cut within a chunk that holds no sound
			}
		default:
			return w.goOn()
		}
	}
	return io.EOF
}

// goOn takes what stands behind a data chunk and is no chunk for more samples, unless it is little.
func (w *WAVReader) goOn() error {
	if rest, err := w.br.Peek(strayBytes + 1); err != nil {
		if err == io.EOF {
			w.note("%d bytes behind the sound are no samples and were left out", len(rest))
		}
		return err
	}
	w.left, w.length, w.extra = unknownLength, unknownLength, true
	return nil
}

func (w *WAVReader) note(format string, values ...any) {
	w.notes = append(w.notes, fmt.Sprintf(format, values...))
}

// Warnings says in plain words what was guessed, missing or left out; what concerns the length is there once Read has
// returned io.EOF.
func (w *WAVReader) Warnings() []string {
	notes := w.notes
	if w.err != io.EOF {
		return notes
	}
	if w.joined > 1 {
		notes = append(notes, fmt.Sprintf("%d recordings joined into one: all were read", w.joined))
	}
	switch {
	case w.beyond > 0:
		notes = append(notes, beyondClaim(w.frames-w.beyond, w.frames, w.format.rate))
	case w.claimed > w.frames:
		notes = append(notes, missing(w.frames, w.claimed, w.format.rate))
	}
	return notes
}

const chunkHeader = 8

// soundlessChunks are the names of chunks that are met beside the samples.
var soundlessChunks = map[string]bool{"LIST": true, "id3 ": true, "ID3 ": true, "bext": true, "cue ": true, "smpl": true, "fact": true,
	"PEAK": true, "iXML": true, "JUNK": true, "junk": true, "PAD ": true, "inst": true, "acid": true, "cart": true, "axml": true,
	"chna": true, "levl": true, "afsp": true, "_PMX": true, "umid": true, "SAUR": true, "FLLR": true, "plst": true, "labl": true,
	"note": true, "ltxt": true, "adtl": true, "disp": true, "DISP": true, "data": true, "fmt ": true, "ds64": true}

// startsSomething tells a chunk from samples. A name that is not known must be followed by the end or another chunk.
func (w *WAVReader) startsSomething(head []byte) bool {
	if len(head) < chunkHeader {
		return false
	}
	if soundlessChunks[string(head[:4])] {
		return true
	}
	for _, c := range head[:4] {
		if c < ' ' || c > '~' {
			return false
		}
	}
	size := int64(binary.LittleEndian.Uint32(head[4:]))
	size += size % 2
	if size > wavBuffer-2*chunkHeader {
		return false
	}
	b, err := w.br.Peek(int(size) + 2*chunkHeader)
	after := b[min(len(b), int(size)+chunkHeader):]
	return len(b) >= int(size)+chunkHeader && (err == io.EOF && len(after) == 0 ||
		len(after) >= 4 && soundlessChunks[string(after[:4])])
}

// tagBytes returns the length of a tag of music players that begins here and has no place in the format, or 0.
func tagBytes(br *bufio.Reader) int {
	b, err := br.Peek(32)
	switch {
	case bytes.HasPrefix(b, []byte("TAG")):
		if whole, err := br.Peek(129); err == io.EOF && len(whole) == 128 {
			return 128
		}
	case bytes.HasPrefix(b, []byte("APETAGEX")) && err == nil:
		size := int(binary.LittleEndian.Uint32(b[12:])) // with the footer, without the header
		if b[23]&0x80 != 0 || b[23]&0x20 != 0 {
			size += 32
		}
		return min(size, 1<<30)
	case bytes.HasPrefix(b, []byte("ID3")) && len(b) >= 10 && b[3] < 0xff && b[6]|b[7]|b[8]|b[9] < 0x80:
		return id3Bytes(b)
	case bytes.HasPrefix(b, []byte("LYRICSBEGIN")):
		if b, _ := br.Peek(1 << 14); len(b) > 0 {
			for _, end := range []string{"LYRICS200", "LYRICSEND"} {
				if i := bytes.Index(b, []byte(end)); i >= 0 {
					return i + len(end)
				}
			}
		}
	}
	return 0
}

// readWAVHeader reads up to the first sample and returns the length of the data chunk in bytes, or unknownLength.
func readWAVHeader(br *bufio.Reader) (*wavFormat, int64, error) {
	var head [12]byte
	if _, err := io.ReadFull(br, head[:]); err != nil {
		return nil, 0, cutHeader(err)
	}
	if string(head[:4]) == "riff" {
		return readWave64Header(br)
	}
	if !StartsWAV(head[:]) {
		return nil, 0, &formatError{kind: signature(head[:])}
	}
	var format *wavFormat
	var dataLength64 int64 // from the ds64 chunk of RF64, where the 32-bit length says 0xFFFFFFFF
	parser := riff.New(br)
	passed := int64(0)
	for range maxChunks {
		id, length, err := parser.IDnSize()
		if err != nil {
			return nil, 0, cutHeader(err)
		}
		switch {
		case id == riff.DataFormatID:
			if format == nil {
				return nil, 0, errors.New("the samples come before their description (no fmt chunk): the header is damaged")
			}
			believed := dataLength(length, dataLength64)
			if believed == unknownLength && startsChunk(br) {
				believed = 0
			}
			return format, believed, nil
		case id == riff.FmtID && format == nil:
			body, err := readChunk(br, int64(length), 40)
			if err != nil {
				return nil, 0, err
			}
			if format, err = parseFormat(body); err != nil {
				return nil, 0, err
			}
		case id == [4]byte{'d', 's', '6', '4'}:
			body, err := readChunk(br, int64(length), 28)
			if err != nil {
				return nil, 0, err
			}
			if len(body) >= 16 {
				dataLength64 = int64(binary.LittleEndian.Uint64(body[8:]) & (1<<63 - 1))
			}
		default:
			if _, err := readChunk(br, int64(length), 0); err != nil {
				return nil, 0, err
			}
		}
		if passed += int64(length) + chunkHeader; passed > maxHeaderBytes {
			break
		}
	}
	return nil, 0, errNoData
}

var errNoData = fmt.Errorf("no samples within the first %d chunks or %d MB: the header is damaged", maxChunks, maxHeaderBytes>>20)

// wave64Tail ends the GUIDs of Sony's Wave64 that stand for a RIFF chunk (their first four bytes); that of "riff" itself
// ends differently.
const (
	wave64Tail = "\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
	wave64Riff = "\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
)

// readWave64Header goes on behind the first 12 bytes: sizes have 64 bits, count the header of the chunk, and are
// followed by padding to 8 bytes.
func readWave64Header(br *bufio.Reader) (*wavFormat, int64, error) {
	rest := make([]byte, 4+8+16)
	if _, err := io.ReadFull(br, rest); err != nil {
		return nil, 0, cutHeader(err)
	}
	if string(rest[:4]) != wave64Riff[8:] || string(rest[12:16]) != "wave" {
		return nil, 0, errors.New("it begins like Wave64, but is none: the header is damaged")
	}
	var format *wavFormat
	passed := int64(0)
	for range maxChunks {
		var head [24]byte
		if _, err := io.ReadFull(br, head[:]); err != nil {
			return nil, 0, cutHeader(err)
		}
		length := int64(binary.LittleEndian.Uint64(head[16:]) & (1<<63 - 1))
		id := string(head[:4])
		if string(head[4:16]) != wave64Tail {
			id = ""
		}
		if id == "data" {
			switch {
			case format == nil:
				return nil, 0, errors.New("the samples come before their description (no fmt chunk): the header is damaged")
			case length <= 24 || length >= 1<<62:
				return format, unknownLength, nil
			}
			return format, length - 24, nil
		}
		if length < 24 {
			return nil, 0, fmt.Errorf("a chunk of %d bytes, needs 24: the header is damaged", length)
		}
		keep := 0
		if id == "fmt " && format == nil {
			keep = 40
		}
		body, err := readChunk(br, (length-24+7)&^7, keep)
		if err != nil {
			return nil, 0, err
		}
		if keep > 0 {
			if format, err = parseFormat(body[:min(int64(len(body)), length-24)]); err != nil {
				return nil, 0, err
			}
			format.alone = true
		}
		if passed += length; passed > maxHeaderBytes {
			break
		}
	}
	return nil, 0, errNoData
}

func cutHeader(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errors.New("it ends before the samples begin: the file is cut short; copy or export it again")
	}
	return err
}

// readChunk returns up to keep bytes of a chunk's body and passes over the rest and the pad byte.
func readChunk(br *bufio.Reader, length int64, keep int) ([]byte, error) {
	body := make([]byte, min(length, int64(keep)))
	if _, err := io.ReadFull(br, body); err != nil {
		return nil, cutHeader(err)
	}
	rest := length + length&1 - int64(len(body))
	if _, err := io.CopyN(io.Discard, br, rest); err != nil {
		return nil, cutHeader(err)
	}
	return body, nil
}

// startsChunk tells a recording that is truly empty and is followed by tags from one of unknown length.
func startsChunk(br *bufio.Reader) bool {
	next, _ := br.Peek(4)
	return soundlessChunks[string(next)]
}

// decodeWAV reads a whole stream.
func decodeWAV(br *bufio.Reader, to *receiver) (Clip, error) {
	w, err := NewWAVReader(br)
	if err != nil {
		return Clip{}, err
	}
	sink := newChannelSink(w.Rate(), w.Channels(), w.format.mask, to)
	x := make([]float32, max(1<<13, w.Channels()))
	for {
		n, err := w.Read(x)
		if err == io.EOF {
			break
		}
		if err != nil {
			return Clip{}, err
		}
		if err := sink.add(x[:n]); err != nil {
			return Clip{}, fmt.Errorf("wav: %w", err)
		}
	}
	clip, err := sink.clip()
	if err != nil {
		return Clip{}, err
	}
	if sink.frames == 0 {
		return Clip{}, fmt.Errorf("wav: %w", errNoSamples)
	}
	clip.Warnings = append(clip.Warnings, w.Warnings()...)
	return clip, nil
}
