package train

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/run"
)

// Between the star's own steps stand those with a true answer, on pairs and at 24000 Hz too, with D and feature matching; and a run
// goes on from the middle of them.
func TestRunWithAnchoredSteps(t *testing.T) {
	o := microOptions(t, alignedSpeech(t))
	var said strings.Builder
	o.Rate, o.Stderr = 24000, &said
	o.Set = append(o.Set[2:], "warmUpShare=0.2", "backTranslation=0.5", "validFraction=0", "patches=2", "starEvery=3", "r1Every=2", "relativistic=true", "disturbShare=0.3")
	if err := Run(context.Background(), o); err != nil && !strings.Contains(err.Error(), "suspect") {
		t.Fatalf("%v\n%s", err, said.String())
	}
	log := read(t, o.RunDir+"/metrics.jsonl")
	for _, metric := range []string{`"anchor_d"`, `"matching"`, `"adv_d"`, `"cycle"`, `"diversity"`} {
		if !strings.Contains(log, metric) {
			t.Errorf("no %s in\n%s", metric, log)
		}
	}
	if strings.Contains(log, `"ok_d":0`) || strings.Contains(log, `"ok":0`) {
		t.Errorf("steps were skipped:\n%s", log)
	}
	if _, err := os.Stat(o.RunDir + "/model.safetensors"); err != nil && !strings.Contains(said.String(), "suspect") {
		t.Error(err)
	}
}

// Steps with a true answer are the warm-up's, and in the star those between its own.
func TestAnswers(t *testing.T) {
	c := Config{Steps: 10, WarmUpShare: 0.3, StarEvery: 3}
	var got strings.Builder
	for step := range 10 {
		if c.answers(step) {
			got.WriteByte('a')
		} else {
			got.WriteByte('s')
		}
	}
	if want := "aaasaasaas"; got.String() != want {
		t.Errorf("steps are %s, want %s", got.String(), want)
	}
	c.StarEvery = 0
	if c.answers(4) {
		t.Error("with starEvery 0 the star has steps that are not its own")
	}
}

// A run that trains all of a model anew leaves its voices the descriptions that they have, and goes on so.
func TestDescriptionsStay(t *testing.T) {
	base, _ := baseModel(t)
	m := load(t, base)
	m.Speakers[0].About = "woman, reads calmly"
	if err := m.Save(base, gan.Full); err != nil {
		t.Fatal(err)
	}
	name := m.Speakers[0].Name
	o := addOptions(t, base, speech(t, name, "bob"), "addVoice.on=false", "warmUpShare=1")
	if err := Run(context.Background(), o); err != nil && !strings.Contains(err.Error(), "suspect") {
		t.Fatal(err)
	}
	if err := Run(context.Background(), Options{Options: run.Options{RunDir: o.RunDir, Resume: true, Last: true, Device: "go"}}); err != nil {
		t.Fatal(err)
	}
	about := map[string]string{}
	for _, s := range load(t, o.RunDir+"/model.safetensors").Speakers {
		about[s.Name] = s.About
	}
	if about[name] != "woman, reads calmly" || about["bob"] != "" {
		t.Errorf("descriptions are %q", about)
	}
}
