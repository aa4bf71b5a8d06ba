package vc

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	maxConsentRunes = 200 // of a line
	maxConsents     = 64  // in a saved voice
)

// Consent says whose recordings a voice was made from, when that person agreed to it, and what may be done with the voice. It is a
// note for people: the package keeps it with a [Voice] and in a [VoiceFile], and neither proves it nor acts on it. None of its fields
// may be empty, and all together are a line of at most 200 characters ([Consent.String]).
type Consent struct {
	Who     string `json:"who"`     // whose voice it is
	When    string `json:"when"`    // the date as 2026-11-30, 2026-11 or 2026
	Licence string `json:"licence"` // its name, or the use that is allowed, in words
}

// ParseConsent reads a line such as "Ada Example, 2026-11-30, CC BY 4.0", as String writes it: the first date that stands between two
// commas parts who speaks from the licence, so there may be commas in both. A line without such a date, with control characters or
// with more than 200 characters is an error.
func ParseConsent(line string) (Consent, error) {
	if err := checkConsentLine(line); err != nil {
		return Consent{}, err
	}
	c, ok := splitConsent(line)
	if !ok {
		return Consent{}, fmt.Errorf(`consent %q: want who speaks, the date (2026-11-30, 2026-11 or 2026) and the licence, `+
			`such as "Ada Example, 2026-11-30, CC BY 4.0"`, line)
	}
	return c, nil
}

func checkConsentLine(line string) error {
	switch n := utf8.RuneCountInString(line); {
	case n > maxConsentRunes:
		return fmt.Errorf("consent %.40q...: has %d characters, at most %d are kept: name the licence in a few words", line, n, maxConsentRunes)
	case !utf8.ValidString(line) || strings.ContainsFunc(line, breaksLine):
		return fmt.Errorf("consent %q: want one line of plain text in UTF-8, without control characters", line)
	}
	return nil
}

// breaksLine tells characters that end a line, or that make a terminal or a page show it in another order than it was written in.
func breaksLine(r rune) bool {
	return unicode.IsControl(r) || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

func splitConsent(line string) (Consent, bool) {
	parts := strings.Split(line, ",")
	for i := 1; i < len(parts)-1; i++ {
		when := strings.TrimSpace(parts[i])
		if !isDate(when) {
			continue
		}
		c := Consent{strings.TrimSpace(strings.Join(parts[:i], ",")), when, strings.TrimSpace(strings.Join(parts[i+1:], ","))}
		return c, c.Who != "" && c.Licence != ""
	}
	return Consent{}, false
}

func isDate(text string) bool {
	return slices.ContainsFunc([]string{time.DateOnly, "2006-01", "2006"}, func(layout string) bool {
		_, err := time.Parse(layout, text)
		return err == nil
	})
}

// String is the line that ParseConsent reads.
func (c Consent) String() string { return c.Who + ", " + c.When + ", " + c.Licence }

// check finds what ParseConsent would not have made.
func (c Consent) check() error {
	if again, err := ParseConsent(c.String()); err != nil {
		return err
	} else if again != c {
		return fmt.Errorf(`consent %q: want who speaks in "who", one date (2026-11-30, 2026-11 or 2026) in "when" and the licence in "licence"`, c)
	}
	return nil
}

// checkConsents is for those of a saved voice.
func checkConsents(all []Consent) error {
	if len(all) > maxConsents {
		return fmt.Errorf("%d lines about consent, at most %d are kept: mix fewer voices", len(all), maxConsents)
	}
	for _, c := range all {
		if err := c.check(); err != nil {
			return err
		}
	}
	return nil
}

// AddConsent notes the consent of a person from whose recordings the voice was made; one that is there already is not added again. Copies
// of the voice keep what they have.
func (v *Voice) AddConsent(c Consent) { v.Consent = joinConsents(v.Consent, []Consent{c}) }

// joinConsents adds to those of one voice what those of another have more.
func joinConsents(all, more []Consent) []Consent {
	for _, c := range more {
		if !slices.Contains(all, c) {
			all = append(slices.Clip(all), c)
		}
	}
	return all
}
