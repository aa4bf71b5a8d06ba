package device

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// FreeMemory is the number of bytes that training can take on the device at this moment, as the system tells them; 0 where it
// does not tell. It is that of whole cards for CUDA, four fifths of which XLA takes.
func (d Device) FreeMemory() int64 {
	h := thisHost()
	if d.Kind == "cuda" {
		driver, err := h.driver()
		if err != nil || len(driver.Cards) == 0 {
			return 0
		}
		card := driver.Cards[min(d.Card, len(driver.Cards)-1)]
		return card.Memory / 5 * 4 * int64(max(1, d.Cards))
	}
	return h.availableMemory()
}

// availableMemory is MemAvailable of /proc/meminfo, in bytes.
func (h host) availableMemory() int64 {
	f, err := os.Open(h.path("proc/meminfo"))
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) >= 2 && fields[0] == "MemAvailable:" {
			n, _ := strconv.ParseInt(fields[1], 10, 64)
			return n << 10
		}
	}
	return 0
}
