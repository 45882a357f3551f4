package access_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/sign"
)

func TestCreateMerchant(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m, err := b.service.CreateMerchant(t.Context(), "Shop_1-a", "名店", true, `{"levels":7}`)
	must(t, err)
	if m.PlatformKey == nil || m.PlatformKey.N.BitLen() != 2048 || m.Location.String() != "Asia/Shanghai" ||
		m.CreatedAt != b.clock.Now().UnixMilli() || !m.Sandbox || m.Name != "名店" {
		t.Errorf("merchant %+v", []any{m.ID, m.Name, m.Sandbox, m.Location, m.CreatedAt})
	}
	if got := b.storage.Settings("Shop_1-a"); got != `{"levels":7}` {
		t.Errorf("settings %q", got)
	}
	got, err := b.service.Merchant(t.Context(), "Shop_1-a")
	must(t, err)
	if !got.PlatformKey.Equal(m.PlatformKey) {
		t.Error("the stored platform key is another")
	}
	row, err := b.storage.Merchant(t.Context(), "Shop_1-a")
	must(t, err)
	if _, err := sign.ParsePrivateKey(row.PlatformKey); err == nil {
		t.Error("the platform key is stored in the clear")
	}
	cases := []struct {
		what, id, name string
		want           error
	}{
		{"taken id", "Shop_1-a", "x", access.ErrExists},
		{"empty id", "", "x", access.ErrInvalid},
		{"space in id", "a b", "x", access.ErrInvalid},
		{"Chinese id", "店", "x", access.ErrInvalid},
		{"65 characters", strings.Repeat("a", 65), "x", access.ErrInvalid},
		{"64 characters", strings.Repeat("a", 64), "x", nil},
		{"scope separator in id", "a|b", "x", access.ErrInvalid},
		{"empty name", "n1", " ", access.ErrInvalid},
		{"long name", "n2", strings.Repeat("名", 129), access.ErrInvalid},
		{"128 characters of name", "n3", strings.Repeat("名", 128), nil},
		{"line break in name", "n4", "a\nb", access.ErrInvalid},
		{"name not UTF-8", "n5", "\xff", access.ErrInvalid},
	}
	for _, c := range cases {
		_, err := b.service.CreateMerchant(t.Context(), c.id, c.name, false, "{}")
		wantErr(t, c.what, err, c.want)
	}
}

