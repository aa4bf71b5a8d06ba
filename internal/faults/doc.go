// Package faults runs programs on a disk that fails: by strace the n-th system call of a kind is refused, or the program is killed in
// it without a word. So the program as it is, with all that it links and starts, shows what it leaves behind. It is for tests.
package faults
