package main

import (
	"github.com/memberd/memberd/internal/config"
)

type settingsCommand struct {
	commonFlags
	config.Server
}

func (c *settingsCommand) Run(p *program) error { return p.printConfig(c.Server) }

// printConfig writes the configuration even when it is wrong, then says what
// is: seeing where a value came from is how it gets mended.
func (p *program) printConfig(server config.Server) error {
	whole := &config.Config{Common: p.common, Server: server}
	if err := p.resolver.Print(p.stdout, whole, p.parsed); err != nil {
		return err
	}
	if err := whole.Check(); err != nil {
		return &exitError{exitUsage, err}
	}
	return nil
}