func TestCreateAppDefaults(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct {
		merchant         string
		pairs, refreshes int
	}{{"1864", 1, 20}, {"box", 1000, 1000}} {
		app, cred, err := b.service.CreateApp(t.Context(), access.NewApp{MerchantID: c.merchant, Name: "till"})
		must(t, err)
		if !regexp.MustCompile(`^wk[a-z0-9]{18}$`).MatchString(app.ID) {
			t.Errorf("app id %q", app.ID)
		}
		if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(app.Secret) {
			t.Errorf("app secret has another form, %d characters", len(app.Secret))
		}
		if app.CallerKey == nil {
			t.Fatal("no caller key")
		}
		want := access.App{ID: cred.AppID, MerchantID: c.merchant, Name: "till", Secret: cred.AppSecret, CallerKey: app.CallerKey,
			TokenLimit: c.pairs, RefreshLimit: c.refreshes, WindowMillis: 300_000,
			CreatedAt: b.clock.Now().UnixMilli()}
		if diff := cmp.Diff(want, app); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
}

func TestCreateAppKeepsWhatIsGiven(t *testing.T) {
	t.Parallel()
	b := setup(t)
	n := access.NewApp{MerchantID: "box", Name: "小程序", ID: "2eb5c8f1170246429755e6dac313f89d", Secret: "XYZ",
		Space: "mini", Unsigned: true, CallbackURL: "https://example.com:8443/cb?a=1", TokenLimit: 2,
		RefreshLimit: 3, WindowMillis: 4}
	b.app(t, n)
	got, err := b.process().App(t.Context(), n.ID)
	must(t, err)
	if got.CallerKey == nil {
		t.Fatal("no caller key")
	}
	want := access.App{ID: n.ID, MerchantID: "box", Name: n.Name, Secret: "XYZ", Space: "mini", Unsigned: true,
		CallbackURL: n.CallbackURL, TokenLimit: 2, RefreshLimit: 3, WindowMillis: 4, CallerKey: got.CallerKey,
		CreatedAt: b.clock.Now().UnixMilli()}
	if diff := cmp.Diff(want, *got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app, cred, err := b.service.CreateApp(t.Context(), access.NewApp{MerchantID: "1864", Name: "till"})
	must(t, err)
	private, err := sign.ParsePrivateKey(cred.EnvelopePrivateKey)
	must(t, err)
	if !private.PublicKey.Equal(app.CallerKey) {
		t.Error("the private key given out is not the public key's that was kept")
	}
	platform, err := sign.ParsePublicKey(cred.EnvelopePlatformPublicKey)
	must(t, err)
	merchant, err := b.service.Merchant(t.Context(), "1864")
	must(t, err)
	if !platform.Equal(&merchant.PlatformKey.PublicKey) {
		t.Error("the platform key given out is not the merchant's")
	}
	if platform.Equal(app.CallerKey) {
		t.Error("the app got the platform's key for its own")
	}
	text, err := json.Marshal(cred)
	must(t, err)
	want := fmt.Sprintf(`{"app_id":%q,"app_secret":%q,"merchant_id":"1864","envelope_private_key":%q,"envelope_platform_public_key":%q}`,
		app.ID, app.Secret, cred.EnvelopePrivateKey, cred.EnvelopePlatformPublicKey)
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	row, err := b.storage.Memory.App(t.Context(), app.ID)
	must(t, err)
	if strings.Contains(fmt.Sprintf("%#v", row), app.Secret) || strings.Contains(fmt.Sprintf("%#v", row), cred.EnvelopePrivateKey) {
		t.Error("the row holds a secret in the clear")
	}
}

// A secret copied into another app's row must not become that app's.
func TestSecretOpensOnlyInItsRow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.app(t, access.NewApp{})
	row, err := b.storage.Memory.App(t.Context(), app.ID)
	must(t, err)
	row.ID = "copy"
	must(t, b.storage.InsertApp(t.Context(), row))
	if got, err := b.service.App(t.Context(), "copy"); err == nil {
		t.Errorf("a copied secret opened: %v", got)
	}
}

func TestCreateAppRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app(t, access.NewApp{ID: "taken"})
	cases := []struct {
		what  string
		n     access.NewApp
		want  error
		field string
	}{
		{"unknown merchant", access.NewApp{MerchantID: "none"}, access.ErrNoMerchant, ""},
		{"taken id", access.NewApp{ID: "taken"}, access.ErrExists, ""},
		{"taken id, other merchant", access.NewApp{ID: "taken", MerchantID: "box"}, access.ErrExists, ""},
		{"id", access.NewApp{ID: "a/b"}, access.ErrInvalid, "app id"},
		{"name", access.NewApp{Name: "\t"}, access.ErrInvalid, "app name"},
		{"space", access.NewApp{Space: "a b"}, access.ErrInvalid, "space"},
		{"unsigned", access.NewApp{Unsigned: true}, access.ErrInvalid, "unsigned"},
		{"secret with a space", access.NewApp{Secret: "a b"}, access.ErrInvalid, "app secret"},
		{"secret too long", access.NewApp{Secret: strings.Repeat("a", 129)}, access.ErrInvalid, "app secret"},
		{"negative token limit", access.NewApp{TokenLimit: -1}, access.ErrInvalid, "token limit"},
		{"refresh limit", access.NewApp{RefreshLimit: 1_000_001}, access.ErrInvalid, "refresh limit"},
		{"window", access.NewApp{WindowMillis: -1}, access.ErrInvalid, "window"},
		{"callback scheme", access.NewApp{CallbackURL: "ftp://example.com/"}, access.ErrInvalid, "callback url"},
		{"callback without scheme", access.NewApp{CallbackURL: "example.com/cb"}, access.ErrInvalid, "callback url"},
		{"callback without host", access.NewApp{CallbackURL: "http:///cb"}, access.ErrInvalid, "callback url"},
		{"callback with port only", access.NewApp{CallbackURL: "http://:80/cb"}, access.ErrInvalid, "callback url"},
		{"callback with user", access.NewApp{CallbackURL: "http://u:hunter2@example.com/"}, access.ErrInvalid, "callback url"},
		{"callback with fragment", access.NewApp{CallbackURL: "http://example.com/#x"}, access.ErrInvalid, "callback url"},
		{"callback unparsable", access.NewApp{CallbackURL: "http://u:hunter2@exa mple.com/"}, access.ErrInvalid, "callback url"},
		{"callback too long", access.NewApp{CallbackURL: "http://example.com/" + strings.Repeat("a", 2048)}, access.ErrInvalid, "callback url"},
	}
	for _, c := range cases {
		if c.n.MerchantID == "" {
			c.n.MerchantID = "1864"
		}
		if c.n.Name == "" {
			c.n.Name = "till"
		}
		_, cred, err := b.service.CreateApp(t.Context(), c.n)
		wantErr(t, c.what, err, c.want)
		if cred != (access.Credentials{}) {
			t.Errorf("%s: credentials beside an error", c.what)
		}
		var invalid *access.InvalidError
		if errors.As(err, &invalid) && invalid.Field != c.field {
			t.Errorf("%s: field %q, want %q", c.what, invalid.Field, c.field)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells the password", c.what)
		}
	}
}

func TestPrintedFormsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app, cred, err := b.service.CreateApp(t.Context(), access.NewApp{MerchantID: "1864", Name: "till"})
	must(t, err)
	tokens, err := b.service.QueryToken(t.Context(), &app)
	must(t, err)
	merchant, err := b.service.Merchant(t.Context(), "1864")
	must(t, err)
	for _, v := range []any{app, &app, cred, &cred, tokens, tokens.Access, &tokens, *merchant, merchant} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			text := fmt.Sprintf(verb, v)
			for _, secret := range []string{app.Secret, cred.EnvelopePrivateKey, tokens.Access.Token, tokens.Refresh, merchant.PlatformKey.D.String()} {
				if strings.Contains(text, secret) {
					t.Errorf("%T under %s tells a secret", v, verb)
				}
			}
		}
	}
}
