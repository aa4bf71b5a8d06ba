package wheel

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// DefaultIndex is the Python Package Index.
const DefaultIndex = "https://pypi.org/simple"

// maxIndexBytes bounds what an index may say of one project.
const maxIndexBytes = 64 << 20

// Index is a package index, such as PyPI or a mirror of it.
type Index struct {
	URL    string // of the simple index, such as DefaultIndex; may hold a user and a password
	Client *http.Client
}

// anchor finds the links of an index page in HTML.
var anchor = regexp.MustCompile(`(?is)<a\s[^>]*href\s*=\s*(?:"([^"]*)"|'([^']*)')`)

// Find returns the address of a pinned file.
func (x Index) Find(ctx context.Context, p Pin) (string, error) {
	address := strings.TrimSuffix(x.URL, "/") + "/" + p.Project + "/"
	shown := redacted(address)
	base, err := url.Parse(address)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" {
		return "", indexErrorf("index %s: want an address that begins with https://", shown)
	}
	ctx, cancel := context.WithTimeout(ctx, stallTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", fmt.Errorf("index %s: %w", shown, err)
	}
	request.Header.Set("Accept", "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1")
	response, err := x.Client.Do(request)
	if err != nil {
		return "", indexErrorf("index %s: %w: check the network", shown, plain(err))
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusNotFound:
		return "", indexErrorf("index %s does not know %s", redacted(x.URL), p.Project)
	case response.StatusCode != http.StatusOK:
		return "", indexErrorf("index %s answers %s", shown, response.Status)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxIndexBytes))
	if err != nil {
		return "", fmt.Errorf("index %s: %w", shown, plain(err))
	}
	base = response.Request.URL // after redirections
	link := ""
	if kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); strings.HasSuffix(kind, "json") {
		link, err = linkInJSON(body, p.File)
	} else {
		link = linkInHTML(body, p.File)
	}
	if err != nil {
		return "", fmt.Errorf("index %s: %w", shown, err)
	}
	if link == "" {
		return "", indexErrorf("index %s has no file %s", shown, p.File)
	}
	found, err := base.Parse(link)
	if err != nil {
		return "", fmt.Errorf("index %s: link %q: %w", shown, link, err)
	}
	if found.User == nil && found.Host == base.Host {
		found.User = base.User
	}
	found.Fragment = ""
	return found.String(), nil
}

func linkInJSON(body []byte, file string) (string, error) {
	var page struct {
		Files []struct {
			Filename string `json:"filename"`
			URL      string `json:"url"`
		} `json:"files"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return "", fmt.Errorf("its answer is not what an index says: %w", err)
	}
	for _, f := range page.Files {
		if f.Filename == file {
			return f.URL, nil
		}
	}
	return "", nil
}

func linkInHTML(body []byte, file string) string {
	for _, m := range anchor.FindAllSubmatch(body, -1) {
		link := html.UnescapeString(string(m[1]) + string(m[2]))
		path, _, _ := strings.Cut(link, "#")
		path, _, _ = strings.Cut(path, "?")
		name := path[strings.LastIndex(path, "/")+1:]
		if unescaped, err := url.PathUnescape(name); err == nil && unescaped == file {
			return link
		}
	}
	return ""
}

// redacted hides a password.
func redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(not an address)"
	}
	return u.Redacted()
}

// plain takes the address off an error of net/http, which may hold a password and is told elsewhere.
func plain(err error) error {
	if u, ok := err.(*url.Error); ok {
		return u.Err
	}
	return err
}
