package train

import (
	"math"
	"reflect"
	"testing"

	"github.com/starvc/vc/internal/run"
)

func TestRequestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	want := request{Common: run.Common{Command: "train", Speakers: "a=b,c=d", Output: "x.safetensors"}, Config: microConfig(t), Init: "y", Phones: "z", Data: "abc"}
	want.Config.Seed = math.MaxUint64
	if err := run.WriteRequest(dir, &want); err != nil {
		t.Fatal(err)
	}
	var got request
	if err := run.Names(nil).ReadRequest(dir, "train", &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("config.json comes back as %+v, %v", got, err)
	}
}
