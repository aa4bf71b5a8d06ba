//go:build generate

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func (t target) rows() {
	t.layerNorm()
	t.depthwise()
}

// layerNorm reads each row three times: for the mean, for the variance, and to write it.
func (t target) layerNorm() {
	t.function("layerNorm", "func(dst *float32, x *float32, gain *float32, bias *float32, rows int, width int, perWidth float32, eps float32)",
		"normalises rows rows of width numbers; perWidth is 1/width.")
	dst := Load(Param("dst"), GP64())
	x := Load(Param("x"), GP64())
	rows := Load(Param("rows"), GP64())
	perWidth, eps := t.vec(), t.vec()
	broadcast := func(name string, v reg.VecVirtual) {
		c, err := Param(name).Resolve()
		if err != nil {
			panic(err)
		}
		VBROADCASTSS(c.Addr, v)
	}
	broadcast("perWidth", perWidth)
	broadcast("eps", eps)

	Label("row")
	pass := func(label string, from []reg.Register, body func(s span)) {
		n := Load(Param("width"), GP64())
		slices := make([]reg.Register, len(from))
		for i, f := range from {
			r := GP64()
			MOVQ(f, r)
			slices[i] = r
		}
		t.stream(label, n, slices, body)
	}
	zero := func() reg.VecVirtual {
		v := t.vec()
		VXORPS(v, v, v)
		return v
	}
	sum := zero()
	pass("mean", []reg.Register{x}, func(s span) { VADDPS(s.load(0), sum, sum) })
	mean := t.total(sum)
	VMULPS(perWidth, mean, mean)
	squares := zero()
	pass("variance", []reg.Register{x}, func(s span) {
		d := s.load(0)
		VSUBPS(mean, d, d)
		s.clear(d)
		VFMADD231PS(d, d, squares)
	})
	scale := t.total(squares)
	VFMADD213PS(eps, perWidth, scale)
	VSQRTPS(scale, scale)
	VDIVPS(scale, t.splat(1), scale)
	gain := Load(Param("gain"), GP64())
	bias := Load(Param("bias"), GP64())
	pass("write", []reg.Register{dst, x, gain, bias}, func(s span) {
		v := s.load(1)
		VSUBPS(mean, v, v)
		VMULPS(scale, v, v)
		VFMADD213PS(s.load(3), s.load(2), v)
		s.store(0, v)
	})
	width := Load(Param("width"), GP64())
	LEAQ(Mem{Base: x, Index: width, Scale: 4}, x)
	LEAQ(Mem{Base: dst, Index: width, Scale: 4}, dst)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// depthwise walks over the channels of a frame and, for each vector of them, over the taps.
func (t target) depthwise() {
	t.function("depthwise", "func(dst *float32, x *float32, w *float32, b *float32, frames int, width int, taps int)",
		"convolves frames frames of width channels.")
	dst := Load(Param("dst"), GP64())
	x := Load(Param("x"), GP64())
	frames := Load(Param("frames"), GP64())
	stride := Load(Param("width"), GP64())
	SHLQ(U8(2), stride)

	Label("frame")
	n := Load(Param("width"), GP64())
	w := Load(Param("w"), GP64())
	b := Load(Param("b"), GP64())
	from := GP64()
	MOVQ(x, from)
	part := 0
	t.stream("channels", n, []reg.Register{dst, b, from, w}, func(s span) {
		part++
		label := []string{"", "taps", "lasttaps"}[part]
		sum := s.load(1)
		tap := span{target: t, mask: s.mask, slices: []reg.Register{GP64(), GP64()}}
		MOVQ(from, tap.slices[0])
		MOVQ(w, tap.slices[1])
		taps := Load(Param("taps"), GP64())
		Label(label)
		VFMADD231PS(tap.load(0), tap.load(1), sum)
		ADDQ(stride, tap.slices[0])
		ADDQ(stride, tap.slices[1])
		DECQ(taps)
		JNZ(LabelRef(label))
		s.store(0, sum)
		if s.mask != nil {
			LEAQ(Mem{Base: dst, Index: n, Scale: 4}, dst)
		}
	})
	ADDQ(stride, x)
	DECQ(frames)
	JNZ(LabelRef("frame"))
	VZEROUPPER()
	RET()
}
