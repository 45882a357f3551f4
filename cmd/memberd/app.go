package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/memberd/memberd/internal/access"
)

type appCommand struct {
	commonFlags
	Create  appCreate  `cmd:"" help:"Create an app and print its credentials, once."`
	List    appList    `cmd:"" help:"List a merchant's apps."`
	Disable appDisable `cmd:"" help:"Turn an app off; running servers honour it within 2 seconds."`
	Enable  appEnable  `cmd:"" help:"Turn an app on again."`

	Callback appCallback `cmd:"" help:"Change where an app's callbacks go."`
}

type appCreate struct {
	Merchant     string        `name:"merchant" required:"" placeholder:"ID" help:"The merchant it calls for."`
	Name         string        `name:"name" required:"" placeholder:"NAME" help:"What people call it."`
	ID           string        `name:"id" placeholder:"APP_ID" help:"Its id, if the integrator has one already (default: a fresh one)."`
	Space        string        `name:"space" placeholder:"NAME" help:"A number space of its own (default: the one that the merchant's apps share)."`
	Unsigned     bool          `name:"unsigned" help:"Let it send \"sign\":\"skip\"; sandbox merchants only."`
	CallbackURL  string        `name:"callback-url" placeholder:"URL" help:"Where registrations and points changes of all members are posted to."`
	TokenLimit   int           `name:"token-limit" placeholder:"N" help:"Token pairs a day (default: 1, in a sandbox 1000)."`
	RefreshLimit int           `name:"refresh-limit" placeholder:"N" help:"Token refreshes a day (default: 20, in a sandbox 1000)."`
	Window       time.Duration `name:"window" placeholder:"DURATION" help:"How far timestamps of its calls may be off (default: 5m)."`
	JSON         bool          `name:"json" help:"Print the credentials as JSON, for memberd call --app and programs."`
}

func (c *appCreate) Run(p *program) error {
	pl, err := p.open(p.ctx)
	if err != nil {
		return err
	}
	defer pl.Close()
	app, credentials, err := pl.access.CreateApp(p.ctx, access.NewApp{
		MerchantID: c.Merchant, Name: c.Name, ID: c.ID, Space: c.Space, Unsigned: c.Unsigned, CallbackURL: c.CallbackURL,
		TokenLimit: c.TokenLimit, RefreshLimit: c.RefreshLimit, WindowMillis: c.Window.Milliseconds(),
	})
	if err != nil {
		return refused(err, "app "+c.ID)
	}
	if c.JSON {
		return p.printJSON(credentials)
	}
	rows := [][2]string{
		{"app_id", credentials.AppID},
		{"app_secret", credentials.AppSecret},
		{"merchant_id", credentials.MerchantID},
		{"envelope_private_key", credentials.EnvelopePrivateKey},
		{"envelope_platform_public_key", credentials.EnvelopePlatformPublicKey},
		{"unsigned", yesNo(app.Unsigned)},
	}
	if app.Space != "" {
		rows = append(rows, [2]string{"space", app.Space})
	}
	if app.CallbackURL != "" {
		rows = append(rows, [2]string{"callback_url", app.CallbackURL})
	}
	p.printTable(rows)
	fmt.Fprintln(p.stdout, "\nSave this now: app_secret and envelope_private_key are shown once and cannot be shown again.")
	return nil
}

type appList struct {
	Merchant string `name:"merchant" required:"" placeholder:"ID" help:"Whose apps."`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// listedApp is an app without its secrets.
type listedApp struct {
	ID          string `json:"app_id"`
	Name        string `json:"name"`
	Disabled    bool   `json:"disabled"`
	Unsigned    bool   `json:"unsigned"`
	Space       string `json:"space"`
	CallbackURL string `json:"callback_url"`
	CreatedAt   string `json:"created_at"`
}

func (c *appList) Run(p *program) error {
	pl, merchant, err := p.openMerchant(c.Merchant)
	if err != nil {
		return err
	}
	defer pl.Close()
	apps, err := pl.access.Apps(p.ctx, c.Merchant)
	if err != nil {
		return err
	}
	list := make([]listedApp, 0, len(apps))
	for _, a := range apps {
		created := time.UnixMilli(a.CreatedAt).In(merchant.Location).Format(time.RFC3339)
		list = append(list, listedApp{a.ID, a.Name, a.Disabled, a.Unsigned, a.Space, a.CallbackURL, created})
	}
	if c.JSON {
		return p.printJSON(list)
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "APP ID\tSTATE\tUNSIGNED\tSPACE\tCREATED\tCALLBACK\tNAME")
	for _, a := range list {
		state := "enabled"
		if a.Disabled {
			state = "disabled"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", a.ID, state, yesNo(a.Unsigned), dash(a.Space), a.CreatedAt, dash(a.CallbackURL), a.Name)
	}
	return w.Flush()
}

type appDisable struct {
	ID string `arg:"" name:"app-id" help:"The app."`
}

func (c *appDisable) Run(p *program) error { return p.setAppDisabled(c.ID, true) }

type appEnable struct {
	ID string `arg:"" name:"app-id" help:"The app."`
}

func (c *appEnable) Run(p *program) error { return p.setAppDisabled(c.ID, false) }

func (p *program) setAppDisabled(id string, disabled bool) error {
	pl, err := p.open(p.ctx)
	if err != nil {
		return err
	}
	defer pl.Close()
	if err := pl.access.SetAppDisabled(p.ctx, id, disabled); err != nil {
		return refused(err, "app "+id)
	}
	state := "enabled"
	if disabled {
		state = "disabled"
	}
	fmt.Fprintf(p.stdout, "app %s is %s\n", id, state)
	return nil
}

type appCallback struct {
	ID   string `arg:"" name:"app-id" help:"The app."`
	URL  string `name:"url" placeholder:"URL" xor:"where" required:"" help:"Where registrations and points changes of all members are posted to; what waits goes there too."`
	None bool   `name:"none" xor:"where" required:"" help:"Nowhere any more. What waits is kept."`
}

func (c *appCallback) Run(p *program) error {
	pl, err := p.open(p.ctx)
	if err != nil {
		return err
	}
	defer pl.Close()
	if err := pl.access.SetCallbackURL(p.ctx, c.ID, c.URL); err != nil {
		return refused(err, "app "+c.ID)
	}
	if c.None {
		fmt.Fprintf(p.stdout, "app %s is told nothing any more\n", c.ID)
		return nil
	}
	fmt.Fprintf(p.stdout, "app %s is told at %s\n", c.ID, c.URL)
	return nil
}
