//go:build cgo && linux && (amd64 || arm64) && !noxla

package device

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>

// The beginning of PJRT_Api, which every version has kept.
typedef struct {
	size_t size;
	void *extensions;
	struct {
		size_t size;
		void *extensions;
		int major, minor;
	} version;
} vc_api;

static char *vc_pjrt_version(const char *path, int *major, int *minor) {
	void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	if (!library) return dlerror();
	const vc_api *(*get)(void) = (const vc_api *(*)(void))dlsym(library, "GetPjrtApi");
	if (!get) return dlerror();
	const vc_api *api = get();
	if (!api || api->size < sizeof *api) return "it gives no interface";
	*major = api->version.major;
	*minor = api->version.minor;
	return NULL; // the library stays open: most of those that reach this are used, and none likes to be closed
}

static void vc_keep_memory(void) {
#ifdef __GLIBC__
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, -1);
	mallopt(M_TOP_PAD, 1 << 30);
#endif
}
*/
import "C"

import (
	"fmt"
	"unsafe"
)

const hasXLA = true

// readPJRTVersion loads a plugin that has passed CheckPlugin and asks it for its version.
func readPJRTVersion(path string) (PJRTVersion, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var major, minor C.int
	if message := C.vc_pjrt_version(name, &major, &minor); message != nil {
		return PJRTVersion{}, fmt.Errorf("XLA plugin %s cannot be loaded (%s): install it again with %s", path, C.GoString(message), installAgain(path))
	}
	return PJRTVersion{int(major), int(minor)}, nil
}

// keepMemory tells the C library to keep what XLA frees. XLA asks for fresh buffers in every step; as it is, each large one
// is mapped, cleared by the kernel, touched and unmapped again. With the same settings from outside, in GLIBC_TUNABLES,
// training on a CPU was 25 % faster.
func keepMemory() { C.vc_keep_memory() }
