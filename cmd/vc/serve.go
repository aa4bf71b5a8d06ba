package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/starvc/vc/internal/example"
	"github.com/starvc/vc/internal/server"
	"github.com/starvc/vc/internal/server/page"
	"github.com/urfave/cli/v2"
)

const serveDescription = `Answers programs over HTTP: the routes of ElevenLabs' speech-to-speech API, with which its official clients work, and a live
stream over a WebSocket. docs/api.md describes all of them, and so does /openapi.json of the server itself. The studio's page,
"vc studio", is there with --studio.

It listens to this computer alone. Others reach it with --listen 0.0.0.0:8080, which wants --token and TLS.

EXAMPLES

   vc serve
   url=http://127.0.0.1:8080/v1/speech-to-speech/NAME
   curl -F audio=@in.wav $url -o out.mp3

   for other computers, with a certificate made on the spot, whose fingerprint is printed:
      vc serve --listen 0.0.0.0:8443 --token "$TOKEN" --tls-self-signed

   behind a proxy that encrypts, on the same computer:
      vc serve --token "$TOKEN" --host voice.example.org`

func serveCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "serve",
		Usage:       "answer other programs over HTTP: recordings and live streams",
		UsageText:   "vc serve [flags]",
		Description: serveDescription,
		Flags: slices.Concat(serverFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "studio", DisableDefaultText: true, Usage: "serve the studio's page too"},
		}),
		Action: func(c *cli.Context) error {
			o, err := readServerFlags("serve", c)
			if err != nil {
				return err
			}
			o.studio = c.Bool("studio")
			return runServer(c.Context, e, o, nil)
		},
	}
}

// serverFlags are those of "vc serve" and "vc studio".
func serverFlags() []cli.Flag {
	d := server.DefaultConfig().Limits
	return []cli.Flag{
		&cli.StringFlag{Name: "listen", Value: "127.0.0.1:8080", Usage: "`ADDRESS` and port; port 0 takes a free one"},
		&cli.StringFlag{Name: "token", EnvVars: []string{"VC_TOKEN"}, Usage: "`SECRET` that clients must name; 16 characters at least"},
		&cli.StringFlag{Name: "tls-cert", Usage: "certificate `FILE`, PEM"},
		&cli.StringFlag{Name: "tls-key", Usage: "key `FILE` of the certificate, PEM"},
		&cli.BoolFlag{Name: "tls-self-signed", DisableDefaultText: true, Usage: "make a certificate; clients must be told to trust it"},
		&cli.BoolFlag{Name: "insecure-anybody-can-listen-in", DisableDefaultText: true, Usage: "let other computers in without TLS, so that whoever is on the way hears and knows the token"},
		&cli.StringSliceFlag{Name: "host", Usage: "`NAME` under which the server is known; may be given again"},
		&cli.StringFlag{Name: "data", DefaultText: "in your home folder", Usage: "keep voices and trainings in `DIR`"},
		&cli.StringFlag{Name: "recordings", Usage: "trainings may take recordings from folders below `DIR`, and from no others"},
		modelFlag(),
		markFlag(),
		&cli.IntFlag{Name: "streams", DefaultText: "what the cores carry", Usage: "at most `N` live streams at a time"},
		&cli.IntFlag{Name: "conversions", DefaultText: "what the cores carry", Usage: "at most `N` conversions at a time"},
		&cli.IntFlag{Name: "max-upload", Value: int(d.UploadBytes >> 20), Usage: "take requests up to `MIB`"},
		&cli.DurationFlag{Name: "max-sound", Value: d.Sound, Usage: "take recordings up to `TIME`"},
		&cli.Float64Flag{Name: "rate-limit", Value: d.RequestsPerSec, Usage: "answer `N` requests a second of one address"},
		&cli.StringFlag{Name: "log", Value: "text", Usage: "`FORMAT` of the log on standard error: text, json or none"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "say nothing but warnings and errors"},
	}
}

// serverOptions are what a user says of a server.
type serverOptions struct {
	command              string // whose options they are
	listen, token        string
	cert, key            string
	selfSigned, insecure bool
	hosts                []string
	data, recordings     string
	model                string
	streams, conversions int
	uploadMiB            int
	sound                time.Duration
	rate                 float64
	log                  string
	quiet, studio        bool
	noMark               bool
	makeToken            bool // where there is none
	host                 string
	loopback, encrypted  bool
}

