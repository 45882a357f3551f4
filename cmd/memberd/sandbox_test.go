package main

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/sign"
)

// witness is a partner's server that takes every callback, checks its sign and
// its number, and writes down in one line what it was told.
type witness struct {
	*httptest.Server
	t    *testing.T
	more chan struct{}

	mu    sync.Mutex
	key   *rsa.PublicKey
	lines []string
}

func newWitness(t *testing.T) *witness {
	w := &witness{t: t, more: make(chan struct{}, 1000)}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

// trust says whose signatures are to be under what comes.
func (w *witness) trust(key *rsa.PublicKey) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.key = key
}

func (w *witness) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	var frame struct {
		Ver                                 int
		PartnerID, AppID, RequestBody, Sign string
	}
	body := map[string]any{}
	if json.Unmarshal(text, &frame) != nil || json.Unmarshal([]byte(frame.RequestBody), &body) != nil {
		w.t.Errorf("request: %s", text)
	}
	base := sign.EnvelopeBase([]sign.Field{
		{Name: "appId", Value: frame.AppID}, {Name: "partnerId", Value: frame.PartnerID},
		{Name: "requestBody", Value: frame.RequestBody}, {Name: "ver", Value: strconv.Itoa(frame.Ver)},
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	if !sign.VerifyEnvelope(base, frame.Sign, w.key) {
		w.t.Errorf("wrong sign: %s", text)
	}
	line := r.Header.Get("Memberd-Event-Type")
	for _, name := range []string{"eventTime", "changeType", "changeScore", "currentScore", "score", "expireTime", "fromLevel", "toLevel", "couponCode", "orderNo"} {
		if value, there := body[name]; there && value != "" {
			line += fmt.Sprintf(" %s=%v", name, value)
		}
	}
	no := r.Header.Get("Memberd-Event-Number")
	if want := strconv.Itoa(len(w.lines) + 1); no != want {
		w.t.Errorf("number %s, want %s: %s", no, want, line)
	}
	w.lines = append(w.lines, line)
	_, _ = io.WriteString(out, `{"ver":"1","statusCode":"100"}`)
	w.more <- struct{}{}
}

// wait waits until so many callbacks have come.
func (w *witness) wait(n int) []string {
	w.t.Helper()
	late := time.After(patience)
	for {
		w.mu.Lock()
		lines := slices.Clone(w.lines)
		w.mu.Unlock()
		if len(lines) >= n {
			return lines
		}
		select {
		case <-w.more:
		case <-late:
			w.t.Fatalf("%d callbacks, want %d: %q", len(lines), n, lines)
		}
	}
}

// year is an integrator with a sandbox, a server and a receiver.
type year struct {
	t       *testing.T
	rig     *rig
	server  *server
	app     string // credentials' file
	partner *witness
	first   time.Time // 1 January of the story's year
	ahead   time.Duration
	seen    int // callbacks so far
}

const sandboxPhone = "13812345678"

func newYear(t *testing.T, r *rig) *year {
	t.Helper()
	y := &year{t: t, rig: r, app: r.path("till.json"), partner: newWitness(t)}
	r.env = []string{"MEMBERD_CALLBACK_ALLOW_PRIVATE=true", "MEMBERD_CALLBACK_RETRY_BASE=10ms"}
	r.on("merchant", "create", "--id", "1000", "--name", "沙箱", "--sandbox")
	y.settings(func(s *loyalty.Settings) {
		s.Points.WaitingDays, s.Points.Validity = 3, loyalty.Validity{Kind: loyalty.RollingMonths, N: 6}
		s.Growth.Period, s.Growth.Downgrade = loyalty.GrowthPeriod{Kind: loyalty.PeriodYear}, loyalty.DowngradeStep
		s.Callbacks.ExpiringDays = 30
		s.Callbacks.Also = []loyalty.EventKind{
			loyalty.EventLevelChanged, loyalty.EventPointsExpiring, loyalty.EventPointsExpired,
			loyalty.EventCouponGiven, loyalty.EventCouponUsed, loyalty.EventCouponExpired,
		}
	})
	text := r.on("app", "create", "--merchant", "1000", "--name", "till", "--callback-url", y.partner.URL, "--json")
	if err := os.WriteFile(y.app, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := sign.ParsePublicKey(fmt.Sprint(decode(t, text)["envelope_platform_public_key"]))
	if err != nil {
		t.Fatal(err)
	}
	y.partner.trust(key)
	y.server = r.serve()
	zone := time.FixedZone("CST", 8*3600)
	y.first = time.Date(time.Now().In(zone).Year()+1, 1, 1, 0, 0, 0, 0, zone)
	return y
}

func (y *year) settings(change func(*loyalty.Settings)) {
	y.t.Helper()
	s, err := loyalty.ParseSettings(y.rig.on("merchant", "settings", "--id", "1000"))
	if err != nil {
		y.t.Fatal(err)
	}
	change(&s)
	file := y.rig.path("settings.json")
	if err := os.WriteFile(file, []byte(s.Document()), 0o600); err != nil {
		y.t.Fatal(err)
	}
	y.rig.on("merchant", "settings", "--id", "1000", "--file", file, "--reason", "sandbox")
}

// day is a moment of the story: a few seconds after midnight, so that what ends
// at midnight has ended.
func (y *year) day(years int, month time.Month, day int) time.Time {
	return time.Date(y.first.Year()+years, month, day, 0, 0, 5, 0, y.first.Location())
}

// goTo moves the merchant's clock by a call.
func (y *year) goTo(to time.Time) {
	y.t.Helper()
	by := to.Sub(time.Now().Add(y.ahead)).Round(time.Second)
	data, _ := y.call("wk.sandbox.clock.advance", fmt.Sprintf(`{"by":"%s"}`, by))["data"].(map[string]any)
	y.ahead += by
	now, _ := data["now"].(float64)
	if off := time.UnixMilli(int64(now)).Sub(to).Abs(); off > patience/2 {
		y.t.Fatalf("it is %v, want %v", data, to)
	}
}

func (y *year) call(method, body string) map[string]any {
	y.t.Helper()
	return y.server.must(method, y.app, body)
}

// refused expects a refusal with a code.
func (y *year) refused(code float64, method, body string) {
	y.t.Helper()
	got := y.server.call(method, y.app, body)
	if got.code != exitNo || decode(y.t, got.out)["error_code"] != code {
		y.t.Errorf("%s %s: exit code %d, %s, want %v", method, body, got.code, got.out, code)
	}
}

// member compares fields of 3.2. nil is a field that is not there.
func (y *year) member(want map[string]any) {
	y.t.Helper()
	data, _ := y.call("wk.user.info.query", `{"phone":"`+sandboxPhone+`"}`)["data"].(map[string]any)
	got := map[string]any{}
	for name := range want {
		got[name] = data[name]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		y.t.Errorf("3.2 (-want +got):\n%s", diff)
	}
}

// coupons is 5.5 as "code status", by a filter.
func (y *year) coupons(filter string, want ...string) {
	y.t.Helper()
	list, _ := y.call("wk.coupon.user.list", `{"phone":"`+sandboxPhone+`"`+filter+`}`)["data"].([]any)
	var got []string
	for _, one := range list {
		c, _ := one.(map[string]any)
		got = append(got, fmt.Sprint(c["third_coupon_code"], " ", c["status"]))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		y.t.Errorf("5.5 %s (-want +got):\n%s", filter, diff)
	}
}

// timeOfDay is that of an event that happens at the time of a call.
var timeOfDay = regexp.MustCompile(`(eventTime=\S+) \S+`)

// told expects exactly these callbacks since the last time, in this order. Y is
// the story's year, * a time of day that is not known.
func (y *year) told(want ...string) {
	y.t.Helper()
	lines := y.partner.wait(y.seen + len(want))[y.seen:]
	for i, line := range want {
		want[i] = strings.NewReplacer("Y+2", strconv.Itoa(y.first.Year()+2), "Y", strconv.Itoa(y.first.Year())).Replace(line)
		if strings.Contains(line, " *") && i < len(lines) {
			lines[i] = timeOfDay.ReplaceAllString(lines[i], "$1 *")
		}
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		y.t.Errorf("callbacks (-want +got):\n%s", diff)
	}
	y.seen += len(lines)
}

// A year and more of loyalty, as an integrator tries it out in a sandbox: what
// time brings is seen at once, and told.
func TestAYearInTheSandbox(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig) {
		y := newYear(t, r)
		y.goTo(y.day(0, time.January, 10).Add(10 * time.Hour))
		y.earnAndRise()
		y.couponsComeAndGo()
		y.pointsExpire()
		y.fall()
		if out := r.on("check"); out != "1 members checked, 0 differences\n" {
			t.Error(out)
		}
		if list := r.on("callback", "list", "--merchant", "1000", "--json"); list != "[]\n" {
			t.Errorf("left over: %s", list)
		}
		if code := y.server.stop(); code != 0 {
			t.Errorf("exit code %d\n%s", code, y.server.log)
		}
		if lines := y.partner.wait(y.seen); len(lines) != y.seen {
			t.Errorf("told more than there was: %q", lines[y.seen:])
		}
	})
}

