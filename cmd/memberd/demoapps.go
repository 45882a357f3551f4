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
		created, err = pl.access.CreateMerchant(ctx, id, "演示商家", true, demoProgramme().Document())
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
Demo: merchant %s, a sandbox with %d members and some months of purchases, points and coupons.

The signing app %s, for both protocols; its credentials are in %s:

`, demoMerchant, demoMembers, d.credentials.AppID, d.path)
	for _, call := range demoCalls {
		fmt.Fprintf(w, "  %s call %s --app %s --url %s --data '%s'\n", program, call.target, d.path, url, call.data)
	}
	fmt.Fprintf(w, `
The unsigned apps %[2]s and %[4]s
take the envelope document's examples as they are:

  curl -sS %[3]s/member/getMemberInfoByIdOrMobile -d '{"appId":"%[2]s","partnerId":"%[1]s","requestBody":"{\"mobile\":\"15623261994\",\"showScoreSwitch\":\"1\"}","sign":"skip","ver":1}'

`, demoMerchant, demoUnsigned, url, otherUnsigned)
}

// demoCalls can be pasted in this order, once and again.
var demoCalls = []struct{ target, data string }{
	{"wk.user.info.query", `{"phone":"13800000000"}`},
	{"wk.user.event.score.change", `{"open_id":"13800000000","score":10,"change_event":"event_add","change_reason":"first call","change_id":"first-1"}`},
	{"wk.user.consume.order", `{"phone":"13800000000","order_no":"first-order","order_amount":199.9,"order_score":199,"consume_date":"2021-08-24 00:00:00"}`},
	{"wk.user.refund.order", `{"phone":"13800000000","order_no":"first-refund","parent_order_no":"first-order","order_amount":99.9,"order_score":99,"consume_date":"2021-08-24 00:00:00"}`},
	{"wk.coupon.give", `{"third_coupon_id":"` + demoExample + `","number":1,"create_time":1626671161991,"coupon_set":[{"open_id":"13800000000","params_type":2,"coupon_number":"first-coupon"}]}`},
	{"/member/score/statisticalScore", `{"partnerId":"` + demoMerchant + `","memberId":"115632749214110108"}`},
}
