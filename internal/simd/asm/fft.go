//go:build generate

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// fft writes the passes of the Fourier transform, which the Go functions describe. All lengths are whole vectors.
func (t target) fft() {
	t.split()
	t.join()
	t.stage("stage1", 1)
	t.stage("stage4", 4)
	t.stage("stageN", 0)
	t.pairs()
	t.mirror()
}

func params(names ...string) []reg.Register {
	var r []reg.Register
	for _, n := range names {
		r = append(r, Load(Param(n), GP64()))
	}
	return r
}

// order permutes the 64-bit units of v: wide ones by eight indices, narrow ones by an immediate.
func (t target) order(v reg.VecVirtual, name string, wide [8]uint64) {
	if !t.wide {
		VPERMPD(U8(0xd8), v, v)
		return
	}
	if !t.tables[name] {
		t.tables[name] = true
		GLOBL(name, attrRODATA)
		for i, index := range wide {
			DATA(8*i, U64(index))
		}
	}
	indices := t.vec()
	VMOVUPS(NewDataAddr(NewStaticSymbol(name), 0), indices)
	VPERMPD(v, indices, v)
}

func (t target) split() {
	t.function("split", "func(re *float32, im *float32, x *float32, n int)", "takes n complex numbers apart.")
	p := params("re", "im", "x", "n")
	re, im, x, n := p[0], p[1], p[2], p[3]
	Label("loop")
	a, b, even, odd := t.vec(), t.vec(), t.vec(), t.vec()
	VMOVUPS(Mem{Base: x}, a)
	VMOVUPS(Mem{Base: x, Disp: t.bytes()}, b)
	VSHUFPS(U8(0x88), b, a, even)
	VSHUFPS(U8(0xdd), b, a, odd)
	for _, v := range []reg.VecVirtual{even, odd} {
		t.order(v, "split", [8]uint64{0, 2, 4, 6, 1, 3, 5, 7})
	}
	VMOVUPS(even, Mem{Base: re})
	VMOVUPS(odd, Mem{Base: im})
	ADDQ(U8(t.bytes()), re)
	ADDQ(U8(t.bytes()), im)
	ADDQ(I32(2*t.bytes()), x)
	SUBQ(U8(t.lanes), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func (t target) join() {
	t.function("join", "func(x *float32, re *float32, im *float32, n int)", "puts n complex numbers together.")
	p := params("x", "re", "im", "n")
	x, re, im, n := p[0], p[1], p[2], p[3]
	Label("loop")
	r, i, low, high := t.vec(), t.vec(), t.vec(), t.vec()
	VMOVUPS(Mem{Base: re}, r)
	VMOVUPS(Mem{Base: im}, i)
	for _, v := range []reg.VecVirtual{r, i} {
		t.order(v, "join", [8]uint64{0, 4, 1, 5, 2, 6, 3, 7})
	}
	VUNPCKLPS(i, r, low)
	VUNPCKHPS(i, r, high)
	VMOVUPS(low, Mem{Base: x})
	VMOVUPS(high, Mem{Base: x, Disp: t.bytes()})
	ADDQ(U8(t.bytes()), re)
	ADDQ(U8(t.bytes()), im)
	ADDQ(I32(2*t.bytes()), x)
	SUBQ(U8(t.lanes), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// stage is a pass of radix 4. The results of a vector of butterflies lie stride apart: for strides of whole vectors
// they are stored there, for strides of 1 and 4 they are interleaved into four vectors that follow one another.
func (t target) stage(name string, stride int) {
	t.function(name, "func(yRe *float32, yIm *float32, xRe *float32, xIm *float32, twiddles *float32, quarter int, stride int)",
		"is a pass of radix 4.")
	p := params("yRe", "yIm", "xRe", "xIm", "twiddles", "quarter", "stride")
	y, x, twiddles, quarter, step := p[0:2], p[2:4], p[4], p[5], p[6]
	n, inner, step3 := GP64(), GP64(), GP64()
	MOVQ(quarter, n)
	SHLQ(U8(2), quarter)
	quarter3 := GP64()
	LEAQ(Mem{Base: quarter, Index: quarter, Scale: 2}, quarter3)
	if stride == 0 {
		SHLQ(U8(2), step)
		LEAQ(Mem{Base: step, Index: step, Scale: 2}, step3)
		Label("outer")
		MOVQ(step, inner)
	}
	Label("loop")
	load := func(part, j int) reg.VecVirtual {
		m := Mem{Base: x[part]}
		switch j {
		case 1, 2:
			m.Index, m.Scale = quarter, uint8(j)
		case 3:
			m.Index, m.Scale = quarter3, 1
		}
		v := t.vec()
		VMOVUPS(m, v)
		return v
	}
	// sums returns a+b and leaves a-b in a.
	sums := func(a, b reg.VecVirtual) reg.VecVirtual {
		s := t.vec()
		VADDPS(b, a, s)
		VSUBPS(b, a, a)
		return s
	}
	var sum, diff, other, turn [2]reg.VecVirtual
	for part := range 2 {
		diff[part] = load(part, 0)
		sum[part] = sums(diff[part], load(part, 2))
		turn[part] = load(part, 1)
		other[part] = sums(turn[part], load(part, 3))
	}
	var out [2][4]reg.VecVirtual
	for part := range 2 {
		out[part][0] = sum[part]
		out[part][2] = t.vec()
		VSUBPS(other[part], sum[part], out[part][2])
		VADDPS(other[part], sum[part], out[part][0])
	}
	// i (b-d) is -(b-d).im, (b-d).re.
	less, more := [2]reg.VecVirtual{t.vec(), t.vec()}, diff
	VADDPS(turn[1], diff[0], less[0])
	VSUBPS(turn[0], diff[1], less[1])
	VSUBPS(turn[1], diff[0], more[0])
	VADDPS(turn[0], diff[1], more[1])
	for part := range 2 {
		out[part][1], out[part][3] = less[part], more[part]
	}
	for j := 1; j <= 3; j++ {
		at := func(i int) Mem { return Mem{Base: twiddles, Disp: (2*j - 2 + i) * t.bytes()} }
		r, m := out[0][j], out[1][j]
		re, im, product := t.vec(), t.vec(), t.vec()
		VMOVUPS(at(0), re)
		VMOVAPS(re, im)
		VMULPS(at(1), m, product)
		VFMSUB213PS(product, r, re)
		VMULPS(at(1), r, product)
		VFMADD213PS(product, m, im)
		out[0][j], out[1][j] = re, im
	}
	for part := range 2 {
		v := out[part]
		if stride == 0 {
			for j := range v {
				m := Mem{Base: y[part]}
				switch j {
				case 1, 2:
					m.Index, m.Scale = step, uint8(j)
				case 3:
					m.Index, m.Scale = step3, 1
				}
				VMOVUPS(v[j], m)
			}
			ADDQ(U8(t.bytes()), y[part])
		} else {
			if stride == 1 {
				v = t.interleave(v)
			}
			for j, o := range t.gather(v) {
				VMOVUPS(o, Mem{Base: y[part], Disp: j * t.bytes()})
			}
			ADDQ(I32(4*t.bytes()), y[part])
		}
		ADDQ(U8(t.bytes()), x[part])
	}
	ADDQ(I32(6*t.bytes()), twiddles)
	if stride == 0 {
		SUBQ(U8(t.bytes()), inner)
		JNZ(LabelRef("loop"))
		ADDQ(step3, y[0])
		ADDQ(step3, y[1])
		MOVQ(step, inner)
		SHRQ(U8(2), inner)
		SUBQ(inner, n)
		JNZ(LabelRef("outer"))
	} else {
		SUBQ(U8(t.lanes), n)
		JNZ(LabelRef("loop"))
	}
	VZEROUPPER()
	RET()
}

// interleave transposes the 4x4 numbers in each 128-bit block of four vectors.
func (t target) interleave(v [4]reg.VecVirtual) [4]reg.VecVirtual {
	low, high := t.vecs(2), t.vecs(2)
	for i := range 2 {
		VUNPCKLPS(v[2*i+1], v[2*i], low[i])
		VUNPCKHPS(v[2*i+1], v[2*i], high[i])
	}
	VUNPCKLPD(low[1], low[0], v[0])
	VUNPCKHPD(low[1], low[0], v[1])
	VUNPCKLPD(high[1], high[0], v[2])
	VUNPCKHPD(high[1], high[0], v[3])
	return v
}

// gather puts the first 128-bit blocks of four vectors one after another, then the second ones, and so on.
func (t target) gather(v [4]reg.VecVirtual) [4]reg.VecVirtual {
	o := t.vecs(4)
	if !t.wide {
		VPERM2F128(U8(0x20), v[1], v[0], o[0])
		VPERM2F128(U8(0x20), v[3], v[2], o[1])
		VPERM2F128(U8(0x31), v[1], v[0], o[2])
		VPERM2F128(U8(0x31), v[3], v[2], o[3])
		return [4]reg.VecVirtual(o)
	}
	for i, halves := range []uint8{0x44, 0xee} {
		a, b := t.vec(), t.vec()
		VSHUFF32X4(U8(halves), v[1], v[0], a)
		VSHUFF32X4(U8(halves), v[3], v[2], b)
		VSHUFF32X4(U8(0x88), b, a, o[2*i])
		VSHUFF32X4(U8(0xdd), b, a, o[2*i+1])
	}
	return [4]reg.VecVirtual(o)
}

func (t target) pairs() {
	t.function("pairs", "func(y *float32, x *float32, half int)", "is a pass of radix 2 over one part.")
	p := params("y", "x", "half")
	y, x, half := p[0], p[1], p[2]
	distance := GP64()
	MOVQ(half, distance)
	SHLQ(U8(2), distance)
	Label("loop")
	a, b, sum := t.vec(), t.vec(), t.vec()
	VMOVUPS(Mem{Base: x}, a)
	VMOVUPS(Mem{Base: x, Index: distance, Scale: 1}, b)
	VADDPS(b, a, sum)
	VSUBPS(b, a, a)
	VMOVUPS(sum, Mem{Base: y})
	VMOVUPS(a, Mem{Base: y, Index: distance, Scale: 1})
	ADDQ(U8(t.bytes()), x)
	ADDQ(U8(t.bytes()), y)
	SUBQ(U8(t.lanes), half)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func (t target) mirror() {
	t.function("mirror", "func(yRe *float32, yIm *float32, xRe *float32, xIm *float32, table *float32, n int, scale float32)",
		"joins each number with its mirror image.")
	p := params("yRe", "yIm", "xRe", "xIm", "table", "n")
	yRe, yIm, xRe, xIm, table, n := p[0], p[1], p[2], p[3], p[4], p[5]
	scale := t.vec()
	c, err := Param("scale").Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(c.Addr, scale)
	const name = "backwards"
	GLOBL(name, attrRODATA)
	for i := range t.lanes {
		DATA(4*i, U32(t.lanes-1-i))
	}
	indices := t.vec()
	VMOVUPS(NewDataAddr(NewStaticSymbol(name), 0), indices)
	endRe, endIm := GP64(), GP64()
	LEAQ(Mem{Base: xRe, Index: n, Scale: 4, Disp: 4 - t.bytes()}, endRe)
	LEAQ(Mem{Base: xIm, Index: n, Scale: 4, Disp: 4 - t.bytes()}, endIm)

	Label("loop")
	ar, ai, br, bi, r := t.vec(), t.vec(), t.vec(), t.vec(), t.vec()
	VMOVUPS(Mem{Base: xRe}, br)
	VPERMPS(Mem{Base: endRe}, indices, r)
	VADDPS(r, br, ar)
	VSUBPS(r, br, br)
	VMOVUPS(Mem{Base: xIm}, bi)
	VPERMPS(Mem{Base: endIm}, indices, r)
	VSUBPS(r, bi, ai)
	VADDPS(r, bi, bi)
	tr, ti := t.vec(), t.vec()
	VMOVUPS(Mem{Base: table}, tr)
	VMOVUPS(Mem{Base: table, Disp: t.bytes()}, ti)
	VMULPS(scale, ar, ar)
	VMULPS(scale, ai, ai)
	VFMADD231PS(br, tr, ar)
	VFNMADD231PS(bi, ti, ar)
	VFMADD231PS(br, ti, ai)
	VFMADD231PS(bi, tr, ai)
	VMOVUPS(ar, Mem{Base: yRe})
	VMOVUPS(ai, Mem{Base: yIm})
	for _, r := range []reg.Register{xRe, xIm, yRe, yIm} {
		ADDQ(U8(t.bytes()), r)
	}
	SUBQ(U8(t.bytes()), endRe)
	SUBQ(U8(t.bytes()), endIm)
	ADDQ(I32(2*t.bytes()), table)
	SUBQ(U8(t.lanes), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
