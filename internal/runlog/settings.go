package runlog

import (
	"encoding/json"
	"fmt"
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
		return fmt.Errorf("--set %s: %w", assignment, err)
	}
	return nil
}
