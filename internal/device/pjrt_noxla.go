//go:build !(cgo && linux && (amd64 || arm64) && !noxla)

package device

const hasXLA = false

func readPJRTVersion(string) (PJRTVersion, error) { return PJRTVersion{}, errNoXLA }

func keepMemory() {}
