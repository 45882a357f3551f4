package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/memberd/memberd/internal/access"
)

// readCredentials reads what app create --json printed. Its error wraps
// fs.ErrNotExist when there is no such file, and never quotes what is in it.
func readCredentials(path string) (access.Credentials, error) {
	var c access.Credentials
	text, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("credentials: %w", err)
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, fmt.Errorf("credentials: %s is not the JSON that app create --json prints", path)
	}
	if c.AppID == "" || c.MerchantID == "" {
		return c, fmt.Errorf("credentials: %s has no app_id or no merchant_id", path)
	}
	return c, nil
}

// writeSecret replaces a file with mode 0600, whole or not at all.
func writeSecret(path string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".memberd-*") // CreateTemp gives 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if _, err := f.Write(text); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
