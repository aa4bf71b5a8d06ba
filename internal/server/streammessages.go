package server

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"time"

	"github.com/coder/websocket"
	"github.com/starvc/vc/audio"
)

// startMessage is the first of a client.
type startMessage struct {
	Type       string     `json:"type"`
	Format     string     `json:"format"`
	SampleRate int        `json:"sample_rate"`
	Latency    string     `json:"latency"`
	MaxDelay   float64    `json:"max_delay_ms"`
	Voice      string     `json:"voice"`
	Mix        []part     `json:"mix"`
	Settings   liveChange `json:"settings"`
}

// liveSettings are those of a stream.
type liveSettings struct {
	settings
	Gain float64 `json:"gain"`
	Wet  float64 `json:"wet"`
}

type liveChange struct {
	Change
	Gain *float64 `json:"gain"`
	Wet  *float64 `json:"wet"`
}

const maxGain = 24 // dB, either way

func (s liveSettings) with(c liveChange) (liveSettings, *problem) {
	next, p := s.settings.with(c.Change, "settings")
	if p != nil {
		return s, p
	}
	s.settings = next
	set(&s.Gain, c.Gain)
	set(&s.Wet, c.Wet)
	switch {
	case !(math.Abs(s.Gain) <= maxGain):
		return s, fail(422, "invalid_request", "gain is %g dB, want %d to %d", s.Gain, -maxGain, maxGain)
	case !(s.Wet >= 0 && s.Wet <= 1):
		return s, fail(422, "invalid_request", "wet is %g, want 0 to 1", s.Wet)
	}
	return s, nil
}

// factors are what the sound is multiplied by.
func (s liveSettings) factors() (gain, wet float32) {
	return float32(math.Pow(10, s.Gain/20)), float32(s.Wet)
}

type readyMessage struct {
	Type         string      `json:"type"`
	ID           string      `json:"id"`
	Voice        string      `json:"voice"`
	Format       string      `json:"format"`
	SampleRate   int         `json:"sample_rate"`
	Latency      float64     `json:"latency_ms"`
	Chunk        float64     `json:"chunk_ms"`
	ChunkSamples int         `json:"chunk_samples"`
	FirstSamples int         `json:"first_samples"`
	Parts        []delayPart `json:"parts"`
}

// delayPart is one of those that the delay is the sum of.
type delayPart struct {
	Name  string  `json:"name"`
	MS    float64 `json:"ms"`
	About string  `json:"about"`
}

type setMessage struct {
	Seq      int64      `json:"seq"`
	Voice    string     `json:"voice"`
	Mix      []part     `json:"mix"`
	Settings liveChange `json:"settings"`
}

type setAnswer struct {
	Type     string       `json:"type"`
	Seq      int64        `json:"seq"`
	Voice    string       `json:"voice"`
	Settings liveSettings `json:"settings"`
}

type errorMessage struct {
	Type    string `json:"type"`
	Seq     int64  `json:"seq"`
	Status  string `json:"status"`
	Message string `json:"message"`
}

type pongMessage struct {
	Type     string          `json:"type"`
	ID       json.RawMessage `json:"id,omitempty"`
	Received int64           `json:"received_samples"`
	Sent     int64           `json:"sent_samples"`
}

type flushedMessage struct {
	Type     string `json:"type"`
	Received int64  `json:"received_samples"`
	Sent     int64  `json:"sent_samples"`
	Dropped  int    `json:"dropped_samples"`
}

type statsMessage struct {
	Type         string  `json:"type"`
	Seconds      float64 `json:"seconds"`
	Queue        float64 `json:"queue_ms"`
	QueueMax     float64 `json:"queue_max_ms"`
	Ahead        float64 `json:"ahead_ms"`
	Dropped      float64 `json:"dropped_ms"`
	DroppedTotal float64 `json:"dropped_total_ms"`
	Late         int     `json:"late"`
	RTF          float64 `json:"rtf"`
	ChunkP99     float64 `json:"chunk_p99_ms"`
	InputDB      float64 `json:"input_db"`
	InputPeakDB  float64 `json:"input_peak_db"`
	OutputDB     float64 `json:"output_db"`
	OutputPeakDB float64 `json:"output_peak_db"`
	Received     int64   `json:"received_samples"`
	Sent         int64   `json:"sent_samples"`
	SpeakerHz    float64 `json:"speaker_hz"`
}

// sendJSON writes a text frame. Several goroutines may write.
func (ss *session) sendJSON(ctx context.Context, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return ss.write(ctx, websocket.MessageText, text)
}

func (ss *session) write(ctx context.Context, kind websocket.MessageType, b []byte) error {
	// A write that is broken off by ctx would end the connection without a word of why.
	patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), readPatience)
	defer cancel()
	err := ss.conn.Write(patient, kind, b)
	if err != nil && patient.Err() != nil {
		return patient.Err()
	}
	return err
}

// sendSound writes samples, with b as room for them, and counts them.
func (ss *session) sendSound(ctx context.Context, b []byte, y []float32) ([]byte, error) {
	b = b[:0]
	for _, v := range y {
		if ss.format == audio.F32LE {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		} else {
			b = binary.LittleEndian.AppendUint16(b, uint16(int16(math.RoundToEven(float64(max(-1, min(1, v)))*math.MaxInt16))))
		}
	}
	if err := ss.write(ctx, websocket.MessageBinary, b); err != nil {
		return b, err
	}
	ss.mu.Lock()
	ss.sent += int64(len(y))
	ss.mu.Unlock()
	return b, nil
}

// samplesOf reads a binary frame. ok is false where it holds no whole samples, or what is no number.
func samplesOf(dst []float32, b []byte, f audio.Format) (x []float32, ok bool) {
	n := f.BytesPerSample()
	if len(b)%n != 0 {
		return nil, false
	}
	for ; len(b) > 0; b = b[n:] {
		v := float32(0)
		if f == audio.F32LE {
			v = math.Float32frombits(binary.LittleEndian.Uint32(b))
		} else {
			v = float32(int16(binary.LittleEndian.Uint16(b))) / (1 << 15)
		}
		if v-v != 0 {
			return nil, false
		}
		dst = append(dst, max(-1, min(1, v)))
	}
	return dst, true
}

func milliseconds(d time.Duration) float64 { return math.Round(d.Seconds()*1e5) / 100 }
