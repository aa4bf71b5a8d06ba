// Command load puts a running "vc serve" under load and prints what it measured: live streams in real time, more and more of them
// until the server refuses; conversions, more at a time than there are cores; connections that send nothing or nonsense; and a mixture
// of all for a while, with the server's memory and goroutines before and after.
//
//	go run ./bench/clients/load -url http://127.0.0.1:8080 -streams 40 -seconds 10 -recording in.wav
//
// The server's limit on requests of one address must be out of the way (--rate-limit 1000).
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/starvc/vc/audio"
)

const (
	rate  = 48000
	chunk = 960 // samples, 20 ms
)

type load struct {
	url, voice string
	sound      []float32 // at rate
	file       []byte
}

func main() {
	log.SetFlags(0)
	address := flag.String("url", "http://127.0.0.1:8080", "of the server")
	voice := flag.String("voice", "lj", "to convert to")
	recording := flag.String("recording", "", "of speech")
	most := flag.Int("streams", 64, "live streams to try at most")
	seconds := flag.Int("seconds", 10, "for each number of streams, and for conversions")
	idle := flag.Int("idle", 1000, "connections that send nothing or nonsense; 0 for none")
	soak := flag.Duration("soak", 0, "how long all at once goes on")
	rest := flag.Duration("rest", 0, "between two conversions of the soak, to leave the machine time for other things")
	speakers := flag.Int("speakers", 4, "who speak all the time of the soak")
	flag.Parse()
	file, err := os.ReadFile(*recording)
	if err != nil {
		log.Fatal(err)
	}
	clip, err := audio.ReadFile(*recording)
	if err != nil {
		log.Fatal(err)
	}
	l := &load{url: *address, voice: *voice, file: file, sound: audio.Resample(clip.Samples, clip.Rate, rate)}
	if *most > 0 {
		fmt.Println("live streams at a time, 48 kHz, latency normal (chunks of 20 ms); delay beyond what the server announced")
		for _, n := range []int{1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96} {
			if n > *most || !l.streams(n, time.Duration(*seconds)*time.Second) {
				break
			}
		}
		l.conversions(time.Duration(*seconds) * time.Second)
	}
	if *idle > 0 {
		l.idle(*idle)
	}
	if *soak > 0 {
		l.soak(*soak, *rest, *speakers)
	}
}

// measured is what became of one stream.
type measured struct {
	late    []float64 // ms beyond what was announced, by chunk sent
	dropped float64   // ms
	p99     float64   // ms, of a chunk, as the server says
	err     error
}

// start is the message that begins a stream.
func (l *load) start() []byte {
	return fmt.Appendf(nil, `{"type":"start","format":"s16le","sample_rate":%d,"voice":%q}`, rate, l.voice)
}

