package run

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/starvc/vc/internal/device"
)

func TestPasses(t *testing.T) {
	f := Forward{MACs: 10, Kept: 3}.Times(2).Plus(Forward{MACs: 1, Kept: 1}) // 21 and 7
	for _, c := range []struct {
		pass              Pass
		operations, moved float64
	}{
		{Pass{Forward: f, Items: 4}, 2 * 4 * 21, 2 * 4 * 7},
		{Pass{Forward: f, Items: 4, Input: true}, 2 * 2 * 4 * 21, 5 * 4 * 7},
		{Pass{Forward: f, Items: 4, Weights: true}, 3 * 2 * 4 * 21, 5 * 4 * 7},
		{Pass{Forward: f, Items: 4, Weights: true, Input: true}, 3 * 2 * 4 * 21, 5 * 4 * 7},
	} {
		if o, m := c.pass.Operations(), c.pass.Moved(); o != c.operations || m != c.moved {
			t.Errorf("%+v: %g operations and %g numbers, want %g and %g", c.pass, o, m, c.operations, c.moved)
		}
	}
}

func TestTime(t *testing.T) {
	cores := float64(runtime.GOMAXPROCS(0))
	loads := []Load{{Operations: 100 * cores, XLA: 10, Go: 1}, {Operations: 60 * cores, XLA: 20, Go: 4}}
	if got := Time("xla-cpu", 7*time.Second, loads...); got != 20*time.Second {
		t.Errorf("through XLA %v, want 20 s", got)
	}
	if got := Time("go", 7*time.Second, loads...); got != 115*time.Second {
		t.Errorf("in pure Go %v, want 115 s", got)
	}
}

func TestTell(t *testing.T) {
	all := Cost{Steps: 500, Time: 40 * time.Minute, Bytes: 8e9, Host: 0.2e9, Batch: 12, Unit: 1, Smaller: "--set cropFrames=32", Names: dashed}
	one := all
	one.Batch = 1
	pair := all
	pair.Unit = 2
	done := all
	done.Steps = 0
	cuda, cpu, pure := device.Device{Kind: "cuda"}, device.Device{Kind: "xla-cpu"}, device.Device{Kind: "go"}
	const takes = "vc: 500 steps take about 40 min here if nothing else runs (27 min to 80 min); the true time left is shown from the first steps on\n"
	for _, c := range []struct {
		name   string
		run    Cost
		device device.Device
		free   int64
		want   string
	}{
		{"pure Go", all, pure, 0, takes + "vc: memory: about 8.4 GB for a batch of 12\n"},
		{"XLA's CPU", all, cpu, 10e9, takes + "vc: memory: about 8.9 GB for a batch of 12\n"},
		{"nothing left to do", done, cpu, 0, "vc: memory: about 8.9 GB for a batch of 12\n"},
		{"a card", all, cuda, 8e9, "vc: memory: about 8.0 GB for a batch of 12\n"},
		{"too small a card", all, cuda, 4e9, "vc: memory: about 8.0 GB for a batch of 12\n" +
			"vc: warning: free memory is 4.0 GB and a batch of 12 needs about 8.0 GB: if it fails, --batch 6\n"},
		{"too little besides the program", all, cpu, 3.6e9, takes + "vc: memory: about 8.9 GB for a batch of 12\n" +
			"vc: warning: free memory is 3.6 GB and a batch of 12 needs about 8.9 GB: if it fails, --batch 3\n"}, // not 4
		{"not even the program", pair, cpu, 0.5e9, takes + "vc: memory: about 8.9 GB for a batch of 12\n" +
			"vc: warning: free memory is 0.5 GB and a batch of 12 needs about 8.9 GB: if it fails, --batch 2\n"},
		{"an even batch", pair, cuda, 5.2e9, "vc: memory: about 8.0 GB for a batch of 12\n" +
			"vc: warning: free memory is 5.2 GB and a batch of 12 needs about 8.0 GB: if it fails, --batch 6\n"},
		{"no smaller batch", one, cuda, 4e9, "vc: memory: about 8.0 GB for a batch of 1\n" +
			"vc: warning: free memory is 4.0 GB and a batch of 1 needs about 8.0 GB: if it fails, a smaller preset, or --set cropFrames=32\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var said strings.Builder
			c.run.tell(c.device, c.free, NewReporter(&said, false))
			if said.String() != c.want {
				t.Errorf("said\n%swant\n%s", said.String(), c.want)
			}
		})
	}
}

func TestRoughly(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Second: "10 s", 84 * time.Second: "80 s", 3 * time.Minute: "3 min", 100 * time.Minute: "1.7 h", 60 * time.Hour: "2 days",
	} {
		if got := Roughly(d); got != want {
			t.Errorf("%v is about %s, want %s", d, got, want)
		}
	}
}
