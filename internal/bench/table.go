package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteTable prints a report for people.
func (r *Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(format string, a ...any) { fmt.Fprintf(t, format+"\n", a...) }
	gap := func() { t.Flush(); fmt.Fprintln(w) }

	row("machine\t%s, %d cores of which one is used, %s kernels, %s", r.Machine.System, r.Machine.Cores, r.Machine.Kernel, r.Machine.Go)
	row("model\t%s, %.1f million weights in the generator, %.2f GMAC per second of sound, %d Hz",
		r.Model.Name, float64(r.Model.Weights)/1e6, r.Model.MACs/1e9, r.Model.SampleRate)
	row("load\t%.1f MB read in %.0f ms, first output after %.0f ms", float64(r.Load.Bytes)/1e6, r.Load.ReadMS, r.Load.FirstMS)
	row("file\t%.0f s: rtf %.4f, by processor time %.4f (%.0f times faster than real time), %s", r.File.Seconds, r.File.RTF,
		r.File.CPURTF, 1/r.File.CPURTF, r.File.Vocoder)
	gap()

	row("stream\trate\tchunk\tdelay\trtf\tcpu rtf\tchunk, ms: p50\tp95\tp99\tmax\tcpu p50\tp95\tp99\tmax\tallocations")
	for _, s := range r.Streams {
		row("%s\t%d\t%.0f ms\t%.1f ms\t%.4f\t%.4f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.3g", s.Name, s.Rate, s.ChunkMS, s.DelayMS,
			s.RTF, s.CPURTF, s.Wall.P50, s.Wall.P95, s.Wall.P99, s.Wall.Max, s.CPU.P50, s.CPU.P95, s.CPU.P99, s.CPU.Max, s.AllocationsAChunk)
	}
	gap()

	row("stage\trtf, live\trtf, file")
	var live, file float64
	for _, s := range r.Stages {
		row("%s\t%.4f\t%.4f", s.Name, s.LiveRTF, s.FileRTF)
		live, file = live+s.LiveRTF, file+s.FileRTF
	}
	row("sum\t%.4f\t%.4f", live, file)
	gap()

	row("product\trows\tGFLOPS")
	for _, k := range r.Kernels {
		row("%dx%d\t%d\t%.1f", k.In, k.Out, k.Rows, k.GFLOPS)
	}
	return t.Flush()
}
