package mlx

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend" // the pure Go backend, always there

	"github.com/starvc/vc/internal/device"
)

// Backend is an open device, for packages that hand it on and know nothing else of the engine.
type Backend = compute.Backend

// Open opens a device.
func Open(d device.Device) (Backend, error) {
	if err := d.Prepare(); err != nil {
		return nil, err
	}
	backend, err := compute.NewWithConfig(d.Config)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", d, device.ExplainOpen(err))
	}
	if err := d.CheckOpened(backend.NumDevices()); err != nil {
		backend.Finalize()
		return nil, err
	}
	if d.Kind == "go" {
		if err := unboundWorkers(backend); err != nil {
			return nil, fmt.Errorf("open %s: %w", d, err)
		}
	}
	return backend, nil
}

// unboundWorkers lets the pure Go backend start as many goroutines as it likes: under its default bound operations fill the
// pool and then wait in it for ever. The setting has a configuration string too, "go:parallelism=-1", but that prints a line
// to standard output, which belongs to sound; the backend's type is not exported, hence the reflection.
func unboundWorkers(backend compute.Backend) error {
	v := reflect.Indirect(reflect.ValueOf(backend))
	if v.Kind() == reflect.Struct {
		if f := v.FieldByName("Workers"); f.IsValid() {
			if workers, ok := f.Interface().(interface{ SetMaxParallelism(int) }); ok {
				workers.SetMaxParallelism(-1)
				return nil
			}
		}
	}
	return errors.New("the pure Go backend has no workers to set: this version of GoMLX is not the one that was tested")
}
