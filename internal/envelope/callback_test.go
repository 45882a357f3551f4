package envelope

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/loyalty"
)

const listeningApp = "wklistening00000001"

var templateID = regexp.MustCompile(`("couponInfoId":"?)[1-9]("?)`)

// listener is a session with an app that wants callbacks, and the rendering.
type listener struct {
	*session
	callbacks *Callbacks
	app       *doortest.App
}

func newListener(t *testing.T, settings func(*loyalty.Settings)) *listener {
	t.Helper()
	l := &listener{session: withMembers(t, settings)}
	l.app = l.CreateApp(access.NewApp{ID: listeningApp, MerchantID: doortest.Merchant, CallbackURL: "https://partner.example/callback?a=1"})
	l.callbacks = &Callbacks{Reader: l.Reader.(CallbackReader), Access: l.Access, Now: l.Clock.Now}
	return l
}

func (l *listener) member(t *testing.T, phone string) loyalty.Found {
	t.Helper()
	found, err := l.Reader.Member(context.Background(), loyalty.Who{Merchant: doortest.Merchant, Phone: phone}, loyalty.InstantOf(l.Clock.Now()), true)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// render renders an event, checks the frame and gives back requestBody.
func (l *listener) render(t *testing.T, e loyalty.Callback) string {
	t.Helper()
	e.App, e.No = listeningApp, 1
	url, frame, err := l.callbacks.Render(context.Background(), e)
	if err != nil || url != "https://partner.example/callback?a=1" {
		t.Fatalf("%s: %q, %v", e.Kind, url, err)
	}
	var f struct {
		Ver         int    `json:"ver"`
		PartnerID   string `json:"partnerId"`
		AppID       string `json:"appId"`
		RequestBody string `json:"requestBody"`
		Sign        string `json:"sign"`
	}
	d := json.NewDecoder(strings.NewReader(string(frame)))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		t.Fatalf("%s: %v", frame, err)
	}
	if f.Ver != 1 || f.PartnerID != doortest.Merchant || f.AppID != listeningApp || !json.Valid([]byte(f.RequestBody)) {
		t.Errorf("frame: %s", frame)
	}
	raw, err := base64.StdEncoding.DecodeString(f.Sign)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("appId=" + f.AppID + "&partnerId=" + f.PartnerID + "&requestBody=" + f.RequestBody + "&ver=1"))
	if err := rsa.VerifyPKCS1v15(l.app.PlatformKey, crypto.SHA256, sum[:], raw); err != nil {
		t.Errorf("%s: sign: %v", e.Kind, err)
	}
	return f.RequestBody
}

// Every kind of event, with numbers as in the table and as in the example.
func TestCallbackGolden(t *testing.T) {
	t.Parallel()
	for name, asText := range map[string]bool{"callback": false, "callback_text": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newListener(t, func(s *loyalty.Settings) {
				s.Callbacks.NumbersAsText = asText
				s.Callbacks.Also = []loyalty.EventKind{loyalty.EventLevelChanged, loyalty.EventCouponGiven}
			})
			a, c := l.member(t, phoneA), l.member(t, phoneC)
			at := loyalty.InstantOf(l.Clock.Now())
			for _, change := range []loyalty.ChangePoints{
				{Direction: loyalty.Credit, Operation: loyalty.OpPurchaseGrant, Points: 200},
				{Direction: loyalty.Debit, Operation: loyalty.OpPayment, Points: 30},
			} {
				change.Who = loyalty.Who{Merchant: doortest.Merchant, ID: a.ID}
				doortest.Do(l.Bundle, change)
			}
			l.coupons(a.ID)
			var b strings.Builder
			for _, e := range []loyalty.Callback{
				{Member: a.ID, Kind: loyalty.EventRegistered},
				{Member: c.ID, Kind: loyalty.EventRegistered},
				{Member: a.ID, Kind: loyalty.EventPointsChanged, Ref: 1},
				{Member: a.ID, Kind: loyalty.EventPointsChanged, Ref: 2},
				{Member: a.ID, Kind: loyalty.EventLevelChanged, From: 1, To: 2, At: at},
				{Member: a.ID, Kind: loyalty.EventLevelChanged, From: 99, To: 2, At: at},
				{Member: a.ID, Kind: loyalty.EventPointsExpiring, From: 170, To: int64(at) + 86_400_000, At: at},
				{Member: a.ID, Kind: loyalty.EventPointsExpired, Ref: 2, At: at},
				{Member: a.ID, Kind: loyalty.EventCouponGiven, Ref: 1, At: at},
				{Member: a.ID, Kind: loyalty.EventCouponUsed, Ref: 4, At: at},
				{Member: a.ID, Kind: loyalty.EventCouponExpired, Ref: 2, At: at},
			} {
				fmt.Fprintf(&b, "# %s %d\n%s\n\n", e.Kind, e.Ref, l.render(t, e))
			}
			// The templates are made in the order of a map.
			doortest.Golden(t, name, templateID.ReplaceAllString(b.String(), "${1}N${2}"))
		})
	}
}

