// Package accesstest holds what tests of access and of the doors share: an
// in-memory Storage, the suite that every Storage must pass, and RSA keys that
// are generated once. Nothing outside tests imports it.
package accesstest

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/memberd/memberd/internal/access"
)

// Memory is a Storage that forgets with the process. One lock makes every
// method a transaction.
type Memory struct {
	mu        sync.Mutex
	merchants map[string]access.MerchantRow
	settings  map[string]string
	apps      map[string]access.AppRow
	tokens    map[string]access.TokenRow // by hash
	counts    map[count]int
}

type count struct {
	appID string
	day   string
	kind  access.TokenKind
}

var _ access.Storage = (*Memory)(nil)

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{
		merchants: make(map[string]access.MerchantRow),
		settings:  make(map[string]string),
		apps:      make(map[string]access.AppRow),
		tokens:    make(map[string]access.TokenRow),
		counts:    make(map[count]int),
	}
}

// Settings returns the document a merchant was inserted with, "" if there is no
// such merchant.
func (m *Memory) Settings(merchantID string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.settings[merchantID]
}

// SetMerchant replaces or adds a merchant as another process would.
func (m *Memory) SetMerchant(row access.MerchantRow) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.merchants[row.ID] = row
}

// DeleteApp takes an app away as another process would; its tokens stay.
func (m *Memory) DeleteApp(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.apps, id)
}

// Tokens returns all stored tokens, in no order.
func (m *Memory) Tokens() []access.TokenRow {
	m.mu.Lock()
	defer m.mu.Unlock()
	var rows []access.TokenRow
	for _, row := range m.tokens {
		rows = append(rows, row)
	}
	return rows
}

// InsertMerchant implements access.Storage.
func (m *Memory) InsertMerchant(_ context.Context, row access.MerchantRow, settings string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.merchants[row.ID]; ok {
		return access.ErrExists
	}
	m.merchants[row.ID] = row
	m.settings[row.ID] = settings
	return nil
}

// Merchant implements access.Storage.
func (m *Memory) Merchant(_ context.Context, id string) (access.MerchantRow, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	row, ok := m.merchants[id]
	if !ok {
		return access.MerchantRow{}, access.ErrNoMerchant
	}
	return row, nil
}

// InsertApp implements access.Storage.
func (m *Memory) InsertApp(_ context.Context, row access.AppRow) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.merchants[row.MerchantID]; !ok {
		return access.ErrNoMerchant
	}
	if _, ok := m.apps[row.ID]; ok {
		return access.ErrExists
	}
	m.apps[row.ID] = row
	return nil
}

// App implements access.Storage.
func (m *Memory) App(_ context.Context, id string) (access.AppRow, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	row, ok := m.apps[id]
	if !ok {
		return access.AppRow{}, access.ErrNoApp
	}
	return row, nil
}

// Apps implements access.Storage.
func (m *Memory) Apps(_ context.Context, merchantID string) ([]access.AppRow, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var rows []access.AppRow
	for _, row := range m.apps {
		if row.MerchantID == merchantID {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b access.AppRow) int {
		return cmp.Or(cmp.Compare(a.CreatedAt, b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return rows, nil
}

// SetAppDisabled implements access.Storage.
func (m *Memory) SetAppDisabled(_ context.Context, id string, disabled bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	row, ok := m.apps[id]
	if !ok {
		return access.ErrNoApp
	}
	row.Disabled = disabled
	m.apps[id] = row
	return nil
}

// SetCallbackURL implements access.Storage.
func (m *Memory) SetCallbackURL(_ context.Context, id, url string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	row, ok := m.apps[id]
	if !ok {
		return access.ErrNoApp
	}
	row.CallbackURL = url
	m.apps[id] = row
	return nil
}

// IssuePair implements access.Storage.
func (m *Memory) IssuePair(_ context.Context, p access.PairIssue) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.count(count{p.AppID, p.Day, access.RefreshToken}, p.Limit); err != nil {
		return err
	}
	for hash, row := range m.tokens {
		if row.AppID == p.AppID && row.Kind == access.RefreshToken {
			delete(m.tokens, hash)
		}
	}
	m.deleteExpired(p.AppID, p.Access.CreatedAt)
	m.tokens[p.Access.Hash] = p.Access
	m.tokens[p.Refresh.Hash] = p.Refresh
	return nil
}

// IssueAccess implements access.Storage.
func (m *Memory) IssueAccess(_ context.Context, a access.AccessIssue) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	refresh, ok := m.tokens[a.RefreshHash]
	if !ok || refresh.Kind != access.RefreshToken || refresh.AppID != a.AppID ||
		refresh.ExpiresAt <= a.Access.CreatedAt {
		return access.ErrBadRefresh
	}
	if err := m.count(count{a.AppID, a.Day, access.AccessToken}, a.Limit); err != nil {
		return err
	}
	m.deleteExpired(a.AppID, a.Access.CreatedAt)
	m.tokens[a.Access.Hash] = a.Access
	return nil
}

// TokenByHash implements access.Storage.
func (m *Memory) TokenByHash(_ context.Context, kind access.TokenKind, hash string) (access.TokenRow, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	row, ok := m.tokens[hash]
	if !ok || row.Kind != kind {
		return access.TokenRow{}, access.ErrBadToken
	}
	return row, nil
}

func (m *Memory) count(c count, limit int) error {
	if m.counts[c] >= limit {
		return access.ErrDailyLimit
	}
	m.counts[c]++
	return nil
}

func (m *Memory) deleteExpired(appID string, now int64) {
	for hash, row := range m.tokens {
		if row.AppID == appID && row.ExpiresAt <= now {
			delete(m.tokens, hash)
		}
	}
}
