//go:build !linux

package wheel

import "errors"

func exchange(a, b string) error { return errors.ErrUnsupported }
