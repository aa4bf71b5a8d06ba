// Package tfevents writes the files that TensorBoard shows: scalars, pictures and sounds by step.
//
// A file is a sequence of TFRecords, each a length, its checksum, a message and its checksum; a message is a protocol buffer
// of TensorFlow's type Event, of which the few fields in use here have been the same since 2016. They are written with
// protobuf's protowire, which knows the encoding and no types, so that no generated code and none of TensorFlow is needed.
package tfevents

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of tensorflow.Event, Summary, Summary.Value, Summary.Image, Summary.Audio and SessionLog.
const (
	eventWallTime, eventStep, eventVersion, eventSummary, eventSession = 1, 2, 3, 5, 7
	summaryValue                                                       = 1
	valueTag, valueSimple, valueImage, valueAudio                      = 1, 2, 4, 6
	imageHeight, imageWidth, imageColours, imageBytes                  = 1, 2, 3, 4
	audioRate, audioChannels, audioFrames, audioBytes, audioType       = 1, 2, 3, 4, 5
	sessionStatus, sessionStart                                        = 1, 1
)

// Writer appends events to one file. It is not safe for concurrent use.
type Writer struct {
	file *os.File
	now  func() time.Time
}

// Create makes a new file in folder, beside those of earlier processes, all of which TensorBoard reads. What they hold of
// step from and later counts no more.
func Create(folder string, from int) (*Writer, error) {
	return create(folder, from, time.Now)
}

func create(folder string, from int, now func() time.Time) (*Writer, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("tensorboard: %w", err)
	}
	for n := 0; ; n++ { // the time comes first in the name, since TensorBoard reads the files in the order of their names
		path := filepath.Join(folder, fmt.Sprintf("events.out.tfevents.%010d.%d.vc", now().Unix(), n))
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o644)
		if os.IsExist(err) && n < 1000 {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("tensorboard: %w", err)
		}
		w := &Writer{f, now}
		err = w.event(0, eventVersion, []byte("brain.Event:2"))
		if err == nil {
			err = w.event(from, eventSession, protowire.AppendVarint(protowire.AppendTag(nil, sessionStatus, protowire.VarintType), sessionStart))
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		return w, nil
	}
}

// Scalars writes values by name.
func (w *Writer) Scalars(step int, values map[string]float32) error {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	var summary []byte
	for _, name := range names {
		v := appendText(nil, valueTag, name)
		v = protowire.AppendTag(v, valueSimple, protowire.Fixed32Type)
		v = protowire.AppendFixed32(v, math.Float32bits(values[name]))
		summary = appendBytes(summary, summaryValue, v)
	}
	return w.event(step, eventSummary, summary)
}

// PNG writes a picture, encoded as PNG, that is so many pixels wide and high.
func (w *Writer) PNG(step int, name string, png []byte, width, height int) error {
	var image []byte
	for _, f := range []struct {
		number protowire.Number
		value  int
	}{{imageHeight, height}, {imageWidth, width}, {imageColours, 4}} {
		image = appendNumber(image, f.number, f.value)
	}
	image = appendBytes(image, imageBytes, png)
	return w.value(step, name, valueImage, image)
}

// WAV writes a sound of one channel, encoded as WAV, of so many samples at rate samples a second.
func (w *Writer) WAV(step int, name string, wav []byte, rate, samples int) error {
	sound := protowire.AppendTag(nil, audioRate, protowire.Fixed32Type)
	sound = protowire.AppendFixed32(sound, math.Float32bits(float32(rate)))
	sound = appendNumber(sound, audioChannels, 1)
	sound = appendNumber(sound, audioFrames, samples)
	sound = appendBytes(sound, audioBytes, wav)
	sound = appendText(sound, audioType, "audio/wav")
	return w.value(step, name, valueAudio, sound)
}

func (w *Writer) value(step int, name string, field protowire.Number, message []byte) error {
	return w.event(step, eventSummary, appendBytes(nil, summaryValue, appendBytes(appendText(nil, valueTag, name), field, message)))
}

// Close closes the file.
func (w *Writer) Close() error { return w.file.Close() }

func (w *Writer) event(step int, field protowire.Number, message []byte) error {
	e := protowire.AppendTag(nil, eventWallTime, protowire.Fixed64Type)
	e = protowire.AppendFixed64(e, math.Float64bits(float64(w.now().UnixMicro())/1e6))
	e = appendNumber(e, eventStep, step)
	e = appendBytes(e, field, message)
	if _, err := w.file.Write(record(e)); err != nil { // whole or, on a full disk, cut off, which readers pass over
		return fmt.Errorf("tensorboard: %w", err)
	}
	return nil
}

func appendText(b []byte, n protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), text)
}

func appendBytes(b []byte, n protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), message)
}

func appendNumber(b []byte, n protowire.Number, value int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), uint64(value))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maskedSum is the checksum of a TFRecord: CRC-32C, turned and shifted so that the sum of data with sums in it is no
// weaker.
func maskedSum(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// record frames a message.
func record(message []byte) []byte {
	var b bytes.Buffer
	var head [8]byte
	binary.LittleEndian.PutUint64(head[:], uint64(len(message)))
	b.Write(head[:])
	b.Write(binary.LittleEndian.AppendUint32(nil, maskedSum(head[:])))
	b.Write(message)
	b.Write(binary.LittleEndian.AppendUint32(nil, maskedSum(message)))
	return b.Bytes()
}
