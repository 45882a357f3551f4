package sim_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/seal"
	"github.com/memberd/memberd/internal/store"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// applies is how many programmes are put in force while orders are booked;
// fewer in the runs that come with every change.
func applies() int {
	if os.Getenv("CI") == "true" || raceDetector {
		return 20
	}
	return 100
}

const (
	tills      = 4 // that book orders at once, each for a member of its own
	rates      = 40
	orderYuan  = 100
	refundEach = 4 // one order of so many is brought back
)

// While programmes are put in force one after the other, every order is booked
// under exactly one of them: the one its record names, whichever server it came
// to. A refund takes back what that one has given.
func TestProgrammesUnderLoad(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		servers := []*process{s.serve()}
		if s.pg != nil {
			servers = append(servers, s.serve())
		}
		c := newClient(t, s.app)
		c.signIn(t, servers[0].url)
		file := filepath.Join(s.dir, "programme.yaml")
		base := strings.Replace(s.on("program", "export", "--merchant", merchant), "\n  score: zero", "\n  score: rule", 1)
		base = strings.Replace(base, "\nversion: 1\n", "\n", 1)
		apply := func(n int) {
			text := strings.Replace(base, "rate: 1/1", "rate: "+strconv.Itoa(n%rates+1), 1)
			must(t, os.WriteFile(file, []byte(text), 0o600))
			s.on("program", "apply", file, "--merchant", merchant, "--reason", fmt.Sprint("run ", n), "--yes")
		}
		apply(1)
		stop := make(chan struct{})
		var load sync.WaitGroup
		booked := make([]int, tills)
		for till := range tills {
			load.Go(func() { booked[till] = keepBooking(t, c, servers, till, stop) })
		}
		for n := range applies() {
			apply(n + 2)
		}
		close(stop)
		load.Wait()
		expectOneVersionEach(t, s, booked)
		s.check()
		for _, p := range servers {
			if log := warnings(p.log.String()); log != "" {
				t.Errorf("a server warns:\n%s", log)
			}
		}
	})
}

// keepBooking registers a member and books orders for it until it is stopped; it
// returns how many.
func keepBooking(t *testing.T, c *client, servers []*process, till int, stop chan struct{}) int {
	phone := fmt.Sprintf("138%08d", till)
	send := func(n int, a call) bool {
		got, err := c.send(context.Background(), servers[n%len(servers)].url, a)
		if err != nil || got.code != 0 {
			t.Errorf("%s: %s %v", a.method, got, err)
			return false
		}
		return true
	}
	if !send(till, call{"wk.user.info.add", map[string]any{"phone": phone, "project_id": "1", "nickname": "till"}}) {
		return 0
	}
	for n := 0; ; n++ {
		select {
		case <-stop:
			return n
		default:
		}
		order := map[string]any{
			"phone": phone, "order_no": fmt.Sprintf("%d-%d", till, n), "order_amount": orderYuan, "consume_date": "2026-01-15 10:00:00",
		}
		if !send(till+n, call{"wk.user.consume.order", order}) {
			return n
		}
		if n%refundEach != 0 {
			continue
		}
		order["parent_order_no"], order["order_no"] = order["order_no"], fmt.Sprintf("r%d-%d", till, n)
		if !send(till+n+1, call{"wk.user.refund.order", order}) {
			return n + 1
		}
	}
}

// expectOneVersionEach reads all orders as they are stored and computes each
// from the programme that its record names.
func expectOneVersionEach(t *testing.T, s *site, booked []int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	target := s.database
	if target == "" {
		target = "sqlite:" + filepath.Join(s.dir, "memberd.db")
	}
	db, err := sqldb.Open(ctx, target)
	must(t, err)
	defer db.Close()
	keys, err := seal.OpenKeys(ctx, store.KeyChecks(db), seal.Source{Path: filepath.Join(s.dir, "memberd.key")})
	must(t, err)
	st := store.New(db, keys)
	versions, err := st.SettingsVersions(ctx, merchant)
	must(t, err)
	if len(versions) != applies()+2 {
		t.Errorf("%d versions after %d applies", len(versions), applies()+1)
	}
	rate := map[int64]loyalty.Fraction{}
	for _, v := range versions {
		settings, err := st.SettingsAt(ctx, merchant, v.Version)
		must(t, err)
		rate[v.Version] = settings.Points.Rate
	}
	used := map[int64]bool{}
	orders := 0
	for after, member := int64(0), 0; ; member++ {
		h, found, err := st.History(ctx, merchant, after)
		must(t, err)
		if !found {
			break
		}
		after = h.Member.ID
		orders += expectVersions(t, h, rate, used)
	}
	sum := 0
	for _, n := range booked {
		sum += n
	}
	if orders != sum || sum < applies() {
		t.Errorf("%d orders are there, %d were booked", orders, sum)
	}
	if len(used) < min(applies(), 20)/2 {
		t.Errorf("the orders fell under %d versions only", len(used))
	}
	t.Logf("%d orders under %d of %d versions", orders, len(used), len(versions))
}

// expectVersions looks at the orders of one member, which were booked one after
// the other; it returns how many.
func expectVersions(t *testing.T, h loyalty.History, rate map[int64]loyalty.Fraction, used map[int64]bool) (orders int) {
	t.Helper()
	entries := map[int64]loyalty.Entry{}
	for _, e := range h.Entries {
		entries[e.No] = e
	}
	last := int64(0)
	for _, o := range h.Orders {
		if o.Kind != loyalty.Purchase {
			continue
		}
		orders++
		d := o.Decision
		want := rate[d.Version]
		if d.EarnedBy != loyalty.ByRule || want.Den == 0 || d.Points != want || o.Points != orderYuan*want.Num/want.Den {
			t.Fatalf("order %s: %d points by %s under version %d, whose rate is %d/%d; the record says %d/%d",
				o.No, o.Points, d.EarnedBy, d.Version, want.Num, want.Den, d.Points.Num, d.Points.Den)
		}
		if e := entries[o.Entry]; e.Decision == nil || e.Decision.Version != d.Version || e.Amount != o.Points {
			t.Fatalf("order %s: its entry is of another version", o.No)
		}
		if o.Refunded > 0 && o.TakenBack != o.Points {
			t.Fatalf("order %s: %d points were given and %d taken back", o.No, o.Points, o.TakenBack)
		}
		if d.Version < last {
			t.Fatalf("order %s: version %d after %d", o.No, d.Version, last)
		}
		last = d.Version
		used[d.Version] = true
	}
	return orders
}
