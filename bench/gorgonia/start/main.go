// Command start does nothing but link Gorgonia: with the module file of its release as it stands, it panics.
package main

import (
	"fmt"

	"gorgonia.org/gorgonia"
)

func main() {
	g := gorgonia.NewGraph()
	fmt.Printf("gorgonia starts: %d nodes\n", g.Nodes().Len())
}