// stream speaks for a while, in real time.
func (l *load) stream(ctx context.Context, lasts time.Duration) (m measured) {
	conn, res, err := websocket.Dial(ctx, l.url+"/v1/stream", nil)
	if err != nil {
		if res != nil {
			err = fmt.Errorf("refused: %d, Retry-After %s", res.StatusCode, res.Header.Get("Retry-After"))
		}
		return measured{err: err}
	}
	defer conn.CloseNow()
	conn.SetReadLimit(1 << 22)
	if err := conn.Write(ctx, websocket.MessageText, l.start()); err != nil {
		return measured{err: err}
	}
	var ready struct {
		Latency float64 `json:"latency_ms"`
		First   int     `json:"first_samples"`
	}
	_, text, err := conn.Read(ctx)
	if err != nil {
		return measured{err: err}
	}
	if err := json.Unmarshal(text, &ready); err != nil {
		return measured{err: err}
	}
	began := time.Now()
	n := int(lasts.Seconds() * rate)
	go func() {
		var b []byte
		for at, length := 0, ready.First; at < n; at, length = at+length, chunk {
			b = b[:0]
			for k := range length {
				b = binary.LittleEndian.AppendUint16(b, uint16(int16(32767*l.sound[(at+k)%len(l.sound)])))
			}
			time.Sleep(time.Until(began.Add(time.Duration(at+length) * time.Second / rate)))
			if conn.Write(ctx, websocket.MessageBinary, b) != nil {
				return
			}
		}
		conn.Write(ctx, websocket.MessageText, []byte(`{"type":"stop"}`))
	}()
	got, droppedSamples := 0, 0
	for {
		kind, b, err := conn.Read(ctx)
		if err != nil {
			if websocket.CloseStatus(err) != websocket.StatusNormalClosure {
				m.err = err
			}
			return m
		}
		if kind == websocket.MessageText {
			var s struct {
				Type    string  `json:"type"`
				Dropped float64 `json:"dropped_total_ms"`
				P99     float64 `json:"chunk_p99_ms"`
			}
			if json.Unmarshal(b, &s) == nil && s.Type == "stats" {
				m.dropped, m.p99 = s.Dropped, max(m.p99, s.P99)
				droppedSamples = int(s.Dropped * rate / 1000)
			}
			continue
		}
		// The first sample of the frame was spoken so long ago; the announced delay holds for the last one that a player waits for.
		spoken := time.Duration(float64(got+droppedSamples) / rate * float64(time.Second))
		got += len(b) / 2
		if got+droppedSamples < n-rate/5 { // not what the flush brings
			m.late = append(m.late, time.Since(began).Seconds()*1000-spoken.Seconds()*1000-ready.Latency)
		}
	}
}

// streams runs so many at a time, and is false where some were refused.
func (l *load) streams(n int, lasts time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), lasts+time.Minute)
	defer cancel()
	all := make([]measured, n)
	var wait sync.WaitGroup
	for i := range all {
		wait.Go(func() {
			time.Sleep(time.Duration(i) * 20 * time.Millisecond / time.Duration(n)) // not all in step
			all[i] = l.stream(ctx, lasts)
		})
	}
	wait.Wait()
	var late []float64
	dropped, p99, refused, failed := 0.0, 0.0, 0, 0
	why := ""
	for _, m := range all {
		if m.err != nil {
			why = m.err.Error()
			if strings.HasPrefix(why, "refused") || websocket.CloseStatus(m.err) == websocket.StatusTryAgainLater {
				refused++
			} else {
				failed++
			}
			continue
		}
		late, dropped, p99 = append(late, m.late...), dropped+m.dropped, max(p99, m.p99)
	}
	slices.Sort(late)
	fmt.Printf("%3d streams: delay p50 %+.1f p99 %+.1f max %+.1f ms; chunk p99 at worst %.1f ms; dropped %.0f ms in all; refused %d, failed %d  %s\n",
		n, at(late, 0.5), at(late, 0.99), at(late, 1), p99, dropped, refused, failed, why)
	return refused == 0
}

func at(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	return sorted[int(p*float64(len(sorted)-1))]
}

