package soundserver

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jfreymuth/pulse/proto"
)

const (
	// playBuffer is how much the server can hold.
	playBuffer = 2 * time.Second
	// beginWithin is how long a device may take to begin.
	beginWithin = 10 * time.Second
	// askEvery is how often the server is asked where it plays.
	askEvery = 100 * time.Millisecond
	// askedSlowly is an answer that took so long that it tells nothing.
	askedSlowly = 4 * time.Millisecond
)

// PlayConfig says where to play.
type PlayConfig struct {
	Sink  Device
	Rate  int           // Hz; the server resamples where the device has another
	Block time.Duration // in which the device shall take the sound
	Title string        // that mixers show
}

// Player plays on a sink. Its time line never stops: sample n is played n samples after sample 0, and what is written when its time
// has passed is not heard.
type Player struct {
	server    *Server
	index     uint32
	rate      int
	block     time.Duration
	underruns atomic.Int64
	done      chan struct{} // closed when nobody asks any more
	stop      chan struct{}

	mu      sync.Mutex
	buf     []byte
	written int64         // bytes, as the server counts them
	behind  time.Duration // from the playing of the first sample to when that was if it was played at epoch
	epoch   time.Time
	err     error
}

// Play begins a time line, which is silent as long as nothing is written.
func (s *Server) Play(c PlayConfig) (*Player, error) {
	p := &Player{server: s, rate: c.Rate, done: make(chan struct{}), stop: make(chan struct{}), epoch: time.Now()}
	q := proto.CreatePlaybackStream{
		SampleSpec:         proto.SampleSpec{Format: proto.FormatFloat32LE, Channels: 1, Rate: uint32(c.Rate)},
		ChannelMap:         proto.ChannelMap{proto.ChannelMono},
		SinkIndex:          c.Sink.Index,
		BufferMaxLength:    bytesIn(playBuffer, c.Rate),
		BufferTargetLength: bytesIn(playBuffer/2, c.Rate),
		// Without a length to wait for before playing the time line goes on when there is nothing to play.
		BufferPrebufferLength: 0,
		// With early requests this is the block in which the device takes its sound, and nothing else depends on it.
		BufferMinimumRequest: bytesIn(c.Block, c.Rate),
		EarlyRequests:        true,
		NoMove:               true,
		ChannelVolumes:       proto.ChannelVolumes{uint32(proto.VolumeNorm)},
		Properties:           proto.PropList{"media.name": proto.PropListString(c.Title), "media.role": proto.PropListString("phone")},
	}
	var reply proto.CreatePlaybackStreamReply
	if err := s.request(&q, &reply); err != nil {
		return nil, fmt.Errorf("playing to %q: %w", c.Sink.Name, err)
	}
	p.index = reply.StreamIndex
	p.block = time.Duration(reply.SinkLatency) * time.Microsecond
	s.mu.Lock()
	s.players[p.index] = p
	s.mu.Unlock()
	if err := p.begin(); err != nil {
		return nil, fmt.Errorf("playing to %q: %w", c.Sink.Name, err)
	}
	go p.follow()
	return p, nil
}

// begin waits until the time line runs. An idle sink may have played silence up to two seconds ahead before it takes any from us.
func (p *Player) begin() error {
	for deadline := time.Now().Add(beginWithin); ; time.Sleep(5 * time.Millisecond) {
		running, err := p.ask(true)
		if err != nil || running {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the device does not begin to play within %v", beginWithin)
		}
	}
}

// Block is the time in which the device takes its sound, as the server has granted it: so much at least must be there, or a part of
// it is silent.
func (p *Player) Block() time.Duration { return p.block }

// Underruns counts how often the server has had nothing to play behind something.
func (p *Player) Underruns() int64 { return p.underruns.Load() }

// follow asks the server again and again where it plays, until the connection ends.
func (p *Player) follow() {
	defer close(p.done)
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-p.stop:
			return
		}
		if _, err := p.ask(false); err != nil {
			p.end(err)
			return
		}
	}
}

// ask takes note of where the server plays, and whether it does. An answer that took long is taken only where any is better than
// none.
func (p *Player) ask(always bool) (running bool, err error) {
	var l proto.GetPlaybackLatencyReply
	asked := time.Now()
	if err := p.server.request(&proto.GetPlaybackLatency{StreamIndex: p.index}, &l); err != nil {
		return false, err
	}
	now := time.Now()
	if took := now.Sub(asked); took > askedSlowly && !always {
		return true, nil
	}
	at := asked.Add(now.Sub(asked) / 2)
	played := lasting(int(l.ReadIndex), p.rate) - time.Duration(l.Latency)*time.Microsecond
	p.mu.Lock()
	defer p.mu.Unlock()
	p.behind = at.Sub(p.epoch) - played
	if always {
		p.written = l.WriteIndex
	}
	return l.Running, nil
}

func (p *Player) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}

// Ahead is how long it takes until a sample that is written now is heard, the device's own delay included. Below 0 it is too late for it.
func (p *Player) Ahead() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ahead()
}

func (p *Player) ahead() time.Duration {
	return lasting(int(p.written), p.rate) + p.behind - time.Since(p.epoch)
}

// Write plays y behind what was written before.
func (p *Player) Write(y []float32) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.write(y)
}

func (p *Player) write(y []float32) error {
	if p.err != nil {
		return p.err
	}
	p.buf = p.buf[:0]
	for _, v := range y {
		p.buf = binary.LittleEndian.AppendUint32(p.buf, math.Float32bits(v))
	}
	if err := p.server.client.Send(p.index, p.buf); err != nil {
		return err
	}
	p.written += int64(len(p.buf))
	return nil
}

// longGap is one that is not filled with silence, but jumped over.
const longGap = 500 * time.Millisecond

// Silence plays so much silence that Ahead is d afterwards, none if it is d or more already.
func (p *Player) Silence(d time.Duration) error {
	if p.Ahead() < d-longGap {
		if err := p.server.request(&proto.FlushPlaybackStream{StreamIndex: p.index}, nil); err != nil {
			return err
		}
		if _, err := p.ask(true); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	missing := d - p.ahead()
	if missing <= 0 {
		return nil
	}
	return p.write(make([]float32, bytesIn(min(missing, playBuffer/2), p.rate)/bytesPerSample))
}

// Close waits until all has been played that was written, for no longer than it takes, and ends the player.
func (p *Player) Close() error {
	if d := p.Ahead(); d > 0 {
		select {
		case <-time.After(min(d, playBuffer)):
		case <-p.server.closed:
		}
	}
	close(p.stop)
	<-p.done
	p.server.mu.Lock()
	delete(p.server.players, p.index)
	p.server.mu.Unlock()
	return p.server.request(&proto.DeletePlaybackStream{StreamIndex: p.index}, nil)
}