func readServerFlags(command string, c *cli.Context) (serverOptions, error) {
	o := serverOptions{
		command: command, listen: c.String("listen"), token: c.String("token"), cert: c.String("tls-cert"), key: c.String("tls-key"),
		selfSigned: c.Bool("tls-self-signed"), insecure: c.Bool("insecure-anybody-can-listen-in"), hosts: c.StringSlice("host"),
		data: c.String("data"), recordings: c.String("recordings"), model: c.String("model"), streams: c.Int("streams"),
		conversions: c.Int("conversions"), uploadMiB: c.Int("max-upload"), sound: c.Duration("max-sound"), rate: c.Float64("rate-limit"),
		log: c.String("log"), quiet: c.Bool("quiet"), noMark: c.Bool(noMark),
	}
	if c.NArg() > 0 {
		return o, usagef(command, "%s: %q is not wanted here: recordings are sent to the server once it runs", command, c.Args().First())
	}
	if err := o.validate(); err != nil {
		return o, &usageError{command, fmt.Errorf("%s: %w", command, err)}
	}
	return o, nil
}

const leastToken = 16 // characters

// validate also finds out who can reach the address.
func (o *serverOptions) validate() error {
	host, port, err := net.SplitHostPort(o.listen)
	if err != nil {
		return fmt.Errorf("--listen %s: want ADDRESS:PORT, such as 127.0.0.1:8080", o.listen)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("--listen %s: the port is %q, want 0 to 65535", o.listen, port)
	}
	ip := net.ParseIP(host)
	o.host, o.loopback = host, host == "localhost" || ip != nil && ip.IsLoopback()
	o.encrypted = o.cert != "" || o.selfSigned
	switch {
	case (o.cert == "") != (o.key == ""):
		return errors.New("--tls-cert and --tls-key belong together: give both")
	case o.cert != "" && o.selfSigned:
		return errors.New("--tls-cert and --tls-self-signed exclude each other")
	case o.token != "" && len(o.token) < leastToken:
		return fmt.Errorf("--token has %d characters, which can be guessed: want %d at least", len(o.token), leastToken)
	case !o.loopback && o.token == "":
		return fmt.Errorf("--listen %s lets other computers in: give --token, such as one of `openssl rand -hex 16`, or listen to 127.0.0.1", o.listen)
	case !o.loopback && !o.encrypted && !o.insecure:
		return fmt.Errorf("--listen %s lets other computers in: give --tls-cert and --tls-key, or --tls-self-signed; or, where anybody on the way may "+
			"listen in, --insecure-anybody-can-listen-in", o.listen)
	case o.streams < 0 || o.conversions < 0:
		return fmt.Errorf("--streams is %d and --conversions %d, want 0 (what the cores carry) or more", o.streams, o.conversions)
	case o.uploadMiB < 1 || o.uploadMiB > 1<<14:
		return fmt.Errorf("--max-upload is %d MiB, want 1 to %d", o.uploadMiB, 1<<14)
	case o.sound < time.Second || o.sound > 4*time.Hour:
		return fmt.Errorf("--max-sound is %v, want 1s to 4h", o.sound)
	case !(o.rate > 0):
		return fmt.Errorf("--rate-limit is %g, want above 0", o.rate)
	case !slices.Contains([]string{"text", "json", "none"}, o.log):
		return fmt.Errorf("--log is %q, want text, json or none", o.log)
	}
	if o.recordings != "" {
		if info, err := os.Stat(o.recordings); err != nil || !info.IsDir() {
			return fmt.Errorf("--recordings %s: there is no such folder", o.recordings)
		}
	}
	return nil
}

// dataFolder is where a user's voices and trainings are kept.
func dataFolder(e env) (string, error) {
	if dir := e.getenv("XDG_DATA_HOME"); dir != "" && runtime.GOOS != "windows" {
		return filepath.Join(dir, "vc"), nil
	}
	if runtime.GOOS == "linux" {
		if home := e.getenv("HOME"); home != "" {
			return filepath.Join(home, ".local", "share", "vc"), nil
		}
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("where to keep voices: %w: name a folder with --data", err)
	}
	return filepath.Join(dir, "vc"), nil
}

