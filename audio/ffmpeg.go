package audio

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	// ownEndings are those of the formats that are read here, foreignEndings those that an ffmpeg is asked for.
	ownEndings     = []string{".wav", ".wave", ".w64", ".rf64", ".flac", ".mp3", ".ogg", ".oga"}
	foreignEndings = []string{".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".au", ".avi", ".caf", ".m4a", ".m4b", ".mka",
		".mkv", ".mov", ".mp2", ".mp4", ".mpg", ".opus", ".snd", ".webm", ".wma", ".wmv", ".wv", ".3gp"}
)

// IsRecording reports whether a name ends like that of a recording or a video, which [ReadFile] may be able to read. own
// says that it does so without an ffmpeg.
func IsRecording(name string) (recording, own bool) {
	ending := strings.ToLower(filepath.Ext(name))
	own = slices.Contains(ownEndings, ending)
	return own || slices.Contains(foreignEndings, ending), own
}

// HasFFmpeg reports whether there is an ffmpeg on the PATH.
func HasFFmpeg() bool {
	_, err := exec.LookPath("ffmpeg")
	return err == nil
}

// ffmpegPatience is how long ffmpeg may give nothing before it is ended.
const ffmpegPatience = 30 * time.Second

// ffmpegWords bounds what is kept of its messages, in bytes.
const ffmpegWords = 4096

// ffmpeg asks a program for what is not read here.
type ffmpeg struct {
	program  string
	patience time.Duration
}

// convert decodes the file at path, or what stdin gives where path is empty, with ffmpeg. No shell is involved, the name
// cannot be taken for an option or an address, and no network is opened. The process and its children end with ctx.
func (f ffmpeg) convert(ctx context.Context, path string, stdin io.Reader, to *receiver) (Clip, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	input := "pipe:0"
	if path != "" {
		input = "file:" + path
	}
	cmd := exec.CommandContext(ctx, f.program, "-nostdin", "-hide_banner", "-v", "error", "-protocol_whitelist", "file,pipe",
		"-i", input, "-map", "0:a:0", "-vn", "-sn", "-dn", "-c:a", "pcm_f32le", "-f", "wav", "pipe:1")
	cmd.Env = append(os.Environ(), "AV_LOG_FORCE_NOCOLOR=1")
	cmd.Stdin = stdin
	words := &firstBytes{most: ffmpegWords}
	cmd.Stderr = words
	cmd.WaitDelay = time.Second // for a pipe that some child of it keeps open
	ownGroup(cmd)
	cmd.Cancel = func() error { return endGroup(cmd) }
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return Clip{}, err
	}
	if err := cmd.Start(); err != nil {
		return Clip{}, fmt.Errorf("ffmpeg cannot be started: %w", err)
	}
	watch := &watchedReader{r: stdout}
	stalled := watch.watch(ctx, f.patience, cancel)
	clip, decodeErr := decodeWAV(bufio.NewReaderSize(watch, readAhead), to)
	if decodeErr != nil {
		cancel() // whatever else it would say is not wanted
	}
	waitErr := cmd.Wait()
	cancel()
	var exit *exec.ExitError
	said := words.lines(path)
	switch {
	case <-stalled:
		return Clip{}, fmt.Errorf("ffmpeg gave nothing for %s and was ended%s", f.patience, said)
	case watch.bytes.Load() == 0 && errors.As(waitErr, &exit):
		if said == "" {
			said = ": " + waitErr.Error()
		}
		return Clip{}, fmt.Errorf("ffmpeg cannot read it%s", said)
	case decodeErr == io.EOF:
		return Clip{}, fmt.Errorf("ffmpeg gave no sound%s", said)
	case decodeErr != nil:
		return Clip{}, fmt.Errorf("what ffmpeg made of it: %w%s", decodeErr, said)
	case waitErr != nil:
		return Clip{}, fmt.Errorf("ffmpeg failed after %s (%w)%s", secondsOf(to.frames, clip.Rate), waitErr, said)
	case said != "":
		clip.Warnings = append(clip.Warnings, "ffmpeg complains"+said)
	}
	return clip, nil
}

// watchedReader counts what comes.
type watchedReader struct {
	r     io.Reader
	bytes atomic.Int64
}

func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.bytes.Add(int64(n))
	return n, err
}

// watch calls cancel when nothing has come for the time of patience. The channel says whether it did, once ctx has ended.
func (w *watchedReader) watch(ctx context.Context, patience time.Duration, cancel func()) <-chan bool {
	stalled := make(chan bool, 1)
	go func() {
		tick := time.NewTicker(patience)
		defer tick.Stop()
		for last := int64(0); ; {
			select {
			case <-ctx.Done():
				stalled <- false
				return
			case <-tick.C:
				now := w.bytes.Load()
				if now == last {
					stalled <- true
					cancel()
					return
				}
				last = now
			}
		}
	}()
	return stalled
}

// firstBytes keeps the beginning of what is written to it.
type firstBytes struct {
	mu   sync.Mutex
	most int
	b    []byte
	more bool
}

func (f *firstBytes) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := min(len(p), f.most-len(f.b))
	f.b = append(f.b, p[:n]...)
	f.more = f.more || n < len(p)
	return len(p), nil
}

// lines words the first few lines for an error, with a colon before them; nothing where there are none. What stands in the
// error already, the name of the file, is left out, and so is what a terminal would obey.
func (f *firstBytes) lines(path string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	text := strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r == 0x7f {
			return -1
		}
		return r
	}, string(bytes.ToValidUTF8(f.b, nil)))
	var kept []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if path != "" {
			line = strings.TrimPrefix(line, "file:"+path+": ")
		}
		if line == "" {
			continue
		}
		if len(kept) == 3 {
			kept = append(kept, "...")
			break
		}
		if runes := []rune(line); len(runes) > 200 {
			line = string(runes[:200]) + "..."
		}
		kept = append(kept, line)
	}
	if len(kept) == 0 {
		return ""
	}
	return ": " + strings.Join(kept, "; ")
}