// convert asks for one conversion, and says which code came.
func (l *load) convert(ctx context.Context) (int, error) {
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	w, err := m.CreateFormFile("audio", "in")
	if err != nil {
		return 0, err
	}
	w.Write(l.file)
	m.Close()
	r, err := http.NewRequestWithContext(ctx, "POST", l.url+"/v1/speech-to-speech/"+url.PathEscape(l.voice)+"?output_format=pcm_24000", &body)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", m.FormDataContentType())
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

func (l *load) conversions(lasts time.Duration) {
	for _, n := range []int{1, 4, 32} {
		ctx, cancel := context.WithTimeout(context.Background(), lasts)
		var codes sync.Map
		var wait sync.WaitGroup
		began := time.Now()
		for range n {
			wait.Go(func() {
				for ctx.Err() == nil {
					code, err := l.convert(ctx)
					if err != nil && ctx.Err() != nil {
						return
					}
					count, _ := codes.LoadOrStore(code, new(atomic.Int64))
					count.(*atomic.Int64).Add(1)
					if code == http.StatusServiceUnavailable {
						time.Sleep(time.Second)
					}
				}
			})
		}
		wait.Wait()
		cancel()
		took := time.Since(began)
		fmt.Printf("%3d clients converting a recording of %.1f s:", n, float64(len(l.sound))/rate)
		codes.Range(func(code, count any) bool {
			fmt.Printf("  %v: %.0f a minute", code, float64(count.(*atomic.Int64).Load())/took.Minutes())
			return true
		})
		fmt.Println()
	}
}

// idle opens connections that send nothing or nonsense, and asks something beside them.
func (l *load) idle(n int) {
	u, err := url.Parse(l.url)
	if err != nil {
		log.Fatal(err)
	}
	before := l.state()
	var conns []net.Conn
	for i := range n {
		c, err := net.Dial("tcp", u.Host)
		if err != nil {
			fmt.Printf("%d connections are all that can be had: %v\n", i, err)
			break
		}
		conns = append(conns, c)
		switch i % 3 {
		case 1:
			io.WriteString(c, "\x16\x03\x01nonsense\r\n\r\n")
		case 2:
			io.WriteString(c, "GET /v1/voices HTTP/1.1\r\nHost: local")
		}
	}
	var took []float64
	for range 20 {
		began := time.Now()
		res, err := http.Get(l.url + "/v1/voices")
		if err != nil {
			log.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		took = append(took, time.Since(began).Seconds()*1000)
	}
	slices.Sort(took)
	during := l.state()
	fmt.Printf("%d connections of nothing or nonsense: /v1/voices beside them takes p50 %.1f, at worst %.1f ms\n", len(conns), at(took, 0.5), at(took, 1))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	m := l.stream(ctx, 5*time.Second)
	cancel()
	slices.Sort(m.late)
	fmt.Printf("  a live stream beside them: delay p50 %+.1f p99 %+.1f ms, dropped %.0f ms, error %v\n", at(m.late, 0.5), at(m.late, 0.99), m.dropped, m.err)
	time.Sleep(12 * time.Second) // the patience with headers
	for _, c := range conns {
		c.Close()
	}
	time.Sleep(time.Second)
	fmt.Printf("  before %s; during %s; after %s\n", before, during, l.state())
}

// state is what the server tells of itself.
func (l *load) state() string {
	res, err := http.Get(l.url + "/metrics")
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	value := func(name string) float64 {
		for line := range strings.Lines(string(b)) {
			if rest, ok := strings.CutPrefix(line, name+" "); ok {
				v, _ := strconv.ParseFloat(strings.TrimSpace(rest), 64)
				return v
			}
		}
		return math.NaN()
	}
	return fmt.Sprintf("%.0f goroutines, %.0f MiB resident, %.0f MiB heap, %.0f files", value("go_goroutines"), value("process_resident_memory_bytes")/(1<<20),
		value("go_memstats_heap_inuse_bytes")/(1<<20), value("process_open_fds"))
}

// soak does all at once for a while: streams, conversions, and clients that vanish, stall and lie.
func (l *load) soak(lasts, rest time.Duration, speakers int) {
	ctx, cancel := context.WithTimeout(context.Background(), lasts)
	defer cancel()
	fmt.Println("soak: before", l.state())
	var wait sync.WaitGroup
	var streams, conversions, vanished, stalled, lied atomic.Int64
	again := func(pause time.Duration, do func()) {
		wait.Go(func() {
			for ctx.Err() == nil {
				do()
				select {
				case <-time.After(pause):
				case <-ctx.Done():
				}
			}
		})
	}
	for i := range speakers {
		again(10*time.Millisecond, func() {
			m := l.stream(ctx, time.Duration(3+i)*time.Second)
			if m.err == nil {
				streams.Add(1)
			} else if !errors.Is(m.err, context.DeadlineExceeded) {
				time.Sleep(time.Second)
			}
		})
	}
	again(rest, func() {
		if code, _ := l.convert(ctx); code == http.StatusOK {
			conversions.Add(1)
		}
	})
	again(rest, func() {
		short, stop := context.WithTimeout(ctx, 300*time.Millisecond)
		defer stop()
		l.stream(short, time.Second)
		l.convert(short)
		vanished.Add(1)
	})
	again(time.Second, func() {
		l.stall(ctx, 20*time.Second)
		stalled.Add(1)
	})
	next := 0
	again(time.Second, func() {
		l.lie(ctx, next)
		next++
		lied.Add(1)
	})
	tick := time.NewTicker(max(lasts/8, 5*time.Second))
	defer tick.Stop()
	began := time.Now()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			fmt.Printf("  after %4.0f s: %s; %d streams, %d conversions; %d clients that vanished, %d that stalled, %d that lied\n", time.Since(began).Seconds(), l.state(),
				streams.Load(), conversions.Load(), vanished.Load(), stalled.Load(), lied.Load())
		case <-ctx.Done():
		}
	}
	wait.Wait()
	time.Sleep(3 * time.Second)
	fmt.Println("soak: after", l.state())
}

