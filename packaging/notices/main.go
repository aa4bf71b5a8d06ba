// Command notices prints the licences of all modules that are built into vc, as they ask for in what is handed on, and fails where one
// has none that is known and permissive. Run it in the source as
//
//	go run ./packaging/notices > NOTICES
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// permissive licences let a program be handed on under its own, with their text beside it. They are named as SPDX does.
var permissive = []string{"MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ISC", "Unlicense", "CC0-1.0", "Zlib", "BSL-1.0", "0BSD"}

// systems are those whose programs are handed on, which differ in their modules.
var systems = []string{"linux", "darwin", "windows"}

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "notices: %v\n", err)
		os.Exit(1)
	}
}

// module is what was built in of one.
type module struct{ path, version, dir string }

func run(w io.Writer) error {
	modules, err := builtIn()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, "vc is built with Go and the modules below, under their licences.")
	var failed error
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	modules = append([]module{{"Go and its standard library", "", strings.TrimSpace(string(goroot))}}, modules...)
	for _, m := range modules {
		failed = errors.Join(failed, notice(out, m))
	}
	return errors.Join(failed, out.Flush())
}

// builtIn lists the modules in the program, without the program's own.
func builtIn() ([]module, error) {
	var all []module
	for _, system := range systems {
		cmd := exec.Command("go", "list", "-deps", "-f", `{{with .Module}}{{if not .Main}}{{.Path}}{{"\t"}}{{.Version}}{{"\t"}}{{.Dir}}{{end}}{{end}}`, "./cmd/vc")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH=amd64")
		cmd.Stderr = os.Stderr
		list, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list for %s: %w", system, err)
		}
		for line := range bytes.Lines(list) {
			fields := strings.Split(strings.TrimSpace(string(line)), "\t")
			if len(fields) == 3 {
				all = append(all, module{fields[0], fields[1], fields[2]})
			}
		}
	}
	slices.SortFunc(all, func(a, b module) int { return strings.Compare(a.path, b.path) })
	return slices.Compact(all), nil
}

// notice prints the texts of a module's licences.
func notice(w io.Writer, m module) error {
	entries, err := os.ReadDir(m.dir)
	if err != nil {
		return fmt.Errorf("%s: %w", m.path, err)
	}
	known := false
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		if e.IsDir() || !slices.ContainsFunc([]string{"LICENSE", "LICENCE", "UNLICENSE", "COPYING", "NOTICE", "PATENTS"}, func(p string) bool { return strings.HasPrefix(name, p) }) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(m.dir, e.Name()))
		if err != nil {
			return fmt.Errorf("%s: %w", m.path, err)
		}
		var ids []string
		for _, match := range licensecheck.Scan(text).Match {
			ids = append(ids, match.ID)
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
		for _, id := range ids {
			if !slices.Contains(permissive, id) && id != "GooglePatentsFile" && id != "GooglePatentClause" {
				return fmt.Errorf("%s: %s: licence %s is not among those that are let in: %s", m.path, e.Name(), id, strings.Join(permissive, ", "))
			}
			known = known || slices.Contains(permissive, id)
		}
		fmt.Fprintf(w, "\n%s\n%s\n%s (%s)\n\n%s\n", strings.Repeat("=", 80), strings.TrimSpace(m.path+" "+m.version), e.Name(), strings.Join(ids, ", "), bytes.TrimSpace(text))
	}
	if !known {
		return fmt.Errorf("%s: no licence was found in %s", m.path, m.dir)
	}
	return nil
}
