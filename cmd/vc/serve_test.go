package main

import (
	"strings"
	"testing"

	"github.com/starvc/vc/internal/server"
	"github.com/urfave/cli/v2"
)

// TestServerFlags: other computers are let in only with a token, and with TLS or by a flag that names the risk.
func TestServerFlags(t *testing.T) {
	const token = "0123456789abcdef"
	for _, c := range []struct {
		args string
		has  string // of the error, "" for none
	}{
		{"", ""},
		{"--listen 127.0.0.1:0", ""},
		{"--listen [::1]:8080", ""},
		{"--listen localhost:8080", ""},
		{"--listen 0.0.0.0:8080", "--token"},
		{"--listen :8080", "--token"},
		{"--listen 192.0.2.1:8080 --token " + token, "--tls-self-signed"},
		{"--listen voice.example:8080 --token " + token, "--tls-self-signed"},
		{"--listen 0.0.0.0:8080 --token " + token + " --tls-self-signed", ""},
		{"--listen 0.0.0.0:8080 --token " + token + " --insecure-anybody-can-listen-in", ""},
		{"--listen 0.0.0.0:8080 --insecure-anybody-can-listen-in", "--token"},
		{"--token short", "16 at least"},
		{"--listen 8080", "ADDRESS:PORT"},
		{"--listen 127.0.0.1:99999", "port"},
		{"--tls-cert a.pem", "both"},
		{"--tls-cert a.pem --tls-key b.pem --tls-self-signed", "exclude"},
		{"--streams -1", "--streams"},
		{"--max-upload 0", "--max-upload"},
		{"--max-sound 1ms", "--max-sound"},
		{"--rate-limit 0", "--rate-limit"},
		{"--log xml", "--log"},
		{"--recordings /no/such/folder", "--recordings"},
		{"in.wav", "not wanted"},
	} {
		app := &cli.App{Flags: serverFlags(), Action: func(c *cli.Context) error {
			_, err := readServerFlags("serve", c)
			return err
		}, ExitErrHandler: func(*cli.Context, error) {}}
		err := app.Run(append([]string{"vc"}, strings.Fields(c.args)...))
		switch {
		case c.has == "" && err != nil:
			t.Errorf("%s: %v", c.args, err)
		case c.has != "" && (err == nil || !strings.Contains(err.Error(), c.has)):
			t.Errorf("%s: error %v, want one with %q", c.args, err, c.has)
		}
	}
}

// TestTrainCommand: a voice is added to the model that is served, by this program.
func TestTrainCommand(t *testing.T) {
	command, err := trainCommandOf(baseModel)
	if err != nil {
		t.Fatal(err)
	}
	begin := strings.Join(command(server.TrainRequest{Speakers: "s", Run: "r", Output: "o", Steps: 7}).Args, " ")
	if !strings.HasSuffix(begin, "train --run r --init base --speakers s --output o --steps 7") {
		t.Errorf("%s", begin)
	}
	resume := strings.Join(command(server.TrainRequest{Run: "r", Resume: true}).Args, " ")
	if !strings.HasSuffix(resume, "train --run r --resume") {
		t.Errorf("%s", resume)
	}
}
