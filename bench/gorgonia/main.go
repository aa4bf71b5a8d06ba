// Command gorgonia compares Gorgonia with GoMLX, which trains our networks: whether gradients are right against finite
// differences, and how fast a 64-channel 3x3 convolution runs forward and backward. See README.md.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	channels := flag.Int("channels", 64, "input and output `CHANNELS` of the convolution")
	side := flag.Int("side", 32, "its rows and columns")
	batch := flag.Int("batch", 4, "its batch")
	rounds := flag.Int("rounds", 10, "`ROUNDS` of which the best counts")
	flag.Parse()
	if err := run(size{*batch, *channels, *side}, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "gorgonia:", err)
		os.Exit(1)
	}
}

func run(s size, rounds int) error {
	fmt.Println("Gorgonia's gradients against central differences, float64; the largest difference over the largest gradient:")
	for _, c := range gradientCases {
		relative, err := c.check()
		switch {
		case err != nil:
			fmt.Printf("  %-58s fails: %v\n", c.name, err)
		case relative < 1e-6:
			fmt.Printf("  %-58s %.1e  right\n", c.name, relative)
		default:
			fmt.Printf("  %-58s %.1e  WRONG\n", c.name, relative)
		}
	}
	fmt.Printf("\n3x3 convolution, %d to %d channels, batch %d of %dx%d, forward and both gradients, float32, best of %d:\n",
		s.channels, s.channels, s.batch, s.side, s.side, rounds)
	engines := []*engine{
		{name: "Gorgonia 0.9.18, tape machine", open: gorgoniaConvolution},
		{name: "GoMLX, pure Go, our layer", open: func(s size) (func() error, error) { return mlxConvolution("go", s) }},
		{name: "GoMLX, XLA on the CPU, our layer", open: func(s size) (func() error, error) { return mlxConvolution("cpu", s) }},
	}
	measure(engines, s, rounds)
	for _, e := range engines {
		if e.err != nil {
			fmt.Printf("  %-36s cannot run: %v\n", e.name, e.err)
			continue
		}
		fmt.Printf("  %-36s %7.1f ms  %6.1f GFLOPS\n", e.name, 1000*e.seconds, s.operations()/e.seconds/1e9)
	}
	return nil
}
