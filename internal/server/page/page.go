// Package page holds the studio: the one page that "vc studio" serves, with its scripts, styles and letters. It
// needs nothing from outside, no build step and no network. The scripts are modules as browsers run them; none
// stands inside the HTML, so that a strict Content-Security-Policy holds.
package page

import (
	"embed"
	"io/fs"
)

//go:embed assets
var assets embed.FS

// Policy is the Content-Security-Policy under which the page works.
const Policy = "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self' blob:; " +
	"worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Files are the page: index.html at the root, and what it names, in folders below.
func Files() fs.FS {
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return files
}
