package device

import (
	"fmt"
	"strconv"
	"strings"
)

// WithCards is the device with n cards of the host, from d's own on, for Steps.Share. n divides batch, the items per step. The
// errors speak of the flag --gpus. Whether XLA offers as many, Open finds out.
func (d Device) WithCards(n, batch int) (Device, error) { return thisHost().withCards(d, n, batch) }

func (h host) withCards(d Device, n, batch int) (Device, error) {
	if n < 2 {
		return d, nil
	}
	if d.Kind == "go" {
		return d, fmt.Errorf("--gpus %d: pure Go trains on one device, the CPU: leave --gpus out, or see `vc devices` for what cards need", n)
	}
	d.Cards = n
	if batch%n != 0 {
		unit := d.BatchUnit(true) // which suits every training
		return d, fmt.Errorf("--gpus %d: it does not divide the batch of %d: give --batch %d", n, batch, (batch/unit+1)*unit)
	}
	if d.Kind == "cuda" {
		if driver, err := h.driver(); err == nil && len(driver.Cards) > 0 && d.Card+n > len(driver.Cards) {
			return d, fmt.Errorf("--gpus %d: the driver has %d cards, and card %d is the first to be used: give --gpus %d, or another --device: see `vc devices`",
				n, len(driver.Cards), d.Card, len(driver.Cards)-d.Card)
		}
		if strings.Contains(d.Config, visibleDevices) {
			d.Config = cudaConfig(d.Path, d.Card, n)
		}
	}
	return d, nil
}

// BatchUnit is what a batch is to be a multiple of: divided by the number of cards, and even where its halves differ.
func (d Device) BatchUnit(even bool) int {
	n := max(1, d.Cards)
	if even && n%2 != 0 {
		n *= 2
	}
	return n
}

const visibleDevices = ",visible_devices="

// cudaConfig opens n cards from first on, and leaves the memory of others alone.
func cudaConfig(path string, first, n int) string {
	numbers := make([]string, n)
	for i := range numbers {
		numbers[i] = strconv.Itoa(first + i)
	}
	return "xla:" + path + ",memory_fraction=0.8,preallocate=true" + visibleDevices + strings.Join(numbers, ";")
}
