package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// keyboard is a terminal that gives keys as they are pressed, without showing them. Ctrl-C stays what it is.
type keyboard struct {
	fd    int
	saved *unix.Termios
}

// openKeyboard returns nil where f is no terminal.
func openKeyboard(f io.Reader) *keyboard {
	file, ok := f.(*os.File)
	if !ok {
		return nil
	}
	fd := int(file.Fd())
	saved, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil
	}
	quiet := *saved
	quiet.Lflag &^= unix.ICANON | unix.ECHO
	quiet.Cc[unix.VMIN], quiet.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &quiet); err != nil {
		return nil
	}
	return &keyboard{fd, saved}
}

func (k *keyboard) close() { unix.IoctlSetTermios(k.fd, unix.TCSETS, k.saved) }

// takeKeys carries out what is asked for by keys, where there is a terminal. The context that it returns ends with ctx, or when
// a key asks for the end. The reading of keys is left to the end of the process.
func (l *live) takeKeys(ctx context.Context, status *liveStatus) (context.Context, func()) {
	ctx, end := context.WithCancel(ctx)
	status.voice(l.set.voiceChoice.named())
	var board *keyboard
	if l.env.stdinIsTerminal {
		board = openKeyboard(l.env.stdin)
	}
	if board == nil {
		status.begin(ctx, "")
		return ctx, end
	}
	status.begin(ctx, "m mute  n p voice  + - pitch  q end")
	lines := make(chan string, controlLines)
	if file := l.control; file != nil {
		go func() {
			for {
				select {
				case line := <-file:
					lines <- line
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	l.control = lines
	keys := liveKeys{voices: speakerNames(l.model.Voices()), pitch: l.set.pitch, status: status}
	keys.at = slices.Index(keys.voices, l.set.to)
	go func() {
		in := bufio.NewReader(l.env.stdin)
		for {
			key, err := readKey(in)
			if err != nil {
				return
			}
			if key == 'q' {
				end()
				return
			}
			if line := keys.line(key); line != "" {
				select {
				case lines <- line:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return ctx, func() { end(); board.close() }
}

// readKey reads a key; the arrows count as the keys that do the same.
func readKey(in *bufio.Reader) (byte, error) {
	b, err := in.ReadByte()
	if err != nil || b != 0x1b || in.Buffered() < 2 {
		return b, err
	}
	if next, _ := in.ReadByte(); next != '[' {
		return next, nil
	}
	arrow, err := in.ReadByte()
	return map[byte]byte{'A': '+', 'B': '-', 'C': 'n', 'D': 'p'}[arrow], err
}

// liveKeys turns keys into lines as a control file has them.
type liveKeys struct {
	voices []string
	at     int // of the voice at hand, -1 for none of them
	pitch  float64
	muted  bool
	status *liveStatus
}

func (k *liveKeys) line(key byte) string {
	switch key {
	case 'm', ' ':
		k.muted = !k.muted
		k.status.mute(k.muted)
		if k.muted {
			return "mute on"
		}
		return "mute off"
	case 'n', 'p':
		if key == 'n' {
			k.at++
		} else if k.at--; k.at < 0 {
			k.at = len(k.voices) - 1
		}
		k.at %= len(k.voices)
		k.status.voice(k.voices[k.at])
		return "to " + k.voices[k.at]
	case '+', '=', '-':
		if key == '-' {
			k.pitch--
		} else {
			k.pitch++
		}
		k.status.pitch(k.pitch)
		return fmt.Sprintf("pitch %g", k.pitch)
	}
	return ""
}
