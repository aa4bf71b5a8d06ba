// Package runlog is what every training leaves behind and tells meanwhile: progress for a person, a line of metrics per step,
// and snapshots to go on from.
package runlog
