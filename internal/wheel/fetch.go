package wheel

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// stallTime is how long a server may say nothing.
const stallTime = 30 * time.Second

// attempts is how often a download is begun again where it broke off, as long as something arrives.
const attempts = 6

// Fetcher downloads files.
type Fetcher struct {
	Client *http.Client
	Stall  time.Duration // give up when nothing arrives for so long; 0 means 30 s
	Pause  time.Duration // before the second attempt, then doubling; 0 means 1 s
}

// errChecksum is a whole download with another content than wanted.
var errChecksum = errors.New("checksum")

// permanent is an answer that asking again does not change.
type permanent struct{ error }

// Fetch downloads a file into folder, under its name, unless it is there already. A download that breaks off is kept
// as NAME.part and goes on from there, now or the next time. progress is told the number of bytes that are there.
func (f Fetcher) Fetch(ctx context.Context, address string, p Pin, folder string, progress func(bytes int64)) (string, error) {
	path := filepath.Join(folder, p.File)
	if fileMatches(path, p) == nil {
		progress(p.Bytes)
		return path, nil
	}
	part := path + ".part"
	pause := f.Pause
	if pause == 0 {
		pause = time.Second
	}
	var err error
	for try := 0; try < attempts; try++ {
		if try > 0 {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return "", ctx.Err()
			}
			pause = min(2*pause, stallTime)
		}
		before := length(part)
		err = f.continueInto(ctx, address, p, part, progress)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		var final permanent
		if errors.As(err, &final) {
			return "", fmt.Errorf("%s: %w", p.File, final.error)
		}
		if length(part) > before {
			try = 0 // it moves
		}
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w: run the command again to go on from there", p.File, err)
	}
	if err := fileMatches(part, p); err != nil {
		os.Remove(part)
		return "", indexErrorf("%s: %w: what came is damaged or another file and was thrown away; try again", p.File, err)
	}
	if err := os.Rename(part, path); err != nil {
		return "", fmt.Errorf("%s: %w", p.File, err)
	}
	return path, nil
}

// continueInto makes one attempt to bring part to its full length.
func (f Fetcher) continueInto(ctx context.Context, address string, p Pin, part string, progress func(int64)) error {
	have := length(part)
	if have > p.Bytes {
		have = 0
	}
	if have == p.Bytes {
		return nil
	}
	stall := f.Stall
	if stall == 0 {
		stall = stallTime
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(stall, func() { cancel(fmt.Errorf("nothing arrived for %v", stall)) })
	defer watch.Stop()
	explain := func(err error) error {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return plain(err)
	}

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return permanent{err}
	}
	if have > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	response, err := f.Client.Do(request)
	if err != nil {
		return explain(err)
	}
	defer response.Body.Close()
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	switch code := response.StatusCode; {
	case code == http.StatusPartialContent && strings.HasPrefix(response.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", have)):
	case code == http.StatusOK, code == http.StatusPartialContent:
		flags |= os.O_TRUNC // a server that cannot go on begins again
		if have > 0 && code == http.StatusPartialContent {
			return permanent{indexErrorf("the server sends another part than it was asked for")}
		}
		have = 0
	case code >= 500, code == http.StatusTooManyRequests:
		return fmt.Errorf("the server answers %s", response.Status)
	default:
		return permanent{indexErrorf("the server answers %s", response.Status)}
	}
	file, err := os.OpenFile(part, flags, 0o666)
	if err != nil {
		return permanent{err}
	}
	defer file.Close()
	buffer := make([]byte, 1<<18)
	body := io.LimitReader(response.Body, p.Bytes-have+1) // one more would be another file
	for {
		n, err := body.Read(buffer)
		if n > 0 {
			watch.Reset(stall)
			if _, werr := file.Write(buffer[:n]); werr != nil {
				return permanent{fmt.Errorf("%w: free some space, then run the command again to go on", werr)}
			}
			have += int64(n)
			progress(have)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return explain(err)
		}
	}
	if have < p.Bytes {
		return fmt.Errorf("broke off after %d of %d bytes", have, p.Bytes)
	}
	if err := file.Close(); err != nil {
		return permanent{err}
	}
	return nil
}

func length(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// fileMatches compares a file with its pin.
func fileMatches(path string, p Pin) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() != p.Bytes {
		return fmt.Errorf("%w: it has %d bytes, want %d", errChecksum, info.Size(), p.Bytes)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != p.SHA256 {
		return fmt.Errorf("%w: SHA-256 is %s, want %s", errChecksum, got, p.SHA256)
	}
	return nil
}