// stall begins a stream and an upload, and then neither sends nor reads until the server has had enough, or lasts is over.
func (l *load) stall(ctx context.Context, lasts time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, lasts)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, l.url+"/v1/stream", nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	conn.Write(ctx, websocket.MessageText, l.start())
	conn.Write(ctx, websocket.MessageBinary, make([]byte, 2*rate)) // a second of it at once, whose answer nobody reads
	if c, err := l.upload(ctx, "multipart/form-data; boundary=b", "--b\r\n"); err == nil {
		defer c.Close()
	}
	<-ctx.Done()
}

// upload begins to send a recording, and says that far more will come.
func (l *load) upload(ctx context.Context, contentType, beginning string) (net.Conn, error) {
	u, err := url.Parse(l.url)
	if err != nil {
		return nil, err
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(c, "POST /v1/speech-to-speech/%s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: 1000000\r\n\r\n%s",
		url.PathEscape(l.voice), u.Host, contentType, beginning)
	return c, nil
}

// lie says of itself what is not so: the i-th kind of lie.
func (l *load) lie(ctx context.Context, i int) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	first := []string{
		`{"type":"start","format":"s16le","sample_rate":48000,"voice":"nobody"}`,
		`{"type":"start","format":"s16le","sample_rate":-1}`,
		`{"type":"start","format":"mp3","sample_rate":1e300}`,
		`{"type":"stop"}`,
		`{"type":"start","format":"f32le","sample_rate":48000}`, // followed by numbers that are none
		"\x00\xff nonsense",
	}
	switch k := i % (len(first) + 2); {
	case k < len(first):
		conn, _, err := websocket.Dial(ctx, l.url+"/v1/stream", nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		if conn.Write(ctx, websocket.MessageText, []byte(first[k])) != nil {
			return
		}
		odd := bytes.Repeat([]byte{0xff, 0xff, 0xc0, 0x7f}, rate/40) // float32 NaN
		for range 4 {
			if conn.Write(ctx, websocket.MessageBinary, odd[:len(odd)-1]) != nil {
				return
			}
		}
		conn.Write(ctx, websocket.MessageText, []byte(`{"type":"set","pitch":"high"}`))
		for {
			if _, _, err := conn.Read(ctx); err != nil {
				return
			}
		}
	case k == len(first): // another thing under the name of sound
		liar := *l
		liar.file = append([]byte("RIFF\xff\xff\xff\xffWAVEfmt "), bytes.Repeat([]byte{0x7f}, 5000)...)
		liar.convert(ctx)
	default: // less than was said
		if c, err := l.upload(ctx, "audio/wav", "RIFF"); err == nil {
			c.Close()
		}
	}
}