func (y *year) earnAndRise() {
	y.t.Helper()
	y.call("wk.user.info.add", `{"project_id":"1","nickname":"李四","phone":"`+sandboxPhone+`"}`)
	y.told("member.registered")
	y.call("wk.user.event.score.change", `{"phone":"`+sandboxPhone+`","change_event":"event_add","score":100,"change_reason":"x","change_id":"c1"}`)
	y.member(map[string]any{"score": 0., "level_num": 1., "growth_value": 0.})
	spend := `{"phone":"` + sandboxPhone + `","change_event":"event_subtract","score":10,"change_reason":"x","change_id":"c2"}`
	y.refused(150003, "wk.user.event.score.change", spend) // pending points are none yet
	y.goTo(y.day(0, time.January, 13))
	y.member(map[string]any{"score": 100.})
	y.told("points.changed changeType=1 changeScore=100 currentScore=100")
	y.call("wk.user.event.score.change", spend)
	y.told("points.changed changeType=2 changeScore=10 currentScore=90")

	order := fmt.Sprintf(`{"phone":"%s","order_no":"o1","order_amount":3500,"order_score":40,"consume_date":"%d-01-13 00:00:00"}`, sandboxPhone, y.first.Year())
	y.call("wk.user.consume.order", order)
	y.member(map[string]any{"score": 90., "level_num": 4., "growth_value": 3500., "level_fall_num": nil, "level_fall_time": nil})
	y.told("level.changed eventTime=Y-01-13 * fromLevel=1 toLevel=4")
	y.refused(1001, "wk.user.consume.order", strings.NewReplacer("o1", "o2", "-01-13", "-01-14").Replace(order)) // tomorrow
	y.goTo(y.day(0, time.January, 16))
	y.member(map[string]any{"score": 130., "level_num": 4.})
	y.told("points.changed changeType=1 changeScore=40 currentScore=130")
}

