package train

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/run"
)

// AddVoice are the settings of a run that adds voices to a trained model, as one that begins with a model does.
//
// Such a run keeps the model's whole table of speakers, with their recordings or without. It trains on the voices at hand:
// for each crop the model as it was says the crop in an old voice, in the stored style or one of F's draws, and G learns to
// still say the same (the anchor), and to make the crop itself out of that (so it hears other voices, though there are no
// recordings of any). The bodies of E and F rest; their new heads learn at the full rate, G's decoder at a share of it.
type AddVoice struct {
	On        bool    `json:"on"`        // as a run that begins with a model sets it; false trains all weights on the speakers at hand alone
	Anchor    float64 `json:"anchor"`    // weight of the loss that keeps the old voices
	RestShare float64 `json:"restShare"` // share of the rate that G gets, which all voices share
}

// groupBase holds what a run that adds voices keeps of the model that it began with: G, F and the stored styles. It
// never changes and travels in every snapshot.
const groupBase = "base"

const storedStyles = "speakers.style"

// forAddedVoices are the defaults of a run that begins with --init: few steps, on top of the model's own preset. A thorough one has
// more, and D joins near its end.
func (c Config) forAddedVoices(thorough bool) Config {
	c.AddVoice.On = true
	c.Steps, c.WarmUpShare, c.SourceShare = 600, 1, 1
	c.RampSteps, c.DecayShare, c.EMA = 100, 0.5, 0.99
	c.BackTranslation = 0 // its steps have none
	c.ValidEvery, c.SnapshotEvery = 100, 100
	if thorough {
		c.Steps, c.WarmUpShare, c.ValidEvery, c.SnapshotEvery = 3000, 0.7, 250, 250
	}
	if c.Preset == "tiny" {
		c.Steps, c.RampSteps = c.Steps/3, 20
	}
	return c
}

// withoutPart are settings that have no part in a run that adds voices.
var withoutPart = []string{
	"loss.cycle", "loss.diversity", "loss.content", "loss.sourceG", "loss.sourceC", "loss.energy", "loss.starIdentity",
	"sourceShare", "energyMargin", "mapRate", "backTranslation", "backTranslationSteps", "pairShare", "disturbShare", "disturbCopies", "freezeShare", "patches",
}

// refuseIgnored refuses what would change nothing.
func (c Config) refuseIgnored(o Options, names run.Names) error {
	if !c.AddVoice.On {
		return nil
	}
	if o.Phones != "" {
		return fmt.Errorf("%s has no part in adding a voice, which keeps the words as the model of %s says them: leave it out",
			names.Of("phones"), names.Of("init"))
	}
	for _, s := range o.Set {
		if name, _, _ := strings.Cut(s, "="); slices.Contains(withoutPart, name) {
			return fmt.Errorf("setting %s: it has no part in adding a voice: leave it out", s)
		}
	}
	return nil
}

// tellVoices says which voices a run that begins with a model learns, and which of the model's it keeps.
func (p *pupil) tellVoices(fresh []string) {
	say, init := p.r.Say, p.req.Init
	if !p.req.Config.AddVoice.On {
		say.Linef("starting from %s; new voices: %s", init, listed(fresh))
		return
	}
	without := voicesWithout(p.set)
	for _, s := range p.set.Names() {
		if !slices.Contains(without, s) && !slices.Contains(fresh, s) {
			p.r.Warn("%s is a voice of %s already and is taught anew: give the recordings another name for a voice of its own", s, init)
		}
	}
	say.Linef("new: %s; the %d voices of %s that have no recordings here are held to what the model makes of them", listed(fresh), len(without), init)
}

// listed names voices, for a sentence.
func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// withOldVoices is a set whose table begins with the model's speakers, in their order, whether or not they have recordings
// in the set; the new ones follow. What is at hand of an old voice is measured anew.
func withOldVoices(set *corpus.Set, old []gan.SpeakerInfo) *corpus.Set {
	merged := &corpus.Set{Features: set.Features}
	for _, s := range old {
		merged.Speakers = append(merged.Speakers, corpus.SpeakerInfo{
			Name: s.Name, About: s.About, Seconds: s.Seconds, LogF0Mean: s.LogF0Mean, LogF0Std: s.LogF0Std,
		})
	}
	place := make([]int, len(set.Speakers))
	for i, s := range set.Speakers {
		place[i] = slices.IndexFunc(merged.Speakers, func(o corpus.SpeakerInfo) bool { return o.Name == s.Name })
		if place[i] < 0 {
			place[i] = len(merged.Speakers)
			merged.Speakers = append(merged.Speakers, s)
		}
		if s.About == "" {
			s.About = merged.Speakers[place[i]].About
		}
		merged.Speakers[place[i]] = s
	}
	move := func(us []corpus.Utterance) []corpus.Utterance {
		moved := slices.Clone(us)
		for i := range moved {
			moved[i].Speaker = place[moved[i].Speaker]
		}
		slices.SortStableFunc(moved, func(a, b corpus.Utterance) int { return a.Speaker - b.Speaker })
		return moved
	}
	merged.Train, merged.Valid = move(set.Train), move(set.Valid)
	return merged
}

// voiceDraws are the speakers to draw crops from, of a table whose first old ones are the model's: all with recordings, the
// new ones together at least as often as the old ones together; and the voices to replay, which are the old ones.
func voiceDraws(set *corpus.Set, old int) (sources, targets []int) {
	var known, fresh []int
	for i := range set.Speakers {
		if !slices.ContainsFunc(set.Train, func(u corpus.Utterance) bool { return u.Speaker == i }) {
			continue
		}
		if i < old {
			known = append(known, i)
		} else {
			fresh = append(fresh, i)
		}
	}
	sources = known
	for n := 0; n == 0 || n < len(known); n += max(len(fresh), 1) {
		sources = append(sources, fresh...)
	}
	for i := range old {
		targets = append(targets, i)
	}
	return sources, targets
}

// voicesWithout names the speakers that have no recordings to train on.
func voicesWithout(set *corpus.Set) []string {
	names := set.Names()
	for _, u := range set.Train {
		names[u.Speaker] = ""
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

// keepBase stores what the run needs of the model as it was.
func keepBase(vars *mlx.Vars, m *gan.Model) error {
	speakers := len(m.Speakers)
	params := slices.Concat(m.Config.GeneratorParams(), m.Config.MappingParams(speakers),
		[]gan.Param{{Name: storedStyles, Shape: []int{speakers, m.Config.StyleDim}}})
	for _, p := range params {
		if err := vars.Set(groupBase, p.Name, p.Shape, m.Tensor(p.Name)); err != nil {
			return err
		}
	}
	return nil
}

const baseName = "base.safetensors" // in the run folder: a copy of the model that voices are added to

// withVocoderOf gives a model the vocoder of the one that voices were added to, if that has one.
func withVocoderOf(m *gan.Model, path string) (*gan.Model, error) {
	base, err := gan.Load(path)
	if err != nil {
		return nil, fmt.Errorf("the model that the run began with: %w", err)
	}
	return m.WithVocoder(base.Vocoder())
}

// newHead is what a new voice's row of a table of heads starts as: in E the head common to all voices, in F the mean of the
// voices that are there, [row] numbers out of old [speakers*row].
func newHead(m *gan.Model, name string, row int) []float32 {
	switch name {
	case "sty.head.w":
		return m.Tensor("sty.common.w")
	case "sty.head.b":
		return m.Tensor("sty.common.b")
	}
	mean := make([]float32, row)
	old := m.Tensor(name)
	for i, v := range old {
		mean[i%row] += v * float32(row) / float32(len(old))
	}
	return mean
}
