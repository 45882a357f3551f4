package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
)

const (
	demoMerchant = "1864"
	// demoUnsigned is the appId of the envelope document's own examples.
	demoUnsigned = "2eb5c8f1170246429755e6dac313f89d"
	// otherMerchant and otherUnsigned stand in the rest of those examples.
	otherMerchant = "1000"
	otherUnsigned = "2eb5c8f117dac313f89d"
	demoFile      = "demo-app.json"
)

// demoApps are what --demo has set up.
type demoApps struct {
	credentials access.Credentials
	path        string // of the signing app's credentials
}

// createDemoApps makes merchant 1864 and its two apps where they are missing,
// so that a second --demo on the folder finds them again.
func (pl *platform) createDemoApps(ctx context.Context, data string) (*demoApps, error) {
	if err := pl.createUnsigned(ctx, demoMerchant, demoUnsigned); err != nil {
		return nil, err
	}
	if err := pl.createUnsigned(ctx, otherMerchant, otherUnsigned); err != nil {
		return nil, err
	}
	var err error
	demo := &demoApps{path: filepath.Join(data, demoFile)}
	if demo.credentials, err = readCredentials(demo.path); err == nil {
		if _, err := pl.access.App(ctx, demo.credentials.AppID); err == nil {
			return demo, nil
		}
		return nil, fmt.Errorf("%s is of an app that is not in this database; move the file away", demo.path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	_, demo.credentials, err = pl.access.CreateApp(ctx, access.NewApp{MerchantID: demoMerchant, Name: "signing demo app"})
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(demo.credentials, "", "  ")
	if err != nil {
		return nil, err
	}
	return demo, writeSecret(demo.path, append(text, '\n'))
}

// createUnsigned makes a sandbox merchant and its unsigned app where they are
// missing.
func (pl *platform) createUnsigned(ctx context.Context, id, app string) error {
	merchant, err := pl.access.Merchant(ctx, id)
	if errors.Is(err, access.ErrNoMerchant) {
		var created access.Merchant
		created, err = pl.access.CreateMerchant(ctx, id, "演示商家", true, loyalty.DefaultSettings().Document())
		merchant = &created
	}
	if err != nil {
		return err
	}
	if !merchant.Sandbox {
		return fmt.Errorf("merchant %s is in use here and is no sandbox; --demo is for a data folder of its own", id)
	}
	_, _, err = pl.access.CreateApp(ctx, access.NewApp{MerchantID: id, ID: app, Name: "unsigned demo app", Unsigned: true})
	if errors.Is(err, access.ErrExists) {
		return nil
	}
	return err
}

// print says what to paste next, with the program as it was called.
func (d *demoApps) print(w io.Writer, program, url string) {
	fmt.Fprintf(w, `
Demo: merchant %[1]s, a sandbox with %[6]d members and some months of points.

The signing app %[4]s, for both protocols; its credentials are in %[5]s:

  %[7]s call wk.user.info.query --app %[5]s --url %[3]s --data '{"phone":"13800000000"}'
  %[7]s call wk.user.event.score.change --app %[5]s --url %[3]s --data '{"open_id":"13800000000","score":10,"change_event":"event_add","change_reason":"first call","change_id":"first-1"}'
  %[7]s call /member/score/statisticalScore --app %[5]s --url %[3]s --data '{"partnerId":"%[1]s","memberId":"115632749214110108"}'

The unsigned apps %[2]s and %[8]s
take the envelope document's examples as they are:

  curl -sS %[3]s/member/getMemberInfoByIdOrMobile -d '{"appId":"%[2]s","partnerId":"%[1]s","requestBody":"{\"mobile\":\"15623261994\",\"showScoreSwitch\":\"1\"}","sign":"skip","ver":1}'

`, demoMerchant, demoUnsigned, url, d.credentials.AppID, d.path, demoMembers, program, otherUnsigned)
}
