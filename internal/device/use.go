package device

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Use watches how busy a device's cards are, with an nvidia-smi that tells it once a second until Close.
type Use struct {
	mu   sync.Mutex
	sums CardUse // not divided yet
	told int     // lines that had watts

	cmd  *exec.Cmd
	out  *os.File      // what it tells
	done chan struct{} // closed once it has ended; nil where nothing is watched
}

// CardUse is how busy cards were over some time. Without Samples nothing is known, and all else is 0.
type CardUse struct {
	Samples int     // one a second and card
	Busy    float64 // mean share of the time in which a card was computing anything at all, 0 to 1
	Memory  int64   // bytes, the most that any one card had given away, to this program or others
	Watts   float64 // mean of one card; 0 where it does not tell
}

// WatchUse begins to watch the cards of a CUDA device. With another device, without nvidia-smi, or where that says nothing of the
// kind, there are never any samples. The caller closes it. On Linux nvidia-smi ends with this program, however that ends.
func WatchUse(d Device) *Use {
	u := &Use{}
	if d.Kind != "cuda" {
		return u
	}
	cards := d.cardNames(os.Getenv("CUDA_VISIBLE_DEVICES"))
	if len(cards) == 0 {
		return u
	}
	u.start(exec.Command("nvidia-smi", "--query-gpu=utilization.gpu,memory.used,power.draw", "--format=csv,noheader,nounits",
		"-l", "1", "-i", strings.Join(cards, ",")))
	return u
}

// cardNames are the device's cards as nvidia-smi knows them, which CUDA_VISIBLE_DEVICES does not move: it counts all cards, XLA
// only those that are named there, by number or by UUID.
func (d Device) cardNames(visible string) []string {
	var names []string
	for i := range max(1, d.Cards) {
		names = append(names, strconv.Itoa(d.Card+i))
	}
	if visible == "" {
		return names
	}
	shown := strings.Split(strings.ReplaceAll(visible, " ", ""), ",")
	if d.Card+len(names) > len(shown) {
		return nil
	}
	return slices.Clone(shown[d.Card : d.Card+len(names)])
}

// start runs the command and reads what it tells until it ends.
func (u *Use) start(cmd *exec.Cmd) {
	out, in, err := os.Pipe()
	if err != nil {
		return
	}
	cmd.Stdout = in
	dieWithParent(cmd)
	done, started := make(chan struct{}), make(chan error)
	go func() {
		defer close(done)
		defer out.Close()
		runtime.LockOSThread() // for Linux a child's parent is the thread that started it, which is to live as long
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		in.Close()
		started <- err
		if err != nil {
			return
		}
		u.read(out)
		cmd.Process.Kill() // where it has ended its output, or tells something else without end
		cmd.Wait()
	}()
	if <-started == nil {
		u.cmd, u.out, u.done = cmd, out, done
	}
}

// read takes lines until there are no more; the last one counts only when it is whole.
func (u *Use) read(r io.Reader) {
	for lines := bufio.NewReader(r); ; {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return
		}
		u.add(string(line))
	}
}

// add takes a line such as "93, 41234, 305.12": per cent, MiB, watts. A card that does not tell one of them says "[N/A]" there, or
// "[Not Supported]"; without the first a line is no sample.
func (u *Use) add(line string) {
	fields := strings.Split(line, ",")
	if len(fields) != 3 {
		return
	}
	number := func(i int, most float64) float64 {
		v, err := strconv.ParseFloat(strings.TrimSpace(fields[i]), 64)
		if err != nil || !(v >= 0 && v <= most) {
			return -1
		}
		return v
	}
	busy := number(0, 100)
	if busy < 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sums.Samples++
	u.sums.Busy += busy / 100
	u.sums.Memory = max(u.sums.Memory, int64(number(1, 1<<40))<<20)
	if watts := number(2, 1e6); watts > 0 {
		u.sums.Watts += watts
		u.told++
	}
}

// Take returns what was seen since the last Take, or since the beginning. It may be called after Close too.
func (u *Use) Take() CardUse {
	u.mu.Lock()
	defer u.mu.Unlock()
	seen := u.sums
	if seen.Samples > 0 {
		seen.Busy /= float64(seen.Samples)
	}
	if u.told > 0 {
		seen.Watts /= float64(u.told)
	}
	u.sums, u.told = CardUse{}, 0
	return seen
}

// closeTime is how long Close waits at most: a card that hangs does not let go of nvidia-smi, even when that is killed.
const closeTime = 3 * time.Second

// Close ends nvidia-smi and waits until it is gone.
func (u *Use) Close() {
	if u.done == nil {
		return
	}
	u.cmd.Process.Kill()
	u.out.Close()
	select {
	case <-u.done:
	case <-time.After(closeTime):
	}
}