func (y *year) couponsComeAndGo() {
	y.t.Helper()
	at := func(month time.Month) int64 { return y.day(0, month, 1).Add(-5 * time.Second).UnixMilli() }
	y.call("wk.coupon.template.add", fmt.Sprintf(`{"third_coupon_id":"t1","name":"券","rules":"r","coupon_category":0,"discount_fee":100,"coupon_type":1,"begin_time":%d,"end_time":%d}`,
		at(time.February), at(time.March)))
	set := `[{"open_id":"` + sandboxPhone + `","params_type":"2","coupon_number":"k1"},{"open_id":"` + sandboxPhone + `","params_type":"2","coupon_number":"k2"}]`
	y.call("wk.coupon.give", fmt.Sprintf(`{"third_coupon_id":"t1","number":2,"create_time":%d,"coupon_set":%s}`, time.Now().Add(y.ahead).UnixMilli(), set))
	y.told("coupon.given eventTime=Y-01-16 * couponCode=k1", "coupon.given eventTime=Y-01-16 * couponCode=k2")
	y.coupons("", "k2 4", "k1 4")
	y.coupons(`,"status":1`)
	redeem := func(code string) string {
		return fmt.Sprintf(`{"phone":"%s","order_no":"o9","third_coupon_codes":"%s","verification_time":%d}`, sandboxPhone, code, time.Now().Add(y.ahead).UnixMilli())
	}
	y.refused(130003, "wk.coupon.verification", redeem("k1"))
	y.goTo(y.day(0, time.February, 1))
	y.coupons(`,"status":1`, "k2 1", "k1 1")
	y.member(map[string]any{"coupon_num": 2.})
	y.call("wk.coupon.verification", redeem("k1"))
	y.coupons(`,"status":2`, "k1 2")
	y.told("coupon.used eventTime=Y-02-01 * couponCode=k1 orderNo=o9")
	y.goTo(y.day(0, time.February, 28))
	y.goTo(y.day(0, time.March, 1))
	y.coupons(`,"status":3`, "k2 0")
	y.coupons(`,"status":1`)
	y.member(map[string]any{"coupon_num": 0.})
	y.told("coupon.expired eventTime=Y-03-01 00:00:00 couponCode=k2")
	y.refused(130003, "wk.coupon.verification", redeem("k2"))
}

