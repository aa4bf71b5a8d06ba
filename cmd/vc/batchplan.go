package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/batch"
)

// collection is what "vc batch" has to do, over all shards.
type collection struct {
	env   env
	o     batchOptions
	model *vc.Model
	ask   vc.Options
	items []corpusItem
	scp   bool

	common string                        // settings of all items
	found  map[voiceChoice][]chosenVoice // all but those drawn for each recording
	sums   map[string]string             // of the files of voices, by path
	pseudo map[string]chosenVoice        // of anonymous results, by key
	tempos map[string]func() float64     // likewise, where the rate of speech is made alike
}

// corpusItem is a recording with what it becomes.
type corpusItem struct {
	batch.Item
	target string // inside the output folder
	err    error  // found before work began
}

// settingsSum is how many digits of a checksum stand in settings.
const settingsSum = 12

func newCollection(ctx context.Context, e env, m *vc.Model, modelPath string, o batchOptions) (*collection, error) {
	c := &collection{env: e, o: o, model: m, found: map[voiceChoice][]chosenVoice{}, sums: map[string]string{}}
	c.ask = o.conversion(1) // a core for each file
	var err error
	if c.ask.Source, err = o.source(); err != nil {
		return nil, err
	}
	if c.ask.Vocoder, err = m.ChooseVocoder(o.vocoder); err != nil {
		return nil, err
	}
	if err := c.list(ctx); err != nil {
		return nil, err
	}
	if o.voices != "" {
		plain := c.plainItems()
		if err := batch.ReadVoices(o.voices, plain); err != nil {
			return nil, fmt.Errorf("--voices: %w", plainCause(err))
		}
		for i := range plain {
			c.items[i].Item = plain[i]
		}
	}
	c.place()
	find := c.findVoices
	if o.anonymous != nil {
		find = c.findPseudoSpeakers
	}
	if err := find(ctx); err != nil {
		return nil, err
	}
	sum, err := modelSum(ctx, e, modelPath)
	if err != nil {
		return nil, err
	}
	c.common, err = c.commonSettings(sum)
	return c, err
}

func (c *collection) plainItems() []batch.Item {
	plain := make([]batch.Item, len(c.items))
	for i := range c.items {
		plain[i] = c.items[i].Item
	}
	return plain
}

// list finds the recordings.
func (c *collection) list(ctx context.Context) error {
	source := c.o.inputs[0]
	info, err := os.Stat(source)
	if err != nil {
		return fmt.Errorf("%s: %w", source, plainCause(err))
	}
	var items []batch.Item
	switch {
	case info.IsDir():
		if err := c.apart(source); err != nil {
			return err
		}
		found := findInputs(ctx, c.o.inputs)
		if err := ctx.Err(); err != nil {
			return err
		}
		if !c.o.silent && !c.o.check {
			found.tell(c.env)
		}
		for _, in := range found.inputs {
			if in.err != nil { // a part of the folder that cannot be read would be left out by all shards, and by --check
				return fmt.Errorf("%s: %w", in.path, in.err)
			}
			items = append(items, batch.Item{Key: filepath.ToSlash(in.inside), Path: in.path, Inside: batch.WithoutEnding(in.inside)})
		}
	case strings.EqualFold(filepath.Ext(source), ".scp"):
		c.scp = true
		items, err = batch.ReadSCP(source)
	default:
		if recording, _ := audio.IsRecording(source); recording {
			return fmt.Errorf("%s is a recording: want a folder, a list of recordings, or a wav.scp; \"vc convert\" converts single ones", source)
		}
		items, err = batch.ReadList(source)
	}
	if err != nil {
		return err
	}
	if len(items) == 0 {
		return fmt.Errorf("%s: lists no recordings", source)
	}
	if err := batch.Check(items); err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	c.items = make([]corpusItem, len(items))
	for i, item := range items {
		c.items[i].Item = item
	}
	return nil
}

// apart refuses an output folder inside the source: shards would search each other's results.
func (c *collection) apart(source string) error {
	in, err := filepath.Abs(source)
	if err != nil {
		return err
	}
	out, err := filepath.Abs(c.o.outDir)
	if err != nil {
		return err
	}
	if inside, err := filepath.Rel(in, out); err == nil && filepath.IsLocal(inside) {
		return fmt.Errorf("--out-dir %s lies in the folder of the recordings, which every shard searches: name a folder beside it", c.o.outDir)
	}
	return nil
}

// place decides where results go. It refuses what would overwrite a recording or the result of another.
func (c *collection) place() {
	sources, taken := map[string]bool{}, map[string]string{}
	for _, item := range c.items {
		if path, err := filepath.Abs(item.Path); err == nil {
			sources[path] = true
		}
	}
	for i := range c.items {
		item := &c.items[i]
		item.target = item.Inside + "." + c.o.format
		path, err := filepath.Abs(filepath.Join(c.o.outDir, item.target))
		switch by, ok := taken[item.target]; {
		case err != nil:
			item.err = err
		case ok:
			item.err = fmt.Errorf("its result %s would overwrite that of %s: give one of them another name", item.target, by)
		case sources[path]:
			item.err = fmt.Errorf("its result %s would overwrite a recording: choose another --out-dir", path)
		default:
			taken[item.target] = item.Path
		}
	}
}

