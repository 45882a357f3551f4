package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/seal"
	"github.com/memberd/memberd/internal/store"
	"github.com/memberd/memberd/internal/store/sqldb"
	"github.com/memberd/memberd/internal/writer"
)

// After ChangeSettings has returned, no process decides by the old rules.
func testSettings(t *testing.T, e *Engine) {
	ctx := t.Context()
	e.AddMerchants(t, rules(t, "m", nil))
	other := e.Another(t)
	saveAll(t, e.Store, registration(1, "13800000001"))
	who := loyalty.Who{Merchant: "m", ID: 1}
	add := loyalty.ChangePoints{Who: who, Event: "event_add", Points: 11}
	mustDo(t, other.Store, add, 1)
	version, err := e.Store.ChangeSettings(ctx, "m", "operator", "smaller", func(version int64, s loyalty.Settings) (loyalty.Settings, error) {
		if version != 1 {
			t.Errorf("the change begins with version %d", version)
		}
		s.MaxCredit = 10
		return s, nil
	})
	must(t, err)
	if version != 2 {
		t.Errorf("version %d, want 2", version)
	}
	for what, s := range map[string]*store.Store{"this process": e.Store, "another": other.Store} {
		if _, err := do(t, s, add, 1); !errors.Is(err, loyalty.CreditTooLarge) {
			t.Errorf("%s still decides by the old settings: %v", what, err)
		}
		snap, err := s.Snapshot(ctx, "m")
		must(t, err)
		f, err := s.Member(ctx, who, 1, false)
		must(t, err)
		page, err := s.Members(ctx, loyalty.MemberFilter{Merchant: "m"}, 1, 1, 1)
		must(t, err)
		for _, got := range []*loyalty.Snapshot{snap, f.Snapshot, page.Members[0].Snapshot} {
			if got.Version != 2 || got.MaxCredit != 10 {
				t.Errorf("%s reads version %d", what, got.Version)
			}
		}
	}
	equal(t, "history", []string{"1 merchant created", "2 operator smaller"}, settingsHistory(t, e, "m"))
}

// A change of settings waits for the batch that has read them: had it returned
// before, that batch's commit would be a later one by old rules.
func testSettingsWait(t *testing.T, e *Engine) {
	ctx := t.Context()
	e.AddMerchants(t, rules(t, "m", nil))
	batch, err := e.Store.Begin(ctx)
	must(t, err)
	defer batch.Rollback()
	_, err = batch.Load(ctx, []loyalty.Refs{{Who: loyalty.Who{Merchant: "m"}}})
	must(t, err)
	other := e.Another(t)
	var committed atomic.Bool
	changed := make(chan error)
	go func() {
		_, err := other.Store.ChangeSettings(ctx, "m", "o", "r", func(_ int64, s loyalty.Settings) (loyalty.Settings, error) { return s, nil })
		if err == nil && !committed.Load() {
			err = errors.New("the change did not wait for the batch")
		}
		changed <- err
	}()
	if e.DB.Dialect() == sqldb.PostgreSQL {
		select {
		case err := <-changed:
			t.Fatal(err)
		case <-lockWaited(t, e):
		}
	}
	committed.Store(true)
	must(t, batch.Commit(ctx))
	must(t, <-changed)
}

func settingsHistory(t testing.TB, e *Engine, merchant string) (list []string) {
	t.Helper()
	rows, err := e.DB.Read().Query(t.Context(),
		"SELECT version, operator, reason, settings FROM settings_history WHERE merchant_id = ? ORDER BY version", merchant)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var version int64
		var operator, reason, document string
		must(t, rows.Scan(&version, &operator, &reason, &document))
		if _, err := loyalty.ParseSettings(document); err != nil {
			t.Error(err)
		}
		list = append(list, strings.Join(strings.Fields(fmt.Sprint(version, " ", operator, " ", reason)), " "))
	}
	must(t, rows.Err())
	return list
}

