package audio

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// ffmpegNames are what ffmpeg calls tags that it names otherwise.
var ffmpegNames = map[string]string{"TRACKNUMBER": "track", "DISCNUMBER": "disc", "ALBUMARTIST": "album_artist"}

// encode has ffmpeg write the samples that fill gives into f, in the format that f's name ends in. As in convert no shell is
// involved and no network is opened. The process and its children end with ctx, and when it takes nothing and writes nothing for
// the time of f's patience.
func (p ffmpeg) encode(ctx context.Context, f *os.File, s Sound, picture string, fill func(Encoder) error) error {
	if err := s.check(); err != nil {
		return err
	}
	outer := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.program, encodeArguments(f.Name(), s, picture)...)
	cmd.Env = append(os.Environ(), "AV_LOG_FORCE_NOCOLOR=1")
	words := &firstBytes{most: ffmpegWords}
	cmd.Stderr = words
	cmd.WaitDelay = time.Second
	ownGroup(cmd)
	cmd.Cancel = func() error { return endGroup(cmd) }
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("ffmpeg cannot be started: %w", err)
	}
	e := &pipeEncoder{counter: counter{sound: s}, w: stdin, grown: func() int64 {
		info, err := f.Stat()
		if err != nil {
			return 0
		}
		return info.Size()
	}}
	stalled := e.watch(ctx, p.patience, cancel)
	fillErr := fill(e)
	if fillErr == nil {
		fillErr = e.end()
	}
	e.waits.Store(true)
	if fillErr != nil && !e.broken {
		cancel() // what is there is not wanted
	}
	stdin.Close()
	waitErr := cmd.Wait()
	cancel()
	said := words.lines("")
	switch {
	case outer.Err() != nil:
		return outer.Err()
	case <-stalled:
		return fmt.Errorf("ffmpeg took nothing for %s and was ended%s", p.patience, said)
	case fillErr != nil && !e.broken:
		return fillErr
	case waitErr != nil && said != "":
		return fmt.Errorf("ffmpeg cannot write it%s", said)
	case waitErr != nil:
		return fmt.Errorf("ffmpeg cannot write it: %w", waitErr)
	case fillErr != nil:
		return fmt.Errorf("ffmpeg ended before it had all samples%s", said)
	}
	if info, err := f.Stat(); err != nil || info.Size() == 0 {
		return errors.Join(err, fmt.Errorf("ffmpeg wrote nothing%s", said))
	}
	return p.verify(outer, f.Name(), samplesDuration(s.Frames, s.Rate))
}

// encodedLess is how much shorter than the sound a container may say it is: encoders round to frames. WavPack says 0.
const encodedLess = 300 * time.Millisecond

// verify has ffmpeg go through the packets of a file that it has made, for it may end without an error where a write has failed, as on a
// full disk: version 5.1 does with an index that could not be written.
func (p ffmpeg) verify(ctx context.Context, path string, want time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, 10*p.patience+want/10)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.program, "-nostdin", "-hide_banner", "-v", "error", "-xerror", "-protocol_whitelist", "file,pipe",
		"-i", "file:"+path, "-map", "0:a:0", "-c", "copy", "-progress", "pipe:1", "-f", "null", "-")
	words, progress := &firstBytes{most: ffmpegWords}, &lastTime{}
	cmd.Stdout, cmd.Stderr = progress, words
	cmd.WaitDelay = time.Second
	ownGroup(cmd)
	cmd.Cancel = func() error { return endGroup(cmd) }
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("what ffmpeg wrote is not whole (is the disk full?): %w%s", err, words.lines(""))
	}
	if have, known := progress.time(); known && have > 0 && have < want-want/100-encodedLess {
		return fmt.Errorf("what ffmpeg wrote is not whole (is the disk full?): it lasts %v, want %v", have, want)
	}
	return nil
}

// lastTime keeps the last out_time_us of what ffmpeg says of its progress.
type lastTime struct{ text []byte }

func (l *lastTime) Write(b []byte) (int, error) {
	const most = 1 << 12
	if l.text = append(l.text, b...); len(l.text) > 2*most {
		l.text = l.text[:copy(l.text, l.text[len(l.text)-most:])]
	}
	return len(b), nil
}

func (l *lastTime) time() (d time.Duration, known bool) {
	_, rest, found := cutLast(string(l.text), "out_time_us=")
	line, _, _ := strings.Cut(rest, "\n")
	us, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	return time.Duration(us) * time.Microsecond, found && err == nil
}

// cutLast is strings.Cut at the last place.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func encodeArguments(path string, s Sound, picture string) []string {
	args := []string{"-nostdin", "-hide_banner", "-v", "error", "-y", "-protocol_whitelist", "file,pipe",
		"-f", "f32le", "-ar", strconv.Itoa(s.Rate), "-ac", strconv.Itoa(s.Channels)}
	if s.Channels > 2 && s.Layout != 0 {
		args = append(args, "-channel_layout", fmt.Sprintf("0x%x", uint32(s.Layout)))
	}
	args = append(args, "-i", "pipe:0")
	if picture != "" {
		args = append(args, "-protocol_whitelist", "file,pipe", "-i", "file:"+picture, "-map", "0:a", "-map", "1:v?", "-c:v", "copy",
			"-map_chapters", "1")
		if Ending(picture) == Ending(path) {
			args = append(args, "-map", "1:s?", "-c:s", "copy")
		}
	}
	if picture == "" {
		args = append(args, "-xerror") // a write that fails at the end is an error; so is a damaged packet, which pictures may have
	}
	args = append(args, "-map_metadata", "-1")
	for _, t := range s.Tags {
		if t.Name == "ENCODER" {
			continue // that is ffmpeg
		}
		name := t.Name
		if own, ok := ffmpegNames[name]; ok {
			name = own
		}
		args = append(args, "-metadata", strings.ToLower(name)+"="+t.Value)
	}
	return append(args, "file:"+path)
}

// pipeEncoder gives samples to a process as raw floats.
type pipeEncoder struct {
	counter
	w      io.Writer
	buf    []byte
	broken bool         // the process takes no more
	grown  func() int64 // bytes of the file that it writes
	waits  atomic.Bool  // for the process, now
	taken  atomic.Int64
}

func (e *pipeEncoder) Write(x []float32) error {
	if err := e.take(x); err != nil {
		return err
	}
	const most = 1 << 13
	for len(x) > 0 {
		e.buf = e.buf[:0]
		for _, v := range x[:min(len(x), most)] {
			e.buf = binary.LittleEndian.AppendUint32(e.buf, math.Float32bits(clip(v)))
		}
		x = x[min(len(x), most):]
		e.waits.Store(true)
		n, err := e.w.Write(e.buf)
		e.waits.Store(false)
		e.taken.Add(int64(n))
		if err != nil {
			e.broken = true
			return err
		}
	}
	return nil
}

func (e *pipeEncoder) Close() error { return e.end() }

// watch calls cancel when the process is waited for and nothing has moved for the time of patience. The channel says whether it
// did, once ctx has ended.
func (e *pipeEncoder) watch(ctx context.Context, patience time.Duration, cancel func()) <-chan bool {
	stalled := make(chan bool, 1)
	go func() {
		tick := time.NewTicker(patience)
		defer tick.Stop()
		for last := int64(-1); ; {
			select {
			case <-ctx.Done():
				stalled <- false
				return
			case <-tick.C:
			}
			now := int64(-1)
			if e.waits.Load() {
				now = e.taken.Load() + e.grown()
			}
			if now >= 0 && now == last {
				stalled <- true
				cancel()
				return
			}
			last = now
		}
	}()
	return stalled
}