func (y *year) pointsExpire() {
	y.t.Helper()
	// Released on 13 January and good for six months: to 13 July.
	y.goTo(y.day(0, time.June, 12))
	y.goTo(y.day(0, time.June, 13))
	y.told("points.expiring eventTime=Y-06-13 * score=90 expireTime=Y-07-14 00:00:00")
	y.goTo(y.day(0, time.June, 15))
	y.goTo(y.day(0, time.June, 16))
	y.told("points.expiring eventTime=Y-06-16 * score=40 expireTime=Y-07-17 00:00:00")
	y.goTo(y.day(0, time.July, 13))
	y.member(map[string]any{"score": 130.})
	y.goTo(y.day(0, time.July, 14))
	y.member(map[string]any{"score": 40.})
	y.told("points.changed changeType=2 changeScore=90 currentScore=40",
		"points.expired eventTime=Y-07-14 00:00:00 currentScore=40 score=90")
	// By the operators' command the running server sees it as well.
	by := y.day(0, time.July, 17).Sub(time.Now().Add(y.ahead)).Round(time.Second)
	y.rig.on("clock", "advance", "--merchant", "1000", "--by", by.String())
	y.ahead += by
	y.member(map[string]any{"score": 0.})
	y.told("points.changed changeType=2 changeScore=40 currentScore=0",
		"points.expired eventTime=Y-07-17 00:00:00 currentScore=0 score=40")
	record := y.call("wk.user.score.record", `{"phone":"`+sandboxPhone+`","page_num":1,"page_size":10}`)
	var lines []string
	rows, _ := record["data"].([]any)
	for _, one := range rows {
		row, _ := one.(map[string]any)
		lines = append(lines, fmt.Sprint(row["amount"], " ", row["desc"]))
	}
	want := []string{"-40 积分过期", "-90 积分过期", "40 积分到账", "0 消费送积分", "-10 x", "100 积分到账", "0 x"}
	if diff := cmp.Diff(want, lines); diff != "" {
		y.t.Errorf("3.5 (-want +got):\n%s", diff)
	}
}

func (y *year) fall() {
	y.t.Helper()
	y.goTo(y.day(0, time.December, 31))
	y.member(map[string]any{"level_num": 4., "growth_value": 3500., "level_fall_num": nil})
	// The year has earned its level for the next one, which begins with nothing.
	y.goTo(y.day(1, time.January, 1))
	end := y.day(2, time.January, 1).Add(-5 * time.Second)
	y.member(map[string]any{
		"level_num": 4., "growth_value": 0., "level_fall_num": 3., "level_fall_name": "三级会员",
		"level_fall_time": float64(end.UnixMilli()), "level_keep_need_growth_value": 3000.,
	})
	y.call("wk.user.consume.order", fmt.Sprintf(`{"phone":"%s","order_no":"o3","order_amount":400,"order_score":0,"consume_date":"%d-01-01 00:00:00"}`, sandboxPhone, y.first.Year()+1))
	y.member(map[string]any{"level_num": 4., "growth_value": 400., "level_fall_num": 3., "level_keep_need_growth_value": 2600.})
	shown := y.rig.on("member", "show", "--merchant", "1000", "--phone", sandboxPhone)
	if want := fmt.Sprintf("400; falls to level 3 三级会员 on %s unless it grows by 2600\n", end.Format(time.DateOnly)); !strings.Contains(shown, want) {
		y.t.Errorf("show, without %q:\n%s", want, shown)
	}
	y.goTo(end.Add(-time.Hour))
	y.member(map[string]any{"level_num": 4.})
	y.goTo(end.Add(5 * time.Second))
	y.member(map[string]any{
		"level_num": 3., "growth_value": 0., "level_fall_num": 2., "level_keep_need_growth_value": 1000.,
	})
	y.told("level.changed eventTime=Y+2-01-01 * fromLevel=4 toLevel=3")
}

