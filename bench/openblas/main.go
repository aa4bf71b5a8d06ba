// Command openblas compares the matrix kernel with OpenBLAS's sgemm: same process, same core, one thread, turn by
// turn, the best of many short repetitions, so that a busy machine disturbs both alike.
package main

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

// CBLAS: row-major is 101, no transposition 111. The second form is that of builds with 64-bit integers.
typedef void (*sgemm32)(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
typedef void (*sgemm64)(int, int, int, int64_t, int64_t, int64_t, float, const float*, int64_t, const float*, int64_t,
	float, float*, int64_t);

static void multiply(void *f, int wide, int m, int n, int k, const float *a, const float *b, float *c, int times) {
	for (int i = 0; i < times; i++) {
		if (wide) ((sgemm64)f)(101, 111, 111, m, n, k, 1, a, k, b, n, 0, c, n);
		else ((sgemm32)f)(101, 111, 111, m, n, k, 1, a, k, b, n, 0, c, n);
	}
}
static void one_thread(void *f) { ((void (*)(int))f)(1); }
static char *text(void *f) { return ((char *(*)(void))f)(); }
*/
import "C"

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"time"
	"unsafe"

	"github.com/starvc/vc/internal/simd"
)

func main() {
	library := flag.String("lib", "libopenblas.so.0", "OpenBLAS library: a name or a path")
	core := flag.String("core", "", "OpenBLAS kernel, such as SkylakeX or Haswell; \"own\" leaves it the choice, "+
		"empty names the best that fits this processor, since old releases do not know new ones")
	repeats := flag.Int("repeats", 400, "repetitions of each")
	flag.Parse()
	if err := run(*library, *core, *repeats); err != nil {
		fmt.Fprintln(os.Stderr, "openblas:", err)
		os.Exit(1)
	}
}

func run(library, core string, repeats int) error {
	runtime.LockOSThread()
	if core == "" {
		core = map[string]string{"avx512": "SkylakeX", "avx2": "Haswell", "generic": "own"}[simd.Name()]
	}
	if core != "own" {
		os.Setenv("OPENBLAS_CORETYPE", core)
	}
	os.Setenv("OPENBLAS_NUM_THREADS", "1")
	blas, err := open(library)
	if err != nil {
		return err
	}
	fmt.Printf("OpenBLAS kernel %s, ours %s, one thread, best of %d\n\n", blas.core, simd.Name(), repeats)
	fmt.Printf("| rows | weights | OpenBLAS GFLOPS | ours GFLOPS | ratio |\n|---:|---|---:|---:|---:|\n")
	for _, s := range [][3]int{
		{1, 256, 768}, {2, 256, 768}, {4, 256, 768}, {8, 256, 768}, {16, 256, 768}, {120, 256, 768},
		{1, 768, 256}, {2, 768, 256}, {4, 768, 256}, {8, 768, 256}, {16, 768, 256}, {120, 768, 256},
		{120, 256, 80}, {1000, 384, 1152},
	} {
		theirs, ours, err := blas.compare(s[0], s[1], s[2], repeats)
		if err != nil {
			return err
		}
		fmt.Printf("| %d | %dx%d | %.1f | %.1f | %.2f |\n", s[0], s[1], s[2], theirs, ours, ours/theirs)
	}
	return nil
}

type openBLAS struct {
	sgemm unsafe.Pointer
	wide  C.int // integers have 64 bits
	core  string
}

func open(library string) (*openBLAS, error) {
	name := C.CString(library)
	defer C.free(unsafe.Pointer(name))
	handle := C.dlopen(name, C.RTLD_NOW)
	if handle == nil {
		return nil, fmt.Errorf("%s (apt-get install libopenblas0, or name one with -lib)", C.GoString(C.dlerror()))
	}
	find := func(symbol string) unsafe.Pointer {
		s := C.CString(symbol)
		defer C.free(unsafe.Pointer(s))
		return C.dlsym(handle, s)
	}
	// Plain builds, then those inside the wheels of numpy and scipy.
	for _, form := range []struct {
		format string
		wide   C.int
	}{{"%s", 0}, {"scipy_%s64_", 1}, {"scipy_%s", 0}} {
		sgemm := find(fmt.Sprintf(form.format, "cblas_sgemm"))
		threads := find(fmt.Sprintf(form.format, "openblas_set_num_threads"))
		corename := find(fmt.Sprintf(form.format, "openblas_get_corename"))
		if sgemm == nil || threads == nil || corename == nil {
			continue
		}
		C.one_thread(threads)
		return &openBLAS{sgemm: sgemm, wide: form.wide, core: C.GoString(C.text(corename))}, nil
	}
	return nil, fmt.Errorf("%s: no cblas_sgemm in it", library)
}

// compare returns the GFLOPS of both for [rows, k] times [k, n].
func (b *openBLAS) compare(rows, k, n, repeats int) (theirs, ours float64, err error) {
	rng := rand.New(rand.NewPCG(1, 2))
	fill := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return x
	}
	x, w, want, got := fill(rows*k), fill(k*n), make([]float32, rows*n), make([]float32, rows*n)
	packed := simd.Pack(w, k, n)
	flops := 2 * float64(rows) * float64(k) * float64(n)
	times := max(1, int(2e7/flops)) // about a tenth of a millisecond at a time
	p := func(x []float32) *C.float { return (*C.float)(unsafe.Pointer(&x[0])) }

	best := [2]time.Duration{math.MaxInt64, math.MaxInt64}
	for range repeats {
		start := time.Now()
		C.multiply(b.sgemm, b.wide, C.int(rows), C.int(n), C.int(k), p(x), p(w), p(want), C.int(times))
		best[0] = min(best[0], time.Since(start))
		start = time.Now()
		for range times {
			packed.Mul(got, x, rows, nil)
		}
		best[1] = min(best[1], time.Since(start))
	}
	for i := range want {
		if d := math.Abs(float64(want[i] - got[i])); !(d < 1e-3) {
			return 0, 0, fmt.Errorf("[%d %d]x[%d %d]: element %d: OpenBLAS %v, ours %v", rows, k, k, n, i, want[i], got[i])
		}
	}
	gflops := func(d time.Duration) float64 { return flops * float64(times) / float64(d.Nanoseconds()) }
	return gflops(best[0]), gflops(best[1]), nil
}
