package sim_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/access/accesstest"
	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/envelope"
	"github.com/memberd/memberd/internal/gateway"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/seal"
	"github.com/memberd/memberd/internal/sign"
	"github.com/memberd/memberd/internal/sms"
	"github.com/memberd/memberd/internal/store"
	"github.com/memberd/memberd/internal/store/migration"
	"github.com/memberd/memberd/internal/store/sqldb"
	"github.com/memberd/memberd/internal/writer"
)

// simStart is when runs begin: 10:00 in Shanghai, two days before a year's end.
var simStart = time.Date(2026, 12, 30, 2, 0, 0, 0, time.UTC)

// simClock is time as the platform sees it: it stands still while calls are
// made, and flows where callbacks are delivered.
type simClock struct {
	mu    sync.Mutex
	at    time.Time
	flows bool
}

func (c *simClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flows {
		return time.Now()
	}
	return c.at
}

// moveTo lets time pass. The scheduler sleeps for it, so that timers go off.
func (c *simClock) moveTo(at time.Time) {
	time.Sleep(time.Until(at))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

func (c *simClock) flow(b bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flows = b
}

func (c *simClock) instant() loyalty.Instant { return loyalty.InstantOf(c.Now()) }

// simLife is one process: all that stands on the database, from a start to an
// end.
type simLife struct {
	dead    atomic.Bool
	store   *store.Store
	access  *access.Service
	writer  *writer.Writer
	handler http.Handler
}

// simApp is an app with what its integrator holds.
type simApp struct {
	access.App
	credentials access.Credentials
}

// The merchants: one forgiving, one strict, so that every policy is somebody's.
const (
	simMerchant = "1864"
	simStrict   = "2282"
)

func simSettings() map[string]loyalty.Settings {
	mild, strict := loyalty.DefaultSettings(), loyalty.DefaultSettings()
	mild.RegisterGift = 20
	mild.Orders = loyalty.OrderRules{Score: loyalty.ScoreRule, EarlyRefund: loyalty.EarlyPark, ParkDays: 10, ReturnCoupons: true}
	mild.Points.Validity = loyalty.Validity{Kind: loyalty.RollingDays, N: 20}
	mild.Callbacks.ExpiringDays = 5
	mild.Callbacks.Also = []loyalty.EventKind{
		loyalty.EventLevelChanged, loyalty.EventPointsExpired, loyalty.EventCouponGiven, loyalty.EventCouponUsed,
		loyalty.EventPointsExpiring, loyalty.EventCouponExpired,
	}
	strict.Clawback, strict.GiveBack, strict.StrictChangeID = loyalty.ClawbackNegative, loyalty.GiveBackVoid, true
	strict.Points.WaitingDays = 2
	strict.Points.Validity = loyalty.Validity{Kind: loyalty.RollingDays, N: 12}
	strict.Growth.Period = loyalty.GrowthPeriod{Kind: loyalty.PeriodMonths, N: 1}
	strict.Growth.Downgrade = loyalty.DowngradeFitting
	return map[string]loyalty.Settings{simMerchant: mild, simStrict: strict}
}

// simFolder is a folder in memory where there is one: no run asks what a power
// cut leaves, and syncing a disk is most of what a run would wait for.
func simFolder(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "memberd-simulation-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// open makes the database with merchants and apps, and the model of it.
func (r *simRun) open() {
	ctx := context.Background()
	var err error
	r.keys, err = seal.Generate()
	must(r.t, err)
	r.db, err = sqldb.Open(ctx, "sqlite:"+filepath.Join(simFolder(r.t), "memberd.db"))
	must(r.t, err)
	_, err = migration.Up(ctx, r.db)
	must(r.t, err)
	s := store.New(r.db, r.keys)
	service := access.New(s, r.keys, access.Options{Now: r.clock.Now, GenerateKey: accesstest.KeyGenerator()})
	settings := simSettings()
	for _, id := range []string{simMerchant, simStrict} {
		_, err := service.CreateMerchant(ctx, id, "商家 "+id, false, settings[id].Document())
		must(r.t, err)
	}
	for _, n := range []access.NewApp{
		{ID: "wksimtill000000001", MerchantID: simMerchant, CallbackURL: "https://partner.example/callbacks"},
		{ID: "wksimmini000000002", MerchantID: simMerchant, Space: "mini"},
		{ID: "wksimstrict0000003", MerchantID: simStrict},
	} {
		n.Name, n.TokenLimit = "simulation", access.SandboxLimit
		app, credentials, err := service.CreateApp(ctx, n)
		must(r.t, err)
		r.apps = append(r.apps, simApp{app, credentials})
	}
	var rules []*loyalty.Snapshot
	for _, id := range []string{simMerchant, simStrict} {
		snap, err := s.Snapshot(ctx, id)
		must(r.t, err)
		rules = append(rules, snap)
	}
	r.model = newSimModel(rules...)
	r.post.platform, err = sign.ParsePublicKey(r.apps[0].credentials.EnvelopePlatformPublicKey)
	must(r.t, err)
	r.start()
}

// start begins a process on the database.
func (r *simRun) start() {
	l := &simLife{store: store.New(r.db, r.keys)}
	l.access = access.New(l.store, r.keys, access.Options{Now: r.clock.Now})
	var below loyalty.Store = l.store
	if r.plant.store != nil {
		below = r.plant.store(below)
	}
	l.writer = writer.New(
		&simStore{Store: below, dead: &l.dead, gate: &r.gate, faults: r.faults, truth: r.truth},
		writer.Options{Now: r.clock.Now, Logger: slog.New(&simLog{r})},
	)
	codes, err := loyalty.NewMemberCodes([]byte("simulation-codes"))
	must(r.t, err)
	texts := sms.New(sms.Options{Storage: l.store, Settings: l.store, Keys: r.keys, Sender: &doortest.Outbox{}, Now: r.clock.Now})
	read := &simReader{l.store}
	logger := slog.New(&simLog{r})
	mux := http.NewServeMux()
	mux.Handle(gateway.Prefix, gateway.New(gateway.Options{
		Writer: l.writer, Reader: read, Access: l.access, Codes: codes, SMS: texts, Now: r.clock.Now, Logger: logger,
	}))
	mux.Handle("/member/", envelope.New(envelope.Options{
		Writer: l.writer, Reader: read, Access: l.access, Codes: codes, SMS: texts, Now: r.clock.Now, Logger: logger,
	}))
	l.handler = mux
	if r.plant.handler != nil {
		l.handler = r.plant.handler(mux)
	}
	r.life = l
	r.faults.setTroubled(false)
	r.count("lives")
}

// restart ends the process, by force or by request, and begins another.
func (r *simRun) restart(force bool) {
	if force {
		r.life.dead.Store(true)
	}
	r.note("restart force=%v", force)
	r.gate.hold(false)
	r.life.writer.Close()
	r.start()
}

func (r *simRun) close() {
	r.gate.hold(false)
	r.life.writer.Close()
	if err := r.db.Close(); err != nil {
		r.t.Error(err)
	}
}

// RoundTrip is the clients' network: the process that lives answers. Of one that
// died meanwhile nothing comes back.
func (r *simRun) RoundTrip(request *http.Request) (*http.Response, error) {
	l := r.life
	w := httptest.NewRecorder()
	l.handler.ServeHTTP(w, request)
	return w.Result(), nil
}

// simLog takes note of what the platform must never have to say.
type simLog struct{ run *simRun }

func (l *simLog) Enabled(context.Context, slog.Level) bool { return true }
func (l *simLog) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *simLog) WithGroup(string) slog.Handler            { return l }

func (l *simLog) Handle(_ context.Context, record slog.Record) error {
	for _, never := range []string{"panic", "a decision failed", "cannot be put into words", "has no event where it should"} {
		if strings.Contains(record.Message, never) {
			var text bytes.Buffer
			record.Attrs(func(a slog.Attr) bool {
				fmt.Fprintf(&text, " %s=%v", a.Key, a.Value)
				return true
			})
			l.run.problem("log", "the platform says: %s%s", record.Message, clipped(text.String()))
		}
	}
	return nil
}

// simReadFault makes one of the reads of a call fail. It travels in the call's
// context, so that it hits that call whatever runs beside it.
type simReadFault struct {
	after int // reads that go well
	hit   atomic.Bool
}

type simReadKey struct{}

// simReader is the real reads, but for the faults that the context brings.
type simReader struct{ *store.Store }

func (s *simReader) fail(ctx context.Context) error {
	f, ok := ctx.Value(simReadKey{}).(*simReadFault)
	if !ok {
		return nil
	}
	if f.after--; f.after >= 0 {
		return nil
	}
	f.hit.Store(true)
	return fmt.Errorf("sim: %w", loyalty.ErrUnavailable)
}

func (s *simReader) Snapshot(ctx context.Context, merchant string) (*loyalty.Snapshot, error) {
	if err := s.fail(ctx); err != nil {
		return nil, err
	}
	return s.Store.Snapshot(ctx, merchant)
}

func (s *simReader) Member(ctx context.Context, who loyalty.Who, now loyalty.Instant, profile bool) (loyalty.Found, error) {
	if err := s.fail(ctx); err != nil {
		return loyalty.Found{}, err
	}
	return s.Store.Member(ctx, who, now, profile)
}

func (s *simReader) Entries(ctx context.Context, who loyalty.Who, now loyalty.Instant, direction loyalty.Direction, page, size int) (loyalty.Found, loyalty.EntryPage, error) {
	if err := s.fail(ctx); err != nil {
		return loyalty.Found{}, loyalty.EntryPage{}, err
	}
	return s.Store.Entries(ctx, who, now, direction, page, size)
}
