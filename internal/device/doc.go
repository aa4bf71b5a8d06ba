// Package device finds where training can run: cards and their driver, the plugins through which XLA computes, and the wheels that
// bring them; how much memory there is and how busy a card is. Opening a device is package mlx's.
package device
