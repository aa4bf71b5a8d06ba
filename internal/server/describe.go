package server

import (
	"context"
	"net/http"
	"net/url"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// sounds describes an operation whose answer is sound.
func sounds(op huma.Operation, kinds ...string) huma.Operation {
	content := map[string]*huma.MediaType{}
	for _, kind := range kinds {
		content[kind] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	}
	op.Responses = map[string]*huma.Response{"200": {Description: http.StatusText(http.StatusOK), Content: content}}
	return op
}

// registerForm registers an operation that reads a form like that, of the fields of a struct. The form is read as it comes, and not by
// huma, which would keep all of it first; so huma learns of it only once the operation is there.
func registerForm[I, O any](api huma.API, op huma.Operation, form any, handler func(context.Context, *I) (*O, error)) {
	huma.Register(api, op, handler)
	t := reflect.TypeOf(form)
	schema := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{}}
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("form")
		var of *huma.Schema
		if f.Type == reflect.TypeFor[huma.FormFile]() {
			of = &huma.Schema{Type: huma.TypeString, Format: "binary", ContentEncoding: "binary"}
		} else {
			of = huma.SchemaFromField(api.OpenAPI().Components.Schemas, f, t.Name())
		}
		of.Description = f.Tag.Get("doc")
		schema.Properties[name] = of
		if f.Tag.Get("required") == "true" {
			schema.Required = append(schema.Required, name)
		}
	}
	api.OpenAPI().Paths[op.Path].Post.RequestBody = &huma.RequestBody{
		Required: true, Content: map[string]*huma.MediaType{"multipart/form-data": {Schema: schema}},
	}
}

// escape makes an id fit for a path.
func escape(id string) string { return url.PathEscape(id) }
