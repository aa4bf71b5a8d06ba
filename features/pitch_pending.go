package features

// noPitch stands in for the F0 tracker: every frame is unvoiced.
type noPitch struct {
	cfg      Config
	received int
	emitted  int
}

func newNoPitch(cfg Config) *noPitch { return &noPitch{cfg: cfg} }

func (p *noPitch) Process(dst, x []float32) []float32 {
	p.received += len(x)
	for p.emitted*p.cfg.Hop+p.cfg.WinLength/2 <= p.received {
		dst = append(dst, 0)
		p.emitted++
	}
	return dst
}

func (p *noPitch) Flush(dst []float32) []float32 {
	for ; p.emitted < p.cfg.NumFrames(p.received); p.emitted++ {
		dst = append(dst, 0)
	}
	return dst
}

func (p *noPitch) Reset() { p.received, p.emitted = 0, 0 }
