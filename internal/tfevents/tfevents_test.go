package tfevents

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

func at(seconds int64) func() time.Time {
	return func() time.Time { return time.Unix(seconds, 500000000) }
}

// events takes a file apart, checking every frame.
func events(t *testing.T, path string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var messages [][]byte
	for len(b) > 0 {
		n := binary.LittleEndian.Uint64(b)
		if maskedSum(b[:8]) != binary.LittleEndian.Uint32(b[8:]) || maskedSum(b[12:12+n]) != binary.LittleEndian.Uint32(b[12+n:]) {
			t.Fatal("a checksum is wrong")
		}
		messages = append(messages, b[12:12+n])
		b = b[16+n:]
	}
	return messages
}

// fields takes a message apart; numbers come as their encoding.
func fields(t *testing.T, b []byte) map[protowire.Number][]byte {
	t.Helper()
	found := map[protowire.Number][]byte{}
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatal("not a message")
		}
		b = b[n:]
		n = protowire.ConsumeFieldValue(number, kind, b)
		if n < 0 {
			t.Fatal("not a message")
		}
		value := b[:n]
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(b)
		}
		found[number] = value
		b = b[n:]
	}
	return found
}

func TestMaskedSum(t *testing.T) {
	// CRC-32C of 32 zero bytes is 8a9136aa (RFC 3720, B.4); masked as TFRecord has it.
	if c := uint32(0x8a9136aa); maskedSum(make([]byte, 32)) != (c>>15|c<<17)+0xa282ead8 {
		t.Errorf("masked sum %08x", maskedSum(make([]byte, 32)))
	}
}

func TestWriter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := create(dir, 40, at(1000))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Scalars(41, map[string]float32{"cycle": 0.25}); err != nil {
		t.Fatal(err)
	}
	if err := w.PNG(42, "mel", []byte("png"), 300, 200); err != nil {
		t.Fatal(err)
	}
	if err := w.WAV(43, "sound", []byte("wav"), 16000, 7); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := create(dir, 0, at(1000)) // within the same second
	if err != nil {
		t.Fatal(err)
	}
	second.Close()

	names, _ := filepath.Glob(filepath.Join(dir, "events.out.tfevents.*"))
	if len(names) != 2 {
		t.Fatalf("files %q", names)
	}
	list := events(t, names[0])
	if len(list) != 5 {
		t.Fatalf("%d events", len(list))
	}
	first := fields(t, list[0])
	if string(first[eventVersion]) != "brain.Event:2" || math.Float64frombits(binary.LittleEndian.Uint64(first[eventWallTime])) != 1000.5 {
		t.Errorf("first event %q", first)
	}
	if start := fields(t, list[1]); start[eventStep][0] != 40 || string(start[eventSession]) != "\x08\x01" {
		t.Errorf("start %q", start)
	}
	value := func(i int) map[protowire.Number][]byte {
		return fields(t, fields(t, fields(t, list[i])[eventSummary])[summaryValue])
	}
	if v := value(2); string(v[valueTag]) != "cycle" || math.Float32frombits(binary.LittleEndian.Uint32(v[valueSimple])) != 0.25 {
		t.Errorf("scalar %q", v)
	}
	if v := fields(t, value(3)[valueImage]); string(v[imageBytes]) != "png" || v[imageHeight][0] != 0xc8 {
		t.Errorf("picture %q", v)
	}
	if v := fields(t, value(4)[valueAudio]); string(v[audioBytes]) != "wav" || string(v[audioType]) != "audio/wav" || v[audioFrames][0] != 7 {
		t.Errorf("sound %q", v)
	}
}
