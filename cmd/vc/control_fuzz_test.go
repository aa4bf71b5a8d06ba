package main

import (
	"math"
	"strings"
	"testing"

	"github.com/starvc/vc/internal/bounded"
)

// FuzzControl takes what is written to a control file: settings that are in range, or an error.
func FuzzControl(f *testing.F) {
	f.Add([]byte("to ann\npitch 3\n# a word\nmix a=0.5,b=0.5\ngate -50\r\n"))
	f.Add([]byte("pitch nan\ngain +Inf\ndry-wet 0x1p-3\nlike x.wav\nrandom 7\nmelody keep\nstrength 1e999"))
	f.Add([]byte("\xff\x00to\t\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		bounded.Allocates(t, bounded.Beyond, func() {
			s := settings{voiceChoice: voiceChoice{to: "a"}, wet: 1}
			for _, line := range controlText(text) {
				if line == "" || strings.Contains(line, "\n") || strings.HasPrefix(line, "#") {
					t.Errorf("a line %q", line)
				}
				next, err := s.with(line)
				if err != nil || next.validate() != nil {
					continue
				}
				s = next
				for _, v := range []float64{s.pitch, s.formant, s.gainDB, s.gateDB, s.wet, s.strength} {
					if math.IsNaN(v) || math.IsInf(v, 0) && v > 0 {
						t.Errorf("%q sets %g", line, v)
					}
				}
			}
		})
	})
}
