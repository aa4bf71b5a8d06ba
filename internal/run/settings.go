package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Setting turns "loss.cycle=2" into the JSON that sets one field, nested names joined by dots: {"loss":{"cycle":2}}. What is no
// JSON by itself is text. example is named where the form is wrong.
func Setting(assignment, example string) ([]byte, error) {
	name, value, ok := strings.Cut(assignment, "=")
	if !ok || name == "" {
		return nil, fmt.Errorf("--set %q: want name=value, for instance %s", assignment, example)
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
	value, err := Setting(assignment, example)
	if err != nil {
		return err
	}
	d := json.NewDecoder(strings.NewReader(string(value)))
	d.DisallowUnknownFields()
	if err := d.Decode(config); err != nil {
		return fmt.Errorf("--set %s: %w", assignment, PlainSettingError(err))
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
	}
	return "a " + value
}
