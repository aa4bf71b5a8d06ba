//go:build generate

package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// products writes one kernel for each width of panel: with six rows, the widest fills the registers with
// accumulators and needs the fewest loads for a multiplication.
func (t target) products() {
	for _, w := range []weights{{t, false}, {t, true}} {
		if t.wide {
			w.product(4)
		}
		w.product(2)
		w.product(1)
		if !t.wide {
			w.across(1, 4)
			w.across(2, 2)
		}
	}
}

// weights are of 32 bits, or of 16 that become 32 in the register.
type weights struct {
	target
	half bool
}

// size is that of a vector of them in memory.
func (t weights) size() int {
	if t.half {
		return t.bytes() / 2
	}
	return t.bytes()
}

func (t weights) load(m Mem, v reg.VecVirtual) {
	if t.half {
		VCVTPH2PS(m, v)
	} else {
		VMOVUPS(m, v)
	}
}

// begin starts a function that takes weights.
func (t weights) begin(name, parameters, doc string) {
	w := "float32"
	if t.half {
		name += "Half"
		w, doc = "uint16", doc+" The weights are binary16."
	}
	t.function(name, fmt.Sprintf(parameters, w), doc)
}

// blockRows is the number of rows that are multiplied at once.
const blockRows = 6

// product multiplies any number of rows by a panel of v vectors. The accumulators of a block stay in registers for
// the whole depth; each begins with its start value and adds its products in ascending order, in whatever block.
func (t weights) product(v int) {
	t.begin(fmt.Sprintf("product%d", v*t.lanes), "func(dst *float32, dstStride int, x *float32, xStride int, w *%s, k int, start *float32, rows int)",
		fmt.Sprintf("sets rows rows of dst, %d columns each, to start plus rows of x, k numbers each, times the panel w.", v*t.lanes))
	p := panel{weights: t, v: v}
	p.dst = Load(Param("dst"), GP64())
	p.dstStride = Load(Param("dstStride"), GP64())
	p.x = Load(Param("x"), GP64())
	p.xStride = Load(Param("xStride"), GP64())
	p.w = Load(Param("w"), GP64())
	p.start = Load(Param("start"), GP64())
	rows := Load(Param("rows"), GP64())
	SHLQ(U8(2), p.dstStride)
	SHLQ(U8(2), p.xStride)

	Label("next")
	// Seven and eight rows are better cut in the middle than into six and one or two, which wait for the weights.
	CMPQ(rows, U8(8))
	JEQ(LabelRef("rows4"))
	CMPQ(rows, U8(7))
	JEQ(LabelRef("rows4"))
	for r := blockRows - 1; r >= 0; r-- {
		CMPQ(rows, U8(r))
		JEQ(LabelRef(fmt.Sprintf("rows%d", r)))
	}
	for r := blockRows; r >= 1; r-- {
		Label(fmt.Sprintf("rows%d", r))
		p.block(r)
		for range r {
			ADDQ(p.xStride, p.x)
		}
		SUBQ(U8(r), rows)
		JMP(LabelRef("next"))
	}
	Label("rows0")
	VZEROUPPER()
	RET()
}

// panel holds the arguments of a product.
type panel struct {
	weights
	v                                    int
	dst, dstStride, x, xStride, w, start reg.Register
}

// block multiplies r rows at x and moves dst behind them.
func (p panel) block(r int) {
	acc := make([][]reg.VecVirtual, r)
	for i := range acc {
		acc[i] = p.vecs(p.v)
		for j := range acc[i] {
			VMOVUPS(Mem{Base: p.start, Disp: j * p.bytes()}, acc[i][j])
		}
	}
	// Three rows share a base: they lie 0, 1 and 2 strides behind it.
	bases := make([]reg.Register, (r+2)/3)
	for i := range bases {
		bases[i] = GP64()
		if i == 0 {
			MOVQ(p.x, bases[0])
			continue
		}
		LEAQ(Mem{Base: bases[i-1], Index: p.xStride, Scale: 2}, bases[i])
		ADDQ(p.xStride, bases[i])
	}
	k := Load(Param("k"), GP64())
	w := GP64()
	MOVQ(p.w, w)

	step := func(u int) {
		b := p.vecs(p.v)
		for j := range b {
			p.load(Mem{Base: w, Disp: (u*p.v + j) * p.size()}, b[j])
		}
		for i := range acc {
			m := Mem{Base: bases[i/3], Disp: 4 * u}
			if i%3 > 0 {
				m.Index, m.Scale = p.xStride, uint8(i%3)
			}
			if p.wide && p.v == 1 {
				VFMADD231PS_BCST(m, b[0], acc[i][0])
				continue
			}
			a := p.vec()
			VBROADCASTSS(m, a)
			for j := range b {
				VFMADD231PS(a, b[j], acc[i][j])
			}
		}
	}
	advance := func(n int) {
		for _, b := range bases {
			ADDQ(U8(4*n), b)
		}
		ADDQ(U32(n*p.v*p.size()), w)
	}
	const unroll = 2
	name := fmt.Sprintf("rows%d", r)
	SUBQ(U8(unroll), k)
	JL(LabelRef(name + "odd"))
	Label(name + "loop")
	for u := range unroll {
		step(u)
	}
	advance(unroll)
	SUBQ(U8(unroll), k)
	JGE(LabelRef(name + "loop"))
	Label(name + "odd")
	CMPQ(k, I8(-unroll))
	JE(LabelRef(name + "store"))
	step(0)
	Label(name + "store")
	for i := range acc {
		for j := range acc[i] {
			VMOVUPS(acc[i][j], Mem{Base: p.dst, Disp: j * p.bytes()})
		}
		ADDQ(p.dstStride, p.dst)
	}
}