// Every kind that there is has a body.
func TestCallbackKinds(t *testing.T) {
	t.Parallel()
	for _, k := range []loyalty.EventKind{
		loyalty.EventRegistered, loyalty.EventPointsChanged, loyalty.EventLevelChanged, loyalty.EventPointsExpiring,
		loyalty.EventPointsExpired, loyalty.EventCouponGiven, loyalty.EventCouponUsed, loyalty.EventCouponExpired,
	} {
		if bodies[k] == nil {
			t.Errorf("%s has no body", k)
		}
	}
	if len(bodies) != 8 {
		t.Errorf("%d bodies", len(bodies))
	}
}

// When nothing is sent, and how the deliverer is told.
func TestCallbackNotSent(t *testing.T) {
	t.Parallel()
	l := newListener(t, nil)
	ctx := context.Background()
	a := l.member(t, phoneA)
	e := loyalty.Callback{Member: a.ID, App: listeningApp, No: 1, Kind: loyalty.EventRegistered}
	for name, app := range map[string]string{"no URL": doortest.SigningApp, "no app": "nobody"} {
		other := e
		other.App = app
		if url, frame, err := l.callbacks.Render(ctx, other); url != "" || frame != nil || err != nil {
			t.Errorf("%s: %q, %s, %v", name, url, frame, err)
		}
	}
	other := e
	other.App = doortest.OtherApp
	l.CreateApp(access.NewApp{ID: "wkstranger", MerchantID: doortest.OtherMerchant, CallbackURL: "https://stranger.example"})
	other.App = "wkstranger"
	if _, frame, err := l.callbacks.Render(ctx, other); !errors.Is(err, loyalty.MemberNotFound) || frame != nil {
		t.Errorf("another merchant's member: %s, %v", frame, err)
	}
	missing := e
	missing.Kind, missing.Ref = loyalty.EventPointsChanged, 99
	if _, _, err := l.callbacks.Render(ctx, missing); err == nil || errors.Is(err, loyalty.ErrUnavailable) {
		t.Errorf("no such entry: %v", err)
	}
	missing.Kind = "no.such"
	if _, _, err := l.callbacks.Render(ctx, missing); err == nil {
		t.Error("an unknown kind was rendered")
	}
	doortest.Do(l.Bundle, loyalty.EraseMember{Who: loyalty.Who{Merchant: doortest.Merchant, ID: a.ID}, By: loyalty.ByOperator{Operator: "test", Reason: "test"}})
	if url, frame, err := l.callbacks.Render(ctx, e); !errors.Is(err, loyalty.MemberErased) || frame != nil || url != "" {
		t.Errorf("erased: %q, %s, %v", url, frame, err)
	}
	if err := l.Access.SetAppDisabled(ctx, listeningApp, true); err != nil {
		t.Fatal(err)
	}
	if url, _, err := l.callbacks.Render(ctx, e); url != "" || err != nil {
		t.Errorf("disabled: %q, %v", url, err)
	}
}
