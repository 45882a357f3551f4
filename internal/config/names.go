package config

import (
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

const (
	envPrefix = "MEMBERD_"
	// FileEnv names the configuration file.
	FileEnv = envPrefix + "CONFIG"
	// KeyEnv holds the encryption key itself. It has neither a flag, which
	// every user of the machine could read, nor a key in the file.
	KeyEnv = envPrefix + "KEY"
	// FileName is the file that is read from the data folder when none is named.
	FileName = "memberd.toml"
)

// setting is one leaf of Config.
type setting struct {
	Key, Flag, Env string
	index          []int
}

// settings are the leaves of Config in order.
func settings() []setting { return leaves(reflect.TypeFor[Config](), "", nil) }

func leaves(t reflect.Type, prefix string, index []int) []setting {
	var found []setting
	for i := range t.NumField() {
		field := t.Field(i)
		at := append(index[:len(index):len(index)], i)
		name := field.Tag.Get("toml")
		switch {
		case field.Anonymous:
			found = append(found, leaves(field.Type, prefix, at)...)
		case field.Type.Kind() == reflect.Struct:
			found = append(found, leaves(field.Type, prefix+name+".", at)...)
		default:
			key := prefix + name
			flag := strings.NewReplacer(".", "-", "_", "-").Replace(key)
			found = append(found, setting{Key: key, Flag: flag, Env: envName(flag), index: at})
		}
	}
	return found
}

func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// settingOf is the setting that a flag stands for. A subcommand may have a flag
// of the same name that is none (call --data), which its tags tell.
func settingOf(value *kong.Value) (setting, bool) {
	if value.Flag == nil || !value.Tag.Has("toml") {
		return setting{}, false
	}
	for _, s := range settings() {
		if s.Flag == value.Name {
			return s, true
		}
	}
	return setting{}, false
}
