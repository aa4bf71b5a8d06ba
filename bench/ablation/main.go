// Command ablation trains the same model again and again, each time without one of its parts, scores every one with
// `vc eval`, and prints a table. Runs that are there already are not made again.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// variant is a row of the table.
type variant struct {
	name, title string
	own         bool     // begins from nothing
	from        string   // the variant that it goes on from, unless own; the first if empty
	flags       []string // of vc train
}

func without(terms ...string) (flags []string) {
	for _, t := range terms {
		flags = append(flags, "--set", "loss."+t+"=0")
	}
	return flags
}

func set(assignments ...string) (flags []string) {
	for _, a := range assignments {
		flags = append(flags, "--set", a)
	}
	return flags
}

// neck is a warm-up with a bottleneck of that width. The program's phone network has one of 96, which G takes over where it
// begins with it, so the three are compared without.
func neck(width int) []string {
	return append(set(fmt.Sprintf("gan.bottleneck=%d", width), "steps=700", "warmUpShare=1"), "--phones", "none")
}

var variants = []variant{
	{name: "warm-up", title: "warm-up alone", own: true, flags: set("steps=1500", "warmUpShare=1", "decayShare=0")},
	{name: "whole", title: "everything"},
	{name: "bt-warm-up", title: "warm-up alone, back-translation in it", own: true,
		flags: set("steps=1500", "warmUpShare=1", "decayShare=0", "backTranslation=0.5")},
	{name: "bt", title: "everything, back-translation in the warm-up", from: "bt-warm-up"},
	{name: "no-style", title: "no style loss", flags: without("style")},
	{name: "no-diversity", title: "no diversity loss", flags: without("diversity")},
	{name: "no-cycle", title: "no cycle loss", flags: without("cycle")},
	{name: "no-classifier", title: "no source classifier", flags: without("sourceG", "sourceC")},
	{name: "diversity-20", title: "diversity loss of weight 20, not 2", flags: set("loss.diversity=20")},
	{name: "content-5", title: "content loss of weight 5, not 20", flags: set("loss.content=5")},
	{name: "no-content", title: "no content loss", flags: without("content")},
	{name: "labels", title: "label, no style code", own: true, flags: set("styleLabels=true")},
	{name: "no-p", title: "no P at all, bottleneck 48", own: true, flags: append(set("gan.bottleneck=48"), "--phones", "none")},
	{name: "2d", title: "2-D decoder, warm-up alone", own: true,
		flags: set("gan.decoderBands=20", "gan.decoderChannels=32", "steps=1500", "warmUpShare=1", "decayShare=0")},
	{name: "neck-48", title: "700 steps of warm-up without P, bottleneck 48", own: true, flags: neck(48)},
	{name: "neck-96", title: "the same, bottleneck 96", own: true, flags: neck(96)},
	{name: "neck-192", title: "the same, bottleneck 192", own: true, flags: neck(192)},
}

// bench is what the command line says.
type bench struct {
	vc, speakers, test, labels, otherPhones, from, out, config, device string
}

func main() {
	log.SetFlags(0)
	var b bench
	var only string
	flag.StringVar(&b.vc, "vc", "vc", "the program")
	flag.StringVar(&b.speakers, "speakers", "", "folder with a folder of training recordings per voice")
	flag.StringVar(&b.test, "test", "", "folder with a folder of test recordings per speaker")
	flag.StringVar(&b.labels, "labels", "", "folder with the test recordings' phones, for phone errors")
	flag.StringVar(&b.otherPhones, "phones", "", "a second phone network that took no part in training")
	flag.StringVar(&b.from, "from", "", "speakers to convert, joined by commas; all of the test folder if empty")
	flag.StringVar(&b.out, "out", "runs/ablation", "folder for runs, models and scores")
	flag.StringVar(&b.config, "config", "bench/ablation/config.json", "settings of every run")
	flag.StringVar(&b.device, "device", "auto", "what to train on")
	flag.StringVar(&only, "only", "", "rows, joined by commas; all if empty")
	flag.Parse()
	if b.speakers == "" || b.test == "" {
		log.Fatal("ablation: --speakers and --test must be named")
	}
	var rows []line
	for _, v := range variants {
		if only != "" && !slices.Contains(strings.Split(only, ","), v.name) {
			continue
		}
		if err := b.train(v); err != nil {
			log.Fatalf("ablation: %s: %v", v.name, err)
		}
		row, err := b.score(v)
		if err != nil {
			log.Fatalf("ablation: %s: %v", v.name, err)
		}
		rows = append(rows, row)
	}
	printTable(os.Stdout, rows)
}

func (b bench) path(elem ...string) string { return filepath.Join(append([]string{b.out}, elem...)...) }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// run starts the program and shows what it says.
func (b bench) run(args ...string) error {
	c := exec.Command(b.vc, args...)
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	log.Printf("%s %s", b.vc, strings.Join(args, " "))
	return c.Run()
}

// train makes a variant's model where it is not there.
func (b bench) train(v variant) error {
	model, part := b.path(v.name+".safetensors"), b.path(v.name+".part.safetensors")
	if exists(model) {
		return nil
	}
	args := []string{"train", "--run", b.path(v.name), "-o", part, "--device", b.device}
	switch {
	case exists(b.path(v.name)):
		args = append(args, "--resume")
	case v.own:
		args = append(append(args, "--speakers", b.speakers, "--config", b.config), v.flags...)
	default:
		first := variants[max(0, slices.IndexFunc(variants, func(f variant) bool { return f.name == v.from }))]
		if err := b.train(first); err != nil {
			return err
		}
		if err := os.CopyFS(b.path(v.name), os.DirFS(b.path(first.name))); err != nil {
			return err
		}
		args = append(append(args, "--resume", "--config", b.config), v.flags...)
	}
	if err := b.run(args...); err != nil {
		suspect := b.path(v.name + ".part.suspect.safetensors")
		if !exists(suspect) {
			return err
		}
		log.Printf("%s: the model is not like speech; it is scored all the same", v.name)
		part = suspect
	}
	return os.Rename(part, model)
}
