package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// Resolver gives kong the values of flags that are not on the command line:
// from the environment, else from the file. Make one for each run.
type Resolver struct {
	lookup  func(string) (string, bool)
	loaded  bool
	file    *file // nil: none
	sources map[string]string
}

// NewResolver reads the environment through lookup, os.LookupEnv outside tests.
func NewResolver(lookup func(string) (string, bool)) *Resolver {
	return &Resolver{lookup: lookup, sources: map[string]string{}}
}

// Key is the encryption key from the environment, empty if there is none.
func (r *Resolver) Key() string {
	key, _ := r.env(KeyEnv)
	return key
}

// Validate has nothing to check before the flags are known.
func (r *Resolver) Validate(*kong.Application) error { return nil }

// Resolve is called once for each flag that may get a value.
func (r *Resolver) Resolve(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	s, ok := settingOf(flag.Value)
	if !ok {
		return nil, nil
	}
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	if value, ok := r.env(s.Env); ok {
		r.sources[s.Key] = "environment " + s.Env
		return r.checked(flag, value, "environment "+s.Env)
	}
	if r.file == nil {
		return nil, nil
	}
	value, ok := r.file.values[s.Key]
	if list, isList := value.([]any); !ok || isList && len(list) == 0 {
		return nil, nil
	}
	r.sources[s.Key] = "file " + r.file.path
	return r.checked(flag, text(value), "configuration file "+r.file.path+", "+s.Key)
}

// text is a value of the file as a flag takes it; of a list each element is a
// line, as in the environment.
func text(value any) string {
	list, ok := value.([]any)
	if !ok {
		return fmt.Sprint(value)
	}
	lines := make([]string, len(list))
	for i := range list {
		lines[i] = fmt.Sprint(list[i])
	}
	return strings.Join(lines, "\n")
}

// checked tries the value, because kong's own error would name the flag, which
// is not where the mistake is.
func (r *Resolver) checked(flag *kong.Flag, value, source string) (any, error) {
	probe := reflect.New(flag.Target.Type()).Elem()
	if err := flag.Parse(kong.Scan().PushTyped(value, kong.FlagValueToken), probe); err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	return value, nil
}

// env is a variable that is set to something.
func (r *Resolver) env(name string) (string, bool) {
	value, ok := r.lookup(name)
	return value, ok && value != ""
}

// load finds the file: named by flag or environment, else in the data folder.
func (r *Resolver) load(ctx *kong.Context) error {
	if r.loaded {
		return nil
	}
	r.loaded = true
	path := given(ctx, "config")
	if path == "" {
		path, _ = r.env(FileEnv)
	}
	var err error
	if path != "" {
		r.file, err = readFile(path)
		return err
	}
	data := given(ctx, "data")
	if data == "" {
		data, _ = r.env(envName("data"))
	}
	if data == "" {
		data = reflect.TypeFor[Common]().Field(0).Tag.Get("default")
	}
	path = filepath.Join(data, FileName)
	if r.file, err = readFile(path); err != nil {
		if isMissing(err) {
			return nil
		}
		return err
	}
	if _, ok := r.file.values["data"]; ok {
		return fmt.Errorf("configuration file %s: data cannot be set in the data folder's own file; name the file with --config or %s", path, FileEnv)
	}
	return nil
}

// given is a flag's value on the command line, empty if it is not there.
func given(ctx *kong.Context, name string) string {
	for _, path := range ctx.Path {
		if path.Flag != nil && path.Flag.Name == name && !path.Resolved {
			if text, ok := ctx.FlagValue(path.Flag).(string); ok {
				return text
			}
		}
	}
	return ""
}

// HelpValue is kong's help for a value, with the environment name of settings.
func HelpValue(value *kong.Value) string {
	help := kong.DefaultHelpValueFormatter(value)
	if s, ok := settingOf(value); ok {
		return help + " (" + s.Env + ")"
	}
	return help
}
