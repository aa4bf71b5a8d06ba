//go:build generate

// Command asm writes the assembly of package simd: go generate in its folder runs it once per instruction set.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// target is the instruction set that is being written.
type target struct {
	suffix string          // of every function's name
	lanes  int             // float32 in a vector
	wide   bool            // AVX-512
	tables map[string]bool // constants that stand in the file already
}

func (t target) vec() reg.VecVirtual {
	if t.wide {
		return ZMM()
	}
	return YMM()
}

func (t target) vecs(n int) []reg.VecVirtual {
	v := make([]reg.VecVirtual, n)
	for i := range v {
		v[i] = t.vec()
	}
	return v
}

func (t target) bytes() int { return 4 * t.lanes }

func (t target) function(name, signature, doc string) {
	TEXT(name+t.suffix, NOSPLIT, signature)
	Pragma("noescape")
	Doc(name + t.suffix + " " + doc)
}

func (t target) features() {
	TEXT("features"+t.suffix, NOSPLIT, "func() uint32")
	Doc("features" + t.suffix + " is ECX of CPUID's first leaf.")
	MOVL(U32(1), reg.EAX)
	XORL(reg.ECX, reg.ECX)
	CPUID()
	Store(reg.ECX, ReturnIndex(0))
	RET()
}

const attrRODATA = attr.RODATA | attr.NOPTR

func main() {
	set := flag.String("isa", "", "instruction set: avx2, avx512 or neon")
	ConstraintExpr("!purego")
	flag.Parse()
	if *set == "neon" {
		if err := writeNEON("kernels_neon_arm64.s", "kernels_neon_arm64.go", "simd"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	var t target
	switch *set {
	case "avx2":
		t = target{suffix: "AVX2", lanes: 8}
	case "avx512":
		t = target{suffix: "AVX512", lanes: 16, wide: true}
	default:
		fmt.Fprintf(os.Stderr, "isa %q: unknown\n", *set)
		os.Exit(2)
	}
	t.tables = map[string]bool{}
	t.products()
	t.pointwise()
	t.rows()
	t.fft()
	if !t.wide {
		t.features()
	}
	Generate()
}
