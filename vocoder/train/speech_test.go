package train

import "testing"

// BenchmarkBatch draws batches of preset base, as the steps of a run do.
func BenchmarkBatch(b *testing.B) {
	c, err := DefaultConfig("base")
	if err != nil {
		b.Fatal(err)
	}
	us := []utterance{sung(c.Net.Features, 400, 1), sung(c.Net.Features, 600, 2)}
	batches := newBatcher(c, us)
	host := batches.newBatch()
	b.ReportAllocs()
	for step := 0; b.Loop(); step++ {
		batches.fill(host, step)
	}
	seconds := float64(c.Batch*c.CropFrames*c.Net.Features.Hop) / float64(c.Net.Features.SampleRate)
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/seconds, "rtf")
}
