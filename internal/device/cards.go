package device

import (
	"fmt"
	"strconv"
	"strings"
)

// CardsError says that a training cannot be spread over so many cards.
type CardsError struct {
	Err   error
	Cards int // how many would do, 0 for one device only
	Batch int // items per step with which they would do, 0 where that is not the hindrance
}

func (e *CardsError) Error() string { return e.Err.Error() }
func (e *CardsError) Unwrap() error { return e.Err }

func cardsErrorf(cards, batch int, format string, a ...any) error {
	return &CardsError{fmt.Errorf(format, a...), cards, batch}
}

// WithCards is the device with n cards of the host, from d's own on, for Steps.Share. n divides batch, the items per step. An
// error is a *CardsError. Whether XLA offers as many, Open finds out.
func (d Device) WithCards(n, batch int) (Device, error) { return thisHost().withCards(d, n, batch) }

func (h host) withCards(d Device, n, batch int) (Device, error) {
	if n < 2 {
		return d, nil
	}
	if d.Kind == "go" {
		return d, cardsErrorf(0, 0, "%d cards: pure Go trains on one device, the CPU", n)
	}
	d.Cards = n
	if batch%n != 0 {
		unit := d.BatchUnit(true) // which suits every training
		return d, cardsErrorf(n, (batch/unit+1)*unit, "%d cards: the batch of %d cannot be divided by them", n, batch)
	}
	if d.Kind == "cuda" {
		if driver, err := h.driver(); err == nil && len(driver.Cards) > 0 && d.Card+n > len(driver.Cards) {
			return d, cardsErrorf(len(driver.Cards)-d.Card, 0, "%d cards: the driver has %d cards, and card %d is the first to be used",
				n, len(driver.Cards), d.Card)
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
