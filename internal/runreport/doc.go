// Package runreport shows a training run to people: curves of its metrics, and one page with samples to listen to.
package runreport
