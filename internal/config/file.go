package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// fileLimit bounds what is read; the whole of Config written out has 2 KB.
const fileLimit = 1 << 20

// file is a configuration file: its path and its values by key, as they were
// written.
type file struct {
	path   string
	values map[string]any
}

// readFile reads and checks the form of a file. Every mistake is named with its
// key and line. Its error wraps fs.ErrNotExist when there is none.
func readFile(path string) (*file, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	if info.Size() > fileLimit {
		return nil, fmt.Errorf("configuration file %s: larger than 1 MiB", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	var shape Config
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&shape); err != nil {
		return nil, fileError(path, err)
	}
	var tree map[string]any
	if err := toml.Unmarshal(text, &tree); err != nil {
		return nil, fileError(path, err)
	}
	f := &file{path: path, values: map[string]any{}}
	f.flatten("", tree)
	return f, nil
}

func (f *file) flatten(prefix string, tree map[string]any) {
	for name, value := range tree {
		if table, ok := value.(map[string]any); ok {
			f.flatten(prefix+name+".", table)
			continue
		}
		f.values[prefix+name] = value
	}
}

// fileError turns the decoder's errors into one line each.
func fileError(path string, err error) error {
	if missing, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		var errs []error
		for i := range missing.Errors {
			e := &missing.Errors[i]
			line, _ := e.Position()
			errs = append(errs, fmt.Errorf("configuration file %s, line %d: there is no setting %s", path, line, strings.Join(e.Key(), ".")))
		}
		return errors.Join(errs...)
	}
	if e, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, column := e.Position()
		name := ""
		if key := strings.Join(e.Key(), "."); key != "" {
			name = key + ": "
		}
		return fmt.Errorf("configuration file %s, line %d, column %d: %s%w", path, line, column, name, e)
	}
	return fmt.Errorf("configuration file %s: %w", path, err)
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
