package run

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
)

// setting turns "loss.cycle=2" into the JSON that sets one field, nested names joined by dots: {"loss":{"cycle":2}}. What is no
// JSON by itself is text. example is named where the form is wrong.
func setting(assignment, example string) ([]byte, error) {
	name, value, ok := strings.Cut(assignment, "=")
	if !ok || name == "" {
		return nil, fmt.Errorf("setting %q: want name=value, for instance %s", assignment, example)
	}
	if !json.Valid([]byte(value)) {
		quoted, _ := json.Marshal(value)
		value = string(quoted)
	}
	parts := strings.Split(name, ".")
	for i := len(parts) - 1; i >= 0; i-- {
		key, _ := json.Marshal(parts[i])
		value = "{" + string(key) + ":" + value + "}"
	}
	return []byte(value), nil
}

// ApplySetting sets one field of config, a pointer. A name that it does not have is an error.
func ApplySetting(config any, assignment, example string) error {
	value, err := setting(assignment, example)
	if err != nil {
		return err
	}
	return apply(config, value, "setting "+assignment)
}

// ApplyFile sets the fields of config, a pointer, that a JSON file holds. A name that config does not have is an error.
func ApplyFile(config any, path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("config file: %w", err)
	}
	return apply(config, b, "config file "+path)
}

func apply(config any, b []byte, where string) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(config); err != nil {
		return fmt.Errorf("%s: %w (a run's config.json lists every name)", where, PlainSettingError(err))
	}
	return nil
}

// PlainSettingError says in plain words that a setting is of another kind, where that is what the JSON decoder's error means.
func PlainSettingError(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("%s cannot be %s: it is %s", wrong.Field, article(wrong.Value), kindOf(wrong.Type))
	}
	return err
}

// kindOf names what a setting holds, for a person.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.String:
		return "a text"
	case reflect.Struct:
		return "a group of settings: name one of them after a dot"
	case reflect.Slice, reflect.Array:
		return "a list"
	}
	return "a whole number"
}

// article names what JSON holds, for a person: "string", "number 1.5", "bool".
func article(value string) string {
	switch {
	case value == "string":
		return "a text"
	case value == "bool":
		return "true or false"
	case value != "" && strings.ContainsRune("aeiou", rune(value[0])):
		return "an " + value
	}
	return "a " + value
}

// Bounds are settings with the least and the greatest value that each may have.
type Bounds []struct {
	Name             string
	Value, Low, High float64
}

// Check names the first setting that is out of its bounds, or no number.
func (bs Bounds) Check(what string) error {
	for _, b := range bs {
		if math.IsNaN(b.Value) || b.Value < b.Low || b.Value > b.High {
			return fmt.Errorf("%s: %s is %v, want %v to %v", what, b.Name, b.Value, b.Low, b.High)
		}
	}
	return nil
}
