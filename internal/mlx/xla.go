//go:build cgo && linux && (amd64 || arm64) && !noxla

package mlx

import _ "github.com/gomlx/go-xla/compute/xla" // loads plugins at run time; nothing is linked