func testSettingsRefused(t *testing.T, e *Engine) {
	ctx := t.Context()
	e.AddMerchants(t, rules(t, "m", nil))
	wish := errors.New("no such level")
	for what, c := range map[string]struct {
		merchant string
		change   func(int64, loyalty.Settings) (loyalty.Settings, error)
		want     error
	}{
		"unknown merchant": {"x", func(_ int64, s loyalty.Settings) (loyalty.Settings, error) { return s, nil }, access.ErrNoMerchant},
		"change refuses":   {"m", func(_ int64, s loyalty.Settings) (loyalty.Settings, error) { return s, wish }, wish},
		"invalid":          {"m", func(_ int64, s loyalty.Settings) (loyalty.Settings, error) { s.MaxCredit = 0; return s, nil }, nil},
		"no zone":          {"m", func(_ int64, s loyalty.Settings) (loyalty.Settings, error) { s.Zone = "Mars/Olympus"; return s, nil }, nil},
	} {
		if _, err := e.Store.ChangeSettings(ctx, c.merchant, "o", "r", c.change); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	snap, err := e.Store.Snapshot(ctx, "m")
	must(t, err)
	equal(t, "settings", rules(t, "m", nil), snap)
	equal(t, "history", []string{"1 merchant created"}, settingsHistory(t, e, "m"))
	if _, err := e.Store.Snapshot(ctx, "x"); !errors.Is(err, access.ErrNoMerchant) {
		t.Errorf("snapshot of no merchant: %v", err)
	}
}

// Batches that follow each other without a gap do not keep a change of settings
// waiting, and none that is decided after it uses the old ones.
func testSettingsUnderLoad(t *testing.T, e *Engine) {
	gift := func(points int64) func(int64, loyalty.Settings) (loyalty.Settings, error) {
		return func(_ int64, s loyalty.Settings) (loyalty.Settings, error) {
			s.Events = []loyalty.Event{{Name: "gift", Direction: loyalty.Credit, Points: points, Operation: loyalty.OpSignIn}}
			return s, nil
		}
	}
	e.AddMerchants(t, rules(t, "m", nil))
	_, err := e.Store.ChangeSettings(t.Context(), "m", "o", "r", gift(1))
	must(t, err)
	workers := int64(1) // SQLite's lock is not fair between processes
	if e.DB.Dialect() == sqldb.PostgreSQL {
		workers = 10
	}
	var done atomic.Bool
	var current atomic.Int64
	var group sync.WaitGroup
	current.Store(1)
	for i := range workers {
		saveAll(t, e.Store, registration(i+1, fmt.Sprintf("138000000%02d", i)))
	}
	for i := range workers {
		s := e.Another(t).Store
		group.Go(func() {
			c := loyalty.ChangePoints{Who: loyalty.Who{Merchant: "m", ID: i + 1}, Event: "gift"}
			for !done.Load() {
				least := current.Load()
				out := writer.Replay(s, []writer.Stamped{{Command: loyalty.Any(c), Stamp: loyalty.Stamp{Now: 1}}}, nil)[0]
				if out.Err != nil {
					t.Error(out.Err)
					return
				}
				if got := out.Result.(loyalty.PointsChanged).Points; got < least {
					t.Errorf("decided by version %d after version %d", got, least)
				}
			}
		})
	}
	for points := int64(2); points <= 30; points++ {
		if _, err := e.Store.ChangeSettings(t.Context(), "m", "o", "r", gift(points)); err != nil {
			t.Error(err)
			break
		}
		current.Store(points)
	}
	done.Store(true)
	group.Wait()
}

// The zone stands in the settings document; the row's is for documents that
// name none.
func testMerchantZone(t *testing.T, e *Engine) {
	ctx := t.Context()
	row := access.MerchantRow{ID: "named", Zone: "Asia/Shanghai", CreatedAt: 5}
	s := loyalty.DefaultSettings()
	s.Zone = "Asia/Urumqi"
	must(t, e.Store.InsertMerchant(ctx, row, s.Document()))
	row.ID = "unnamed"
	must(t, e.Store.InsertMerchant(ctx, row, `{"max_credit":5}`))
	for id, zone := range map[string]string{"named": "Asia/Urumqi", "unnamed": "Asia/Shanghai"} {
		got, err := e.Store.Merchant(ctx, id)
		must(t, err)
		snap, err := e.Store.Snapshot(ctx, id)
		must(t, err)
		if got.Zone != zone || snap.Zone != zone {
			t.Errorf("%s: zone %s in the row, %s in the settings, want %s", id, got.Zone, snap.Zone, zone)
		}
	}
	row.ID = "refused"
	for _, document := range []string{"", "{", `{"unknown":1}`, `{"zone":"Mars/Olympus"}`, `{"max_credit":0}`} {
		if err := e.Store.InsertMerchant(ctx, row, document); err == nil {
			t.Errorf("settings %q were accepted", document)
		}
	}
	ids, err := e.Store.Merchants(ctx)
	must(t, err)
	equal(t, "merchants", []string{"named", "unnamed"}, ids)
	equal(t, "history", []string(nil), settingsHistory(t, e, "refused"))
}

func testKeyCheck(t *testing.T, e *Engine) {
	ctx := t.Context()
	source := seal.Source{Path: filepath.Join(t.TempDir(), "memberd.key")}
	first, err := seal.OpenKeys(ctx, store.KeyChecks(e.DB), source)
	must(t, err)
	again, err := seal.OpenKeys(ctx, e.Store, source)
	must(t, err)
	if first.Lookup("m", "phone", "1") != again.Lookup("m", "phone", "1") {
		t.Error("two keys for one database")
	}
	value, found, err := e.Store.KeyCheck(ctx)
	must(t, err)
	if inserted, err := e.Store.InsertKeyCheck(ctx, "other"); inserted || err != nil || !found {
		t.Errorf("a second key check: %v, %v", inserted, err)
	}
	if now, _, _ := e.Store.KeyCheck(ctx); now != value {
		t.Error("the key check was replaced")
	}
}

// Nothing by which a person is known stands in the database as it is.
func testNoPersonalData(t *testing.T, e *Engine) {
	e.AddMerchants(t, rules(t, "m", nil))
	saveAll(t, e.Store, registration(1, "13800000001"))
	p := fullProfile()
	p.Nickname, p.RealName, p.OuterUserID = "昵称", "真名字", "outer-user-1"
	p.Channels[0].UnionID, p.Channels[0].ThirdPartyCode = "union-id-1", "third-party-1"
	c := loyalty.Changes{Profiles: []loyalty.ProfileRow{{Member: 1, Merchant: "m", Profile: p}}}
	secrets := []string{p.Phone, p.RealName, p.IDCard, p.Email, p.Birthday, p.OuterUserID, "union-id-1", "third-party-1"}
	for _, i := range []loyalty.Identity{
		{Merchant: "m", Kind: loyalty.ByOuterID, Value: p.OuterUserID}, {Merchant: "m", Kind: loyalty.ByUnionID, Value: "union-id-1"},
		{Merchant: "m", Kind: loyalty.ByThirdParty, Value: "xcx:third-party-1"},
	} {
		c.Bound = append(c.Bound, loyalty.IdentityRow{Identity: i, Bound: loyalty.Bound{Member: 1}})
	}
	order := loyalty.Order{Member: 1, Seq: 1, OrderKey: loyalty.OrderKey{No: "A1"}}
	c.NewOrders, c.OrderInfos = []loyalty.Order{order}, []loyalty.OrderInfoRow{fullInfo(1, 1)}
	papers := fullPapers()
	secrets = append(secrets, papers.PaperNumber, papers.CashierName, "长长")
	saveAll(t, e.Store, c)
	content := everything(t, e)
	if !bytes.Contains(content, []byte(p.Nickname)) {
		t.Fatal("the nickname is not where it should be: the search proves nothing")
	}
	for _, secret := range secrets {
		if bytes.Contains(content, []byte(secret)) {
			t.Errorf("%q stands in the clear", secret)
		}
	}
}

// everything is all bytes of the database that could be searched.
func everything(t testing.TB, e *Engine) (content []byte) {
	t.Helper()
	if e.DB.Dialect() == sqldb.SQLite {
		files, err := filepath.Glob(e.DB.Path() + "*")
		must(t, err)
		for _, name := range files {
			b, err := os.ReadFile(name)
			must(t, err)
			content = append(content, b...)
		}
		return content
	}
	for _, table := range []string{"merchant", "member", "member_profile", "identity", "entry", "audit", "idempotency_key", "member_order", "order_detail"} {
		rows, err := e.DB.Read().Query(context.Background(), "SELECT CAST(t AS TEXT) FROM "+table+" t")
		must(t, err)
		for rows.Next() {
			var text string
			must(t, rows.Scan(&text))
			content = append(content, text...)
		}
		must(t, rows.Close())
	}
	return content
}
