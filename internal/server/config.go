package server

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"time"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
)

// Config is what a server is made of. DefaultConfig has all that can be chosen for a user; Model and Data must be set.
type Config struct {
	Version   string    // of the program
	Model     *vc.Model // whose voices are served
	ModelName string    // for people
	Unmarked  bool      // nor do voices that are trained here mark what they say; Model is as it is
	Data      string    // folder for voices, trainings and what is worth keeping; made where it is missing

	Studio bool   // serve the page and what it needs
	Page   fs.FS  // index.html and what it names; nil for none
	Policy string // Content-Security-Policy of the page

	// SampleClip gives a recording, which is converted to let a voice be heard; nil for none. It is called once.
	SampleClip func() (audio.Clip, error)
	// Sentences are what somebody reads whose voice is to be learnt.
	Sentences []string
	// Recordings is the one folder below which trainings may take recordings that are there already; "" for none.
	Recordings string
	// Train makes the command that trains a voice; nil where there is no training, and NoTraining says why.
	Train      TrainCommand
	NoTraining string

	Token     string   // that clients must name, "" for none
	Loopback  bool     // only this computer can reach the server
	TLS       bool     // connections are encrypted
	HostNames []string // names under which the server is known, beside localhost and numbers

	Limits Limits
	Log    *slog.Logger // nil for nowhere
}

// Limits bound what clients may ask for.
type Limits struct {
	UploadBytes    int64         // of one request
	Sound          time.Duration // of one recording
	Request        time.Duration // that one conversion may take, waiting included
	SlowBody       time.Duration // within which something of a body must come
	BodyRate       int64         // bytes a second that a body must come with, in the mean
	RequestsPerSec float64       // of one client
	Burst          int           // requests of one client at once
	StreamsPerHost int           // live streams of one client
	Streams        int           // live streams in all; 0 for as many as the cores carry
	Conversions    int           // at a time; 0 for as many as the cores carry
	Waiting        int           // requests that may wait for a core
	Patience       time.Duration // for which they wait
	Jobs           int           // that the studio remembers
	IdleStream     time.Duration // without anything from the client
	StreamsShare   float64       // of the cores that live streams may take, of what they were measured to need
	Voices         int           // that are kept
}

// DefaultConfig is for one person on one computer.
func DefaultConfig() Config {
	return Config{
		Loopback: true,
		Limits: Limits{
			UploadBytes: 256 << 20, Sound: 30 * time.Minute, Request: 20 * time.Minute, SlowBody: 15 * time.Second, BodyRate: 2 << 10,
			RequestsPerSec: 30, Burst: 120, StreamsPerHost: 64, Waiting: 8, Patience: 30 * time.Second, Jobs: 100,
			IdleStream: time.Minute, StreamsShare: 0.6, Voices: 1000,
		},
	}
}

// Validate names the first thing that cannot work.
func (c Config) Validate() error {
	l := c.Limits
	switch {
	case c.Model == nil:
		return errors.New("server: no model")
	case c.Data == "":
		return errors.New("server: no folder for its data")
	case !c.Loopback && c.Token == "":
		return errors.New("server: others can reach this address, so it wants a token")
	case l.UploadBytes < 1 || l.Sound <= 0 || l.Request <= 0 || l.SlowBody <= 0 || l.BodyRate < 1:
		return fmt.Errorf("server: limits of a request %+v, want all above 0", l)
	case !(l.RequestsPerSec > 0) || l.Burst < 1 || l.StreamsPerHost < 1 || l.Jobs < 1 || l.IdleStream <= 0 || l.Voices < 1:
		return fmt.Errorf("server: limits of a client %+v, want all above 0", l)
	case l.Streams < 0 || l.Conversions < 0 || l.Waiting < 0 || l.Patience < 0:
		return fmt.Errorf("server: limits of the work %+v, want none below 0", l)
	case !(l.StreamsShare > 0 && l.StreamsShare <= 1):
		return fmt.Errorf("server: share of the cores for streams is %g, want above 0, up to 1", l.StreamsShare)
	}
	return nil
}

func (c Config) logger() *slog.Logger {
	if c.Log != nil {
		return c.Log
	}
	return slog.New(slog.NewTextHandler(io.Discard, nil))
}
