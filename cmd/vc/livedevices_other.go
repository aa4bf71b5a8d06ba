//go:build !linux

package main

import (
	"context"
	"errors"
)

func runDevices(context.Context, env, deviceOptions) error {
	return errors.New("live: this works with PulseAudio and PipeWire, on Linux; here run \"vc studio\", whose page does the same with the devices of your browser")
}
