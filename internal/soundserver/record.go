package soundserver

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/jfreymuth/pulse/proto"
)

const (
	bytesPerSample = 4
	recordBuffer   = 2 * time.Second // that the server keeps while we stand still
)

// RecordConfig says what to record.
type RecordConfig struct {
	Source   Device
	Rate     int           // Hz; the server resamples where the device has another
	Fragment time.Duration // in which the sound shall come
	Title    string        // that mixers show
}

// Recorder gives the sound of a source.
type Recorder struct {
	server   *Server
	index    uint32
	rate     int
	fragment time.Duration
	latency  time.Duration

	mu   sync.Mutex
	come *sync.Cond
	x    []float32
	err  error
}

// Record makes a recorder, which records from Start on.
func (s *Server) Record(c RecordConfig) (*Recorder, error) {
	r := &Recorder{server: s, rate: c.Rate}
	r.come = sync.NewCond(&r.mu)
	q := proto.CreateRecordStream{
		SampleSpec:      proto.SampleSpec{Format: proto.FormatFloat32LE, Channels: 1, Rate: uint32(c.Rate)},
		ChannelMap:      proto.ChannelMap{proto.ChannelMono},
		SourceIndex:     c.Source.Index,
		BufferMaxLength: bytesIn(recordBuffer, c.Rate),
		BufferFragSize:  bytesIn(c.Fragment, c.Rate),
		// The device then shall give its sound as often as we want it; without this the server asks it for no haste.
		EarlyRequests:      true,
		Corked:             true,
		DirectOnInputIndex: proto.Undefined,
		// Else the server might give us our own virtual microphone once a device has gone.
		NoMove:         true,
		ChannelVolumes: proto.ChannelVolumes{uint32(proto.VolumeNorm)},
		Properties:     proto.PropList{"media.name": proto.PropListString(c.Title), "media.role": proto.PropListString("phone")},
	}
	var reply proto.CreateRecordStreamReply
	if err := s.request(&q, &reply); err != nil {
		return nil, fmt.Errorf("recording from %q: %w", c.Source.Name, err)
	}
	r.index = reply.StreamIndex
	r.fragment = lasting(int(reply.BufferFragSize), c.Rate)
	r.latency = time.Duration(reply.SourceLatency) * time.Microsecond
	s.mu.Lock()
	s.recorders[r.index] = r
	s.mu.Unlock()
	return r, nil
}

// Start begins to record.
func (r *Recorder) Start() error {
	return r.server.request(&proto.CorkRecordStream{StreamIndex: r.index}, nil)
}

func bytesIn(d time.Duration, rate int) uint32 {
	return uint32(math.Round(d.Seconds()*float64(rate))) * bytesPerSample
}

func lasting(bytes, rate int) time.Duration {
	return time.Duration(float64(bytes) / (bytesPerSample * float64(rate)) * float64(time.Second))
}

// Buffers are what the server was asked for and has granted: the fragment in which sound comes, and the sound that the device itself
// gathers before it gives any.
func (r *Recorder) Buffers() (fragment, device time.Duration) { return r.fragment, r.latency }

func (r *Recorder) receive(data []byte) {
	r.mu.Lock()
	if most := 10 * r.rate; len(r.x) < most { // nobody reads any more
		for ; len(data) >= bytesPerSample; data = data[bytesPerSample:] {
			r.x = append(r.x, math.Float32frombits(binary.LittleEndian.Uint32(data)))
		}
	}
	r.mu.Unlock()
	r.come.Signal()
}

func (r *Recorder) end(err error) {
	r.mu.Lock()
	if r.err == nil {
		r.err = err
	}
	r.mu.Unlock()
	r.come.Broadcast()
}

// Read puts into x what has been recorded, one sample at least. It waits for it, until the device has gone or the connection is closed.
func (r *Recorder) Read(x []float32) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.x) == 0 && r.err == nil {
		r.come.Wait()
	}
	n := copy(x, r.x)
	r.x = r.x[:copy(r.x, r.x[n:])]
	if n == 0 {
		return 0, r.err
	}
	return n, nil
}

// Settle records for so long, forgets what came, and returns how late sound is when it comes, as the server sees it: about 0 for a
// microphone, and less for a sink that gives what it will play in a moment.
func (r *Recorder) Settle(d time.Duration) (time.Duration, error) {
	const every = time.Millisecond
	least := time.Hour
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(every) {
		late, err := r.late()
		if err != nil {
			return 0, err
		}
		least = min(least, late)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.x = r.x[:0]
	return least, r.err
}

// late is how long ago the sound was made that comes next.
func (r *Recorder) late() (time.Duration, error) {
	var l proto.GetRecordLatencyReply
	if err := r.server.request(&proto.GetRecordLatency{StreamIndex: r.index}, &l); err != nil {
		return 0, err
	}
	device := time.Duration(l.Latency)*time.Microsecond - time.Duration(l.MonitorLatency)*time.Microsecond
	return device + lasting(int(l.WriteIndex-l.ReadIndex), r.rate), nil
}
