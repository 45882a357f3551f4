package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/user"
	"slices"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
)

// merchantSettings shows a merchant's settings document or replaces it. A
// change is in force in every process once the command has returned.
type merchantSettings struct {
	ID     string `name:"id" required:"" placeholder:"ID" help:"The merchant."`
	File   string `name:"file" placeholder:"FILE" help:"Replace the settings by this JSON document, - for standard input; begin with what the command prints."`
	Reason string `name:"reason" placeholder:"TEXT" help:"Why, for the history; needed with --file."`
}

func (c *merchantSettings) Run(p *program) error {
	pl, err := p.open(p.ctx)
	if err != nil {
		return err
	}
	defer pl.Close()
	if c.File == "" {
		snap, err := pl.store.Snapshot(p.ctx, c.ID)
		if err != nil {
			return refused(err, "")
		}
		return p.printJSON(snap.Settings)
	}
	if c.Reason == "" {
		return wrongly("--file needs a --reason")
	}
	settings, err := readSettings(c.File)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	operator := "unknown"
	if u, err := user.Current(); err == nil {
		operator = u.Username
	}
	version, err := pl.store.ChangeSettings(p.ctx, c.ID, operator, c.Reason, func(int64, loyalty.Settings) (loyalty.Settings, error) {
		return settings, nil
	})
	switch {
	case errors.Is(err, access.ErrNoMerchant):
		return refused(err, "")
	case err != nil:
		return err
	}
	fmt.Fprintf(p.stdout, "merchant %s: settings version %d\n", c.ID, version)
	return nil
}

func readSettings(file string) (loyalty.Settings, error) {
	var text []byte
	var err error
	if file == "-" {
		text, err = io.ReadAll(os.Stdin)
	} else {
		text, err = os.ReadFile(file)
	}
	if err != nil {
		return loyalty.Settings{}, err
	}
	var given, whole map[string]any
	if err := json.Unmarshal(text, &given); err != nil {
		return loyalty.Settings{}, fmt.Errorf("%s is no JSON object: %w", file, err)
	}
	if err := json.Unmarshal([]byte(loyalty.DefaultSettings().Document()), &whole); err != nil {
		return loyalty.Settings{}, err
	}
	if key := missing(whole, given, ""); key != "" {
		return loyalty.Settings{}, fmt.Errorf("%s lacks %s: the document replaces everything, so it has to say everything", file, key)
	}
	return loyalty.ParseSettings(string(text))
}

// missing is the first key of whole that given does not have; "" if it has all.
// A part that was left out would silently become a default.
func missing(whole, given map[string]any, path string) string {
	for _, key := range slices.Sorted(maps.Keys(whole)) {
		value, there := given[key]
		if !there || value == nil {
			return path + key
		}
		inner, isObject := whole[key].(map[string]any)
		if !isObject {
			continue
		}
		part, _ := value.(map[string]any)
		if found := missing(inner, part, path+key+"."); found != "" {
			return found
		}
	}
	return ""
}