func (o serverOptions) logger(e env) *slog.Logger {
	level := slog.LevelInfo
	if o.quiet {
		level = slog.LevelWarn
	}
	h := &slog.HandlerOptions{Level: level}
	switch o.log {
	case "json":
		return slog.New(slog.NewJSONHandler(e.stderr, h))
	case "text":
		return slog.New(slog.NewTextHandler(e.stderr, h))
	}
	return nil
}

// runServer serves until ctx ends. ready, if not nil, is called with the address of the page or the server, once it listens.
func runServer(ctx context.Context, e env, o serverOptions, ready func(url string)) error {
	m, path, err := loadConverter(e, o.model, o.noMark)
	if err != nil {
		return err
	}
	if o.data == "" {
		if o.data, err = dataFolder(e); err != nil {
			return err
		}
	}
	if o.makeToken && o.token == "" {
		o.token = rand.Text()
	}
	c := server.DefaultConfig()
	c.Version, c.Model, c.ModelName, c.Data, c.Unmarked = e.version, m, path, o.data, o.noMark
	c.Studio, c.Page, c.Policy, c.Sentences = o.studio, page.Files(), page.Policy, page.Sentences()
	c.SampleClip, c.Recordings = example.Clip, o.recordings
	c.Token, c.Loopback, c.TLS, c.HostNames = o.token, o.loopback, o.encrypted, o.hosts
	c.Limits.UploadBytes, c.Limits.Sound = int64(o.uploadMiB)<<20, o.sound
	c.Limits.Streams, c.Limits.Conversions = o.streams, o.conversions
	c.Limits.RequestsPerSec, c.Limits.Burst = o.rate, max(1, int(4*o.rate))
	c.Log = o.logger(e)
	if c.Train, err = trainCommandOf(path); err != nil {
		c.NoTraining = err.Error()
	}
	// The address is taken before anything is made, since it is what most often fails.
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("--listen %s: %w: another program may have that port: choose another, or 0 for a free one", o.listen, plainCause(err))
	}
	certificate, print, err := o.certificate()
	if err != nil {
		l.Close()
		return err
	}
	s, err := server.New(c)
	if err != nil {
		l.Close()
		return err
	}
	address := o.address(l)
	if !o.quiet {
		e.tell("listening at %s; Ctrl-C stops", address)
		if print != "" {
			e.tell("the certificate was made just now, and nobody vouches for it: its SHA-256 is %s", print)
		}
		if !o.loopback && !o.encrypted {
			e.tell("warning: connections are not encrypted: whoever is on the way hears what is said and knows the token")
		}
	}
	if ready != nil {
		if o.token != "" {
			address += "/studio/?token=" + o.token
		} else {
			address += "/studio/"
		}
		ready(address)
	}
	return s.Serve(ctx, l, certificate)
}

// address is where a browser on this computer finds the server.
func (o serverOptions) address(l net.Listener) string {
	scheme, host := "http", o.host
	if o.encrypted {
		scheme = "https"
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	_, port, _ := strings.Cut(l.Addr().String()[strings.LastIndexByte(l.Addr().String(), ':'):], ":")
	return scheme + "://" + net.JoinHostPort(host, port)
}

func (o serverOptions) certificate() (c *tls.Certificate, fingerprint string, err error) {
	switch {
	case o.selfSigned:
		return server.SelfSigned(append(slices.Clone(o.hosts), o.host))
	case o.cert != "":
		pair, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return nil, "", fmt.Errorf("--tls-cert %s --tls-key %s: %w", o.cert, o.key, err)
		}
		return &pair, "", nil
	}
	return nil, "", nil
}

// trainCommandOf makes this program train: a voice is added to the model that is served.
func trainCommandOf(model string) (server.TrainCommand, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("this program does not find itself: %w", err)
	}
	if model != baseModel {
		if model, err = filepath.Abs(model); err != nil {
			return nil, err
		}
	}
	return func(r server.TrainRequest) *exec.Cmd {
		args := []string{program, "train", "--run", r.Run}
		if r.Resume {
			args = append(args, "--resume")
		} else {
			args = append(args, "--init", model, "--speakers", r.Speakers, "--output", r.Output)
			if r.Steps > 0 {
				args = append(args, "--steps", strconv.Itoa(r.Steps))
			}
		}
		if nice, err := exec.LookPath("nice"); err == nil { // so that live sound and conversions come first
			args = append([]string{nice, "-n", "10"}, args...)
		}
		return exec.Command(args[0], args[1:]...)
	}, nil
}
