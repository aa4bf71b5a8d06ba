//go:build generate

package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// stream walks over n elements of several slices in step, a vector at a time, and lets body work on each. The last,
// partial vector goes through the same body with masked loads, which give zeros behind the end, and masked stores. n
// and the slices' registers are used up.
func (t target) stream(label string, n reg.Register, slices []reg.Register, body func(s span)) {
	Label(label + "loop")
	CMPQ(n, U8(t.lanes))
	JL(LabelRef(label + "tail"))
	body(span{target: t, slices: slices})
	for _, s := range slices {
		ADDQ(U8(t.bytes()), s)
	}
	SUBQ(U8(t.lanes), n)
	JMP(LabelRef(label + "loop"))
	Label(label + "tail")
	TESTQ(n, n)
	JZ(LabelRef(label + "done"))
	body(span{target: t, slices: slices, mask: t.mask(n)})
	Label(label + "done")
}

// span is where a stream stands.
type span struct {
	target
	slices []reg.Register
	mask   reg.Register // nil for a whole vector
}

func (s span) load(i int) reg.VecVirtual {
	v, m := s.vec(), Mem{Base: s.slices[i]}
	switch {
	case s.mask == nil:
		VMOVUPS(m, v)
	case s.wide:
		VMOVUPS_Z(m, s.mask, v)
	default:
		VMASKMOVPS(m, s.mask, v)
	}
	return v
}

func (s span) store(i int, v reg.VecVirtual) {
	m := Mem{Base: s.slices[i]}
	switch {
	case s.mask == nil:
		VMOVUPS(v, m)
	case s.wide:
		VMOVUPS(v, s.mask, m)
	default:
		VMASKMOVPS(v, s.mask, m)
	}
}

// clear zeroes what lies behind the end.
func (s span) clear(v reg.VecVirtual) {
	switch {
	case s.mask == nil:
	case s.wide:
		VMOVAPS_Z(v, s.mask, v)
	default:
		VANDPS(v, s.mask, v)
	}
}

// mask selects the first n elements, fewer than a vector.
func (t target) mask(n reg.Register) reg.Register {
	if t.wide {
		bits, k := GP64(), K()
		MOVQ(I32(-1), bits)
		SHLXQ(n, bits, bits)
		NOTQ(bits)
		KMOVW(bits.As32(), k)
		return k
	}
	// A window into eight words of ones followed by eight of zeros.
	const table = "window"
	if !t.tables[table] {
		t.tables[table] = true
		GLOBL(table, attrRODATA)
		for i := range 16 {
			word := U32(0)
			if i < 8 {
				word = U32(math.MaxUint32)
			}
			DATA(4*i, word)
		}
	}
	address, back, m := GP64(), GP64(), YMM()
	LEAQ(NewDataAddr(NewStaticSymbol(table), 32), address)
	MOVQ(n, back)
	SHLQ(U8(2), back)
	SUBQ(back, address)
	VMOVDQU(Mem{Base: address}, m)
	return m
}

// splat fills a register with a constant.
func (t target) splat(c float64) reg.VecVirtual {
	return t.splatBits(math.Float32bits(float32(c)))
}

func (t target) splatBits(bits uint32) reg.VecVirtual {
	name := fmt.Sprintf("c%08x", bits)
	if !t.tables[name] {
		t.tables[name] = true
		GLOBL(name, attrRODATA)
		DATA(0, U32(bits))
	}
	v := t.vec()
	VBROADCASTSS(NewDataAddr(NewStaticSymbol(name), 0), v)
	return v
}

// polynomial evaluates c[0] x^(n-1) + ... + c[n-1].
func (t target) polynomial(x reg.VecVirtual, c ...float64) reg.VecVirtual {
	p := t.splat(c[0])
	for _, k := range c[1:] {
		VFMADD213PS(t.splat(k), x, p)
	}
	return p
}

// round rounds to the nearest integer, ties to even.
func (t target) round(v reg.VecVirtual) reg.VecVirtual {
	n := t.vec()
	if t.wide {
		VRNDSCALEPS(U8(0), v, n)
	} else {
		VROUNDPS(U8(8), v, n)
	}
	return n
}

// limit keeps v between two constants. A NaN stays one: the instructions return their second source for it.
func (t target) limit(v reg.VecVirtual, low, high float64) {
	VMINPS(v, t.splat(high), v)
	VMAXPS(v, t.splat(low), v)
}

// total adds up the elements of v and fills a register with the sum.
func (t target) total(v reg.VecVirtual) reg.VecVirtual {
	sum, half := YMM(), YMM()
	if t.wide {
		VEXTRACTF64X4(U8(1), v, half)
		VADDPS(half, v.AsY(), sum)
	} else {
		VMOVAPS(v, sum)
	}
	VEXTRACTF128(U8(1), sum, half.AsX())
	VADDPS(half.AsX(), sum.AsX(), sum.AsX())
	VPERMILPS(U8(0x4e), sum.AsX(), half.AsX())
	VADDPS(half.AsX(), sum.AsX(), sum.AsX())
	VPERMILPS(U8(0xb1), sum.AsX(), half.AsX())
	VADDPS(half.AsX(), sum.AsX(), sum.AsX())
	all := t.vec()
	VBROADCASTSS(sum.AsX(), all)
	return all
}
