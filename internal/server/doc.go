// Package server lets other programs and a page in a browser use a voice changer over HTTP: recordings are converted, live sound is
// converted on its way through a WebSocket, voices are made and kept, and a voice of one's own is trained by a child process. The
// routes are written down in docs/api.md, and as OpenAPI by the server itself.
//
// Nothing that a client sends is believed: names become no paths, lengths in headers are not taken for lengths, everything that
// waits is bounded, and what does not fit on the processor cores is refused in words, with a time to try again, so that what was
// taken on runs in time.
package server
