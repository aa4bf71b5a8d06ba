package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

const usualColumns = 80 // of a terminal that does not say how wide it is

// columns is the width of the terminal that w writes to.
func columns(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return usualColumns
}
