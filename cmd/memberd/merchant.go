package main

import (
	"errors"
	"fmt"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
)

type merchantCommand struct {
	commonFlags
	Create   merchantCreate   `cmd:"" help:"Create a merchant with a programme that works at once."`
	Settings merchantSettings `cmd:"" help:"Show a merchant's settings, or replace them."`
}

type merchantCreate struct {
	ID      string `name:"id" required:"" placeholder:"ID" help:"Its partnerId on the wire: 1 to 64 of A-Z a-z 0-9 _ -"`
	Name    string `name:"name" required:"" placeholder:"NAME" help:"What people call it."`
	Sandbox bool   `name:"sandbox" help:"For trying things out: unsigned apps and generous limits."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

func (c *merchantCreate) Run(p *program) error {
	pl, err := p.openOrCreate(p.ctx)
	if err != nil {
		return err
	}
	defer pl.Close()
	m, err := pl.access.CreateMerchant(p.ctx, c.ID, c.Name, c.Sandbox, loyalty.DefaultSettings().Document())
	if err != nil {
		return refused(err, "merchant "+c.ID)
	}
	if c.JSON {
		return p.printJSON(struct {
			ID      string `json:"merchant_id"`
			Name    string `json:"name"`
			Sandbox bool   `json:"sandbox"`
		}{m.ID, m.Name, m.Sandbox})
	}
	p.printTable([][2]string{{"merchant", m.ID}, {"name", m.Name}, {"sandbox", yesNo(m.Sandbox)}, {"zone", m.Zone}})
	fmt.Fprintf(p.stdout, "\nNext: memberd app create --merchant %s --name NAME\n", m.ID)
	return nil
}

// refused says in English what access refuses; what names the thing asked for.
func refused(err error, what string) error {
	switch {
	case errors.Is(err, access.ErrInvalid):
		return &exitError{exitUsage, err}
	case errors.Is(err, access.ErrExists):
		return fmt.Errorf("%s exists already", what)
	case errors.Is(err, access.ErrNoMerchant):
		return errors.New("there is no such merchant; create it with memberd merchant create")
	case errors.Is(err, access.ErrNoApp):
		return fmt.Errorf("there is no %s", what)
	}
	return err
}
