package sms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// fileMode keeps the outbox to its owner: it holds phones and codes in clear.
const fileMode = 0o600

// File is the Sender that needs no provider: it appends each message as a line
// of JSON to a file, for trying things out and for programs that deliver from
// there. Several processes may share the file, and it may be moved away at any
// time.
type File struct{ path string }

// NewFile returns a File that appends to path, which need not be there yet.
func NewFile(path string) *File { return &File{path} }

// Send implements Sender. The line is one write, so lines of several processes
// don't mix.
func (f *File) Send(_ context.Context, m Message) (err error) {
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, fileMode)
	if err != nil {
		return fmt.Errorf("sms outbox: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("sms outbox: %w", err)
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&^fileMode != 0 {
		if err := file.Chmod(fileMode); err != nil {
			return fmt.Errorf("sms outbox: %w", err)
		}
	}
	if _, err := file.Write(m.line()); err != nil {
		return fmt.Errorf("sms outbox: %w", err)
	}
	return nil
}

func (m Message) line() []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(struct {
		Time  string `json:"time"`
		Phone string `json:"phone"`
		Code  string `json:"code"`
		Text  string `json:"text"`
	}{m.time(), m.Phone, m.Code, m.Text})
	if err != nil {
		panic(err) // texts always encode
	}
	return b.Bytes()
}
