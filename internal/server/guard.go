package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// tokenCookie carries the token of a page, which can set no headers of WebSockets, sounds and events.
const tokenCookie = "vc_token"

// guard lets through only requests that name this server as their host, come from nobody else's page, and know the token.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := s.refusal(r); p != nil {
			if p.code == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", `Basic realm="vc"`)
			}
			p.write(w)
			return
		}
		if s.studio() && r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/studio/") && r.URL.Query().Has("token") {
			s.enter(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) refusal(r *http.Request) *problem {
	if !s.knowsHost(r.Host) {
		return fail(http.StatusForbidden, "host_not_allowed", "this server is not known as %q: use its address in numbers, or localhost, "+
			"or start it with that name", r.Host)
	}
	if origin := r.Header.Get("Origin"); origin != "" && !sameOrigin(origin, r) {
		return fail(http.StatusForbidden, "origin_not_allowed", "pages of %q may not use this server", origin)
	}
	switch site := r.Header.Get("Sec-Fetch-Site"); site {
	case "", "same-origin", "none":
	default:
		opens := r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document" &&
			(r.URL.Path == "/" || r.URL.Path == "/studio/")
		if !opens {
			return fail(http.StatusForbidden, "origin_not_allowed", "pages of other sites may not use this server")
		}
	}
	if s.c.Token == "" || r.URL.Path == "/healthz" {
		return nil
	}
	given := tokenOf(r)
	switch {
	case given == "":
		return fail(http.StatusUnauthorized, "missing_token", "this server wants a token, in the header xi-api-key or as \"Authorization: Bearer TOKEN\"")
	case !sameToken(given, s.c.Token):
		return fail(http.StatusUnauthorized, "wrong_token", "this is not the server's token")
	}
	return nil
}

// knowsHost is false for names that somebody else's DNS may lead here. Numbers lead nowhere else.
func (s *Server) knowsHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if ip := net.ParseIP(name); ip != nil {
		return !s.c.Loopback || ip.IsLoopback()
	}
	return strings.EqualFold(name, "localhost") ||
		slices.ContainsFunc(s.c.HostNames, func(known string) bool { return strings.EqualFold(known, name) })
}

func sameOrigin(origin string, r *http.Request) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false // "null" among them
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return u.Scheme == scheme && strings.EqualFold(u.Host, r.Host)
}

func tokenOf(r *http.Request) string {
	if key := r.Header.Get("xi-api-key"); key != "" {
		return key
	}
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	if c, err := r.Cookie(tokenCookie); err == nil {
		return c.Value
	}
	if strings.HasPrefix(r.URL.Path, "/studio/") && r.Method == http.MethodGet {
		return r.URL.Query().Get("token")
	}
	return ""
}

// sameToken takes equally long for all tokens.
func sameToken(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// enter lets a browser keep the token that the address named, and takes it out of the address.
func (s *Server) enter(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{
		Name: tokenCookie, Value: r.URL.Query().Get("token"), Path: "/", HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
	q := r.URL.Query()
	q.Del("token")
	to := url.URL{Path: r.URL.Path, RawQuery: q.Encode()}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}
