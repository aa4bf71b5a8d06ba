package mark

// Info is what a mark says, in 24 bits, 6 of which check the others.
type Info struct {
	Program int `json:"program"` // 1 for vc, 0 to 7
	Format  int `json:"format"`  // of the mark, 0 to 7
	Voice   int `json:"voice"`   // VoiceNumber of the voice's name, 0 where it has none
}

// What this program writes.
const (
	Program = 1
	Format  = 1
)

const voiceBits = 12

// Of is the mark of a voice, by its name; "" is for voices without one, such as mixtures.
func Of(voice string) Info { return Info{Program, Format, VoiceNumber(voice)} }

// VoiceNumber is a number from 1 to 4095 that belongs to a name; different names may have the same. It is 0 for "".
func VoiceNumber(name string) int {
	if name == "" {
		return 0
	}
	h := uint32(2166136261) // FNV-1a, by Fowler, Noll and Vo
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return 1 + int(h%(1<<voiceBits-1))
}

// word is info with its check.
func (i Info) word() uint32 {
	w := uint32(i.Program&7) | uint32(i.Format&7)<<3 | uint32(i.Voice&(1<<voiceBits-1))<<6
	return w | check(w)<<18
}

// check is of 6 bits, each of which depends on all of w.
func check(w uint32) uint32 { return w * 0x9e3779b1 >> 26 }

// symbols are the parts of the word that are written one beside the other.
func (i Info) symbols() (s [symbols]int) {
	w := i.word()
	for k := range s {
		s[k] = int(w >> (k * symbolBits) & (1<<symbolBits - 1))
	}
	return s
}