// choices are the voices of an item: one, or those of both sides.
func (c *collection) choices(item *corpusItem) []voiceChoice {
	switch {
	case item.Voice != "":
		return []voiceChoice{{to: item.Voice}}
	case c.o.randomVoices != "":
		return []voiceChoice{{to: c.o.to, random: drawnSeed(c.o.randomVoices, item.Key)}}
	}
	return c.o.choices()
}

// drawnSeed is the seed of a recording's voice. It depends on no other recording and on no shard.
func drawnSeed(seed, key string) string {
	h := fnv.New64a()
	io.WriteString(h, seed+"\x00"+key)
	x := h.Sum64()
	x ^= x >> 32 // the high digits of FNV alone are near each other for near keys
	return strconv.FormatUint(x&0xffffffff, 10)
}

// findVoices finds all voices that are named, before any work, and sees that each item has one.
func (c *collection) findVoices(ctx context.Context) error {
	for i := range c.items {
		item := &c.items[i]
		for _, choice := range c.choices(item) {
			if choice.empty() {
				return fmt.Errorf("%s has no voice: name it in the list, after a tab, or in --voices, or give --to for all that have none", item.Key)
			}
			if c.found[choice] != nil || choice.random != "" && c.o.randomVoices != "" {
				continue
			}
			voice, err := choice.find(c.model)
			if err != nil {
				return fmt.Errorf("the voice of %s: %w", item.Key, err)
			}
			voice.tellNotes(c.env, c.o.silent)
			c.found[choice] = []chosenVoice{voice}
			for _, file := range choice.files() {
				if c.sums[file.path], err = batch.Checksum(ctx, file.path); err != nil {
					return err
				}
			}
		}
	}
	if c.o.randomVoices != "" {
		return voiceChoice{to: c.o.to, random: c.o.randomVoices}.checkHead(c.model, "--random-voices")
	}
	return nil
}

// voicesOf gives the voices of an item.
func (c *collection) voicesOf(item *corpusItem) ([]chosenVoice, error) {
	if c.o.anonymous != nil {
		return []chosenVoice{c.pseudo[item.Key]}, nil
	}
	var voices []chosenVoice
	for _, choice := range c.choices(item) {
		if known := c.found[choice]; known != nil {
			voices = append(voices, known...)
			continue
		}
		drawn, err := choice.find(c.model)
		if err != nil {
			return nil, err
		}
		voices = append(voices, drawn)
	}
	return voices, nil
}

// settings are all that the result of an item depends on beside its recording.
func (c *collection) settings(item *corpusItem) string {
	var words []string
	add := func(name, value string) {
		if value != "" {
			words = append(words, name+"="+value)
		}
	}
	choices := c.choices(item)
	if a := c.o.anonymous; a != nil { // neither voice nor seed, which would tell who became what
		add("anonymous", a.per)
		add("flatten", strings.Join(a.flatten, ","))
		if sum := c.sums[a.phones]; sum != "" {
			add("phones", sum[:settingsSum])
		}
		choices = nil
	}
	for _, choice := range choices {
		add("to", choice.to)
		add("like", choice.like)
		add("random", choice.random)
		add("mix", choice.mix)
		for _, file := range choice.files() {
			if sum := c.sums[file.path]; sum != "" {
				add("voice", sum[:settingsSum])
			}
		}
	}
	return strings.NewReplacer("\t", " ", "\n", " ", "\r", " ").Replace(strings.Join(words, " ") + " " + c.common)
}

func (c *collection) commonSettings(model string) (string, error) {
	o, words := c.o, []string{"model=" + model[:settingsSum], "vocoder=" + string(c.ask.Vocoder)}
	for _, n := range []struct {
		name  string
		value float64
		usual bool
	}{{"pitch", o.pitch, o.pitch == 0}, {"formant", o.formant, o.formant == 0}, {"strength", o.strength, o.strength == 0 || o.strength == 1}} {
		if !n.usual {
			words = append(words, fmt.Sprintf("%s=%g", n.name, n.value))
		}
	}
	profile := ""
	if o.sourceProfile != "" {
		sum, err := batch.Checksum(context.Background(), o.sourceProfile)
		if err != nil {
			return "", fmt.Errorf("--source-profile: %w", err)
		}
		profile = sum[:settingsSum]
	}
	mark := ""
	if o.noMark {
		mark = "none"
	}
	for _, t := range []struct{ name, value, usual string }{
		{"melody", string(o.melody), string(vc.Fit)}, {"source-pitch", o.sourcePitch, ""}, {"source-profile", profile, ""},
		{"rate", o.rate, ""}, {"bits", string(o.bits), "16"}, {"channels", o.channels, monoChannel}, {"mark", mark, ""},
	} {
		if t.value != t.usual && t.value != "" {
			words = append(words, t.name+"="+t.value)
		}
	}
	return strings.Join(words, " "), nil
}

// modelSum is the checksum of a model's file, or of the model inside the program.
func modelSum(ctx context.Context, e env, path string) (string, error) {
	if path != baseModel {
		return batch.Checksum(ctx, path)
	}
	if e.openBase == nil {
		return "", errors.New("this program was built without a base model")
	}
	r, err := e.openBase()
	if err != nil {
		return "", err
	}
	return batch.ChecksumOf(ctx, r)
}

// shareOf gives the items of a shard.
func (c *collection) shareOf(s batch.Shard) []*corpusItem {
	var items []*corpusItem
	for i := range c.items {
		if s.Takes(i) {
			items = append(items, &c.items[i])
		}
	}
	return items
}
