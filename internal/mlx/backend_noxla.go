//go:build !(cgo && linux && (amd64 || arm64) && !noxla)

package mlx

const hasXLA = false