// across multiplies few rows by several of the widest panels at once. An accumulator waits four cycles for its next sum, in which two
// vectors a cycle could be multiplied: one panel and one row keep two of eight places busy, so a live stream, which has one or two rows at a time, needs
// more panels. Only AVX2 does: with AVX-512 a panel has four vectors, and the weights do not come faster than that from
// the second-level cache. Sums are added up in the order of product.
func (t weights) across(rows, panels int) {
	const v = 2 // vectors in a panel
	columns := panels * v * t.lanes
	t.begin(fmt.Sprintf("across%dx%d", rows, columns), "func(dst *float32, dstStride int, x *float32, xStride int, w *%s, k int, start *float32)",
		fmt.Sprintf("sets %d rows of dst, %d columns, to start plus rows of x, k numbers each, times the %d panels at w.", rows, columns, panels))
	dst := Load(Param("dst"), GP64())
	dstStride := Load(Param("dstStride"), GP64())
	x := Load(Param("x"), GP64())
	xStride := Load(Param("xStride"), GP64())
	w := Load(Param("w"), GP64())
	k := Load(Param("k"), GP64())
	start := Load(Param("start"), GP64())
	SHLQ(U8(2), dstStride)
	SHLQ(U8(2), xStride)
	panel := GP64() // bytes
	IMUL3Q(U32(v*t.size()), k, panel)
	from := make([]Mem, panels)
	third := GP64()
	for i := range from {
		switch i {
		case 0:
			from[i] = Mem{Base: w}
		case 3:
			LEAQ(Mem{Base: w, Index: panel, Scale: 1}, third)
			from[i] = Mem{Base: third, Index: panel, Scale: 2}
		default:
			from[i] = Mem{Base: w, Index: panel, Scale: uint8(i)}
		}
	}
	acc := make([][]reg.VecVirtual, rows)
	for r := range acc {
		acc[r] = t.vecs(panels * v)
		for j := range acc[r] {
			VMOVUPS(Mem{Base: start, Disp: j * t.bytes()}, acc[r][j])
		}
	}
	step := func(u int) {
		a := t.vecs(rows)
		for r := range a {
			m := Mem{Base: x, Disp: 4 * u}
			if r == 1 {
				m.Index, m.Scale = xStride, 1
			}
			VBROADCASTSS(m, a[r])
		}
		for j := range panels * v {
			m := from[j/v]
			m.Disp = (u*v + j%v) * t.size()
			if rows == 1 && !t.half {
				VFMADD231PS(m, a[0], acc[0][j])
				continue
			}
			b := t.vec()
			t.load(m, b)
			for r := range acc {
				VFMADD231PS(a[r], b, acc[r][j])
			}
		}
	}
	advance := func(n int) {
		ADDQ(U8(4*n), x)
		ADDQ(U32(n*v*t.size()), w)
		if panels > 3 {
			ADDQ(U32(n*v*t.size()), third)
		}
	}
	const unroll = 2
	SUBQ(U8(unroll), k)
	JL(LabelRef("odd"))
	Label("loop")
	for u := range unroll {
		step(u)
	}
	advance(unroll)
	SUBQ(U8(unroll), k)
	JGE(LabelRef("loop"))
	Label("odd")
	CMPQ(k, I8(-unroll))
	JE(LabelRef("store"))
	step(0)
	Label("store")
	for r := range acc {
		for j := range acc[r] {
			VMOVUPS(acc[r][j], Mem{Base: dst, Disp: j * t.bytes()})
		}
		if r < rows-1 {
			ADDQ(dstStride, dst)
		}
	}
	VZEROUPPER()
	RET()
}
