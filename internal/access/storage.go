package access

import "context"

// MerchantRow is a merchant as it is stored. All row types are comparable, and
// two equal rows mean the same thing: the Service keeps the keys it parsed as
// long as the row did not change.
type MerchantRow struct {
	ID, Name    string
	Sandbox     bool
	ClockOffset int64  // ms, see Merchant
	Zone        string // IANA name
	PlatformKey string // sealed PKCS#8
	CreatedAt   int64  // unix ms
}

// AppRow is an app as it is stored.
type AppRow struct {
	ID, MerchantID, Name string
	Secret               string // sealed
	Space                string
	Unsigned             bool
	Disabled             bool
	CallbackURL          string
	CallerKey            string // Base64 of SubjectPublicKeyInfo DER; public, in the clear
	TokenLimit           int
	RefreshLimit         int
	WindowMillis         int64
	CreatedAt            int64 // unix ms
}

// TokenKind tells the two tokens apart: neither is ever good for the other.
type TokenKind string

// The kinds, as they are stored.
const (
	AccessToken  TokenKind = "access"
	RefreshToken TokenKind = "refresh"
)

// TokenRow is a token as it is stored. Hash is the token's SHA-256 in base64url
// without padding (43 characters): a token has 128 random bits, so its plain
// hash can't be turned round, and a copy of the database is no way in.
type TokenRow struct {
	Hash      string
	Kind      TokenKind
	AppID     string
	CreatedAt int64 // unix ms
	ExpiresAt int64 // unix ms; at this instant the token is no longer good
}

// PairIssue is what one successful gateway 2.1 writes. Both tokens are of AppID
// and carry the same CreatedAt.
type PairIssue struct {
	AppID   string
	Day     string // the merchant's calendar day, 2006-01-02
	Limit   int    // at least 1
	Access  TokenRow
	Refresh TokenRow
}

// AccessIssue is what one successful gateway 2.2 writes.
type AccessIssue struct {
	AppID       string
	Day         string // as in PairIssue
	Limit       int    // at least 1
	RefreshHash string // the refresh token this hangs on
	Access      TokenRow
}

// Storage is what the package needs from a database. Every method that changes
// something is one transaction of its own and returns after its commit; what it
// wrote is then seen by every process. Implementations prove themselves with
// accesstest.Run.
type Storage interface {
	// InsertMerchant stores the merchant and, as the first version of its
	// settings document, the text settings (opaque here). Taken id: ErrExists,
	// and nothing is changed.
	InsertMerchant(ctx context.Context, m MerchantRow, settings string) error

	// Merchant returns the row, or ErrNoMerchant.
	Merchant(ctx context.Context, id string) (MerchantRow, error)

	// InsertApp stores the app. Id taken by an app of any merchant: ErrExists.
	// Unknown MerchantID: ErrNoMerchant.
	InsertApp(ctx context.Context, a AppRow) error

	// App returns the row, disabled or not, or ErrNoApp. Ids are compared
	// byte for byte.
	App(ctx context.Context, id string) (AppRow, error)

	// Apps returns a merchant's apps, disabled ones too, by CreatedAt, then id
	// (byte order); none for an unknown merchant.
	Apps(ctx context.Context, merchantID string) ([]AppRow, error)

	// SetAppDisabled changes that one column, or returns ErrNoApp. Setting
	// what is already so succeeds. Tokens stay.
	SetAppDisabled(ctx context.Context, id string, disabled bool) error
	// SetCallbackURL changes that one column, or returns ErrNoApp. "" is none.
	SetCallbackURL(ctx context.Context, id, url string) error

	// IssuePair does, in one transaction: count one more pair for (AppID,
	// Day), or ErrDailyLimit if Limit are counted already; delete every
	// refresh token of the app; delete the app's tokens with ExpiresAt <=
	// Access.CreatedAt; store both tokens. A refusal or failure changes
	// nothing.
	//
	// The count comes first and holds a lock on a row of the app to the end
	// (its counter, or the app itself), so calls for one app take turns:
	// never are more than Limit let through, and never are two refresh tokens
	// of an app alive. Counters of earlier days may be deleted.
	IssuePair(ctx context.Context, p PairIssue) error

	// IssueAccess does, in one transaction: check that RefreshHash is stored
	// as a refresh token of AppID with ExpiresAt > Access.CreatedAt, or
	// ErrBadRefresh (a pair may have replaced it since it was looked up);
	// count one more refresh for (AppID, Day), or ErrDailyLimit; delete the
	// app's tokens with ExpiresAt <= Access.CreatedAt; store the access
	// token. The refresh token is left as it is. Pairs and refreshes are
	// counted apart. A refusal or failure changes nothing.
	IssueAccess(ctx context.Context, a AccessIssue) error

	// TokenByHash returns the stored token of that kind, expired or not;
	// ErrBadToken if there is none (for either kind).
	TokenByHash(ctx context.Context, kind TokenKind, hash string) (TokenRow, error)
}

// Sealer encrypts what must be given back: *seal.Keys. The scope says where the
// text belongs, and it opens nowhere else.
type Sealer interface {
	Seal(plain []byte, scope ...string) (string, error)
	Open(text string, scope ...string) ([]byte, error)
}

// Scopes of the two sealed columns.

func secretScope(merchantID, appID string) []string {
	return []string{merchantID, appID, "app_secret"}
}

func platformKeyScope(merchantID string) []string {
	return []string{merchantID, "platform_key"}
}
