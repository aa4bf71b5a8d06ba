// Package run drives every training, and is what every training leaves behind and tells meanwhile: the run folder with its
// settings, a line of metrics per step, snapshots to go on from and a report; progress for a person; how long it will take and how
// much memory; what to do when memory or disk run out; and whether what came out is speech.
package run
