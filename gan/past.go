package gan

// PastFrames is how many frames before a frame can change what the generator makes of it: a stretch that begins so much earlier
// comes out of Generator.Offline the same as if all before it were there.
func (c Config) PastFrames() int { return c.receptivePast() }