// Only a sandbox has a clock, which goes forward only; the rest is refused and
// nothing moves.
func TestClockRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	sandbox := r.app("1000")
	r.on("merchant", "create", "--id", "2000", "--name", "live")
	live := r.path("live.json")
	if err := os.WriteFile(live, []byte(r.on("app", "create", "--merchant", "2000", "--name", "x", "--json")), 0o600); err != nil {
		t.Fatal(err)
	}
	s := r.serve()
	for what, c := range map[string]struct{ app, body, want string }{
		"live":            {live, `{"by":"72h"}`, "仅沙箱商户可以调整时钟"},
		"live, no way":    {live, `{"by":"0h"}`, "仅沙箱商户可以调整时钟"},
		"backwards":       {sandbox, `{"by":"-1h"}`, "by 不合法"},
		"too far at once": {sandbox, `{"by":"401d"}`, "by 不合法"},
		"no span":         {sandbox, `{"by":"soon"}`, "by 不合法"},
		"nothing":         {sandbox, `{}`, "by"},
	} {
		got := s.call("wk.sandbox.clock.advance", c.app, c.body)
		if answer := decode(t, got.out); got.code != exitNo || answer["error_code"] != 1001. || !strings.Contains(fmt.Sprint(answer["error_message"]), c.want) {
			t.Errorf("%s: exit code %d, %s", what, got.code, got.out)
		}
	}
	advance := func(merchant, by string) []string {
		return []string{"clock", "advance", "--merchant", merchant, "--by=" + by}
	}
	r.refused(exitNo, "only a sandbox merchant has a clock", advance("2000", "72h")...)
	r.refused(exitNo, "there is no such merchant", advance("3000", "72h")...)
	r.refused(exitUsage, "--by", advance("1000", "-1h")...)
	r.refused(exitUsage, "--by", advance("1000", "401d")...)
	for _, merchant := range []string{"1000", "2000"} {
		if out := r.on("clock", "show", "--merchant", merchant); !strings.Contains(out, "0s") {
			t.Errorf("a clock has moved: %s", out)
		}
	}
	// A hundred years, and no second more.
	r.sql(fmt.Sprintf("UPDATE merchant SET clock_offset = %d WHERE merchant_id = '1000'", loyalty.MaxClockOffset-24*time.Hour.Milliseconds()))
	s.must("wk.sandbox.clock.advance", sandbox, `{"by":"1d"}`)
	got := s.call("wk.sandbox.clock.advance", sandbox, `{"by":"1s"}`)
	if got.code != exitNo || !strings.Contains(got.out, "时钟最多可以提前 100 年") {
		t.Errorf("exit code %d, %s", got.code, got.out)
	}
	r.refused(exitNo, "at most 36525 days ahead", advance("1000", "1h")...)
}

// Operators can run a job, beside a server too.
func TestJobsCommand(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app := r.app("1000")
	s := r.serve()
	s.must("/member/register/mobile", app, `{"mobile":"15623261994","channelCode":"dcxcx","registerType":"2","unionId":"u1"}`)
	for _, name := range []string{"levels", "due", "coupons", "expiring", "refunds", "cleanup"} {
		if out := r.on("jobs", "list"); !strings.Contains(out, name+" ") {
			t.Errorf("%s is not listed:\n%s", name, out)
		}
		if out := r.on("jobs", "run", name, "--merchant", "1000"); out != name+": 0\n" {
			t.Error(out)
		}
	}
	if out := r.on("jobs", "run", "all", "--merchant", "1000"); out != "levels: 0\ndue: 0\ncoupons: 0\nexpiring: 0\nrefunds: 0\ncleanup: 0\n" {
		t.Error(out)
	}
	r.refused(exitUsage, "there is no job", "jobs", "run", "nonsense", "--merchant", "1000")
	r.refused(exitNo, "there is no such merchant", "jobs", "run", "due", "--merchant", "2000")
	if _, body := s.get("/metrics"); !strings.Contains(body, "memberd_jobs_leading") {
		t.Error("metrics do not tell of the jobs")
	}
}
