package corpus

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"github.com/starvc/vc/features"
)

// Embedder tells who speaks: the cosine of the embeddings of two recordings is great if it is the same person. Frames have the
// features of the set. An error stands for too little speech.
type Embedder func(features.Frames) ([]float32, error)

// What counts as several people. Pieces are put together, the two groups first whose pieces are most alike on the average, down to
// apartCosine.
const (
	apartCosine  = 0.57
	groupShare   = 0.12 // of the time: a smaller group is chance, a cough, a raised voice
	groupPieces  = 3
	mostCompared = 400 // pieces of a speaker
)

// group is some pieces of a speaker that sound like one person.
type group struct {
	pieces []int
	frames int
}

// people puts the pieces of a speaker whose embeddings are not nil into groups, the longest first.
func people(embeddings [][]float32, frames []int) []group {
	var groups []group
	for i, e := range embeddings {
		if e != nil && len(groups) < mostCompared {
			groups = append(groups, group{[]int{i}, frames[i]})
		}
	}
	// like[a][b] is the mean cosine between the pieces of two groups.
	like := make([][]float64, len(groups))
	for a := range groups {
		like[a] = make([]float64, len(groups))
		for b := range groups {
			like[a][b] = cosine(embeddings[groups[a].pieces[0]], embeddings[groups[b].pieces[0]])
		}
	}
	for {
		best, x, y := apartCosine, -1, -1
		for a := range groups {
			for b := range a {
				if groups[a].pieces != nil && groups[b].pieces != nil && like[a][b] > best {
					best, x, y = like[a][b], a, b
				}
			}
		}
		if x < 0 {
			break
		}
		m, n := float64(len(groups[x].pieces)), float64(len(groups[y].pieces))
		for c := range groups {
			v := (m*like[x][c] + n*like[y][c]) / (m + n)
			like[x][c], like[c][x] = v, v
		}
		groups[x].pieces = append(groups[x].pieces, groups[y].pieces...)
		groups[x].frames += groups[y].frames
		groups[y].pieces = nil
	}
	groups = slices.DeleteFunc(groups, func(g group) bool { return g.pieces == nil })
	slices.SortStableFunc(groups, func(a, b group) int { return b.frames - a.frames })
	return groups
}

func cosine(a, b []float32) float64 {
	var dot, aa, bb float64
	for i := range a {
		dot += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return dot / math.Sqrt(aa*bb)
}

// several are the groups that are long enough to be people, if there are two or more; nil for one person.
func several(groups []group) []group {
	total := 0
	for _, g := range groups {
		total += g.frames
	}
	var long []group
	for _, g := range groups {
		if len(g.pieces) >= groupPieces && float64(g.frames) >= groupShare*float64(total) {
			long = append(long, g)
		}
	}
	if len(long) < 2 {
		return nil
	}
	return long
}

// peopleAdvice says that a speaker's recordings are of several people, and which, by the names of the pieces.
func peopleAdvice(name string, groups []group, label func(piece int) string, seconds float64) string {
	text := fmt.Sprintf("these sound like %d people, who would become one voice between them:", len(groups))
	for i, g := range groups {
		if i > 0 {
			text += "; and"
		}
		var names []string
		for _, p := range g.pieces {
			if l := label(p); !slices.Contains(names, l) {
				names = append(names, l)
			}
		}
		slices.Sort(names)
		text += fmt.Sprintf(" %.1f min (%s)", float64(g.frames)*seconds/60, someOf(names, 3))
	}
	return text + fmt.Sprintf("; keep those of %s and take the others out, or give each a folder", name)
}

// lookForPeople adds to the advice where the utterances of a speaker sound like several people.
func (s *SpeakerReport) lookForPeople(us []Utterance, embed Embedder, perFrame float64) {
	embeddings, frames := make([][]float32, len(us)), make([]int, len(us))
	for i, u := range us {
		frames[i] = u.Frames.Len()
		if i*mostCompared/len(us) == (i-1)*mostCompared/len(us) && i > 0 { // of very many, mostCompared spread evenly
			continue
		}
		if e, err := embed(u.Frames); err == nil {
			embeddings[i] = e
		}
	}
	found := several(people(embeddings, frames))
	if found == nil {
		return
	}
	label := func(i int) string {
		if slices.ContainsFunc(s.Cut, func(c CutFile) bool { return c.Path == us[i].Path }) {
			return fmt.Sprintf("%s at %s", filepath.Base(us[i].Path), clock(float64(us[i].Start)*perFrame))
		}
		return filepath.Base(us[i].Path)
	}
	s.Advice = append(s.Advice, peopleAdvice(s.Name, found, label, perFrame))
}
