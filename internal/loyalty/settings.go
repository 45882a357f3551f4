package loyalty

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Settings is everything a merchant can decide about its programme. It is one
// versioned document, so that a batch sees either all of a change or nothing.
type Settings struct {
	// Zone is the IANA time zone in which days, months and years are counted.
	Zone string `json:"zone"`
	// Points is how points are earned and how long they live.
	Points PointsRule `json:"points"`
	// Clawback says what happens when a grant is taken back and the points
	// have been spent already.
	Clawback Clawback `json:"clawback"`
	// OwnLotOnly forbids taking back from lots that the grant did not join.
	OwnLotOnly bool `json:"own_lot_only"`
	// GiveBack says what happens when a spend is given back whose points have
	// expired since; GraceDays is the life they get under GiveBackGrace.
	GiveBack  GiveBack `json:"give_back"`
	GraceDays int      `json:"grace_days"`
	// MaxCredit is the largest number of points that one call may grant.
	MaxCredit int64 `json:"max_credit"`
	// RegisterGift is the number of points granted on registration, 0 for none.
	RegisterGift int64 `json:"register_gift"`
	// KeyDays is how many days idempotency keys are kept at least.
	KeyDays int `json:"key_days"`
	// StrictChangeID refuses every repeat of a gateway change_id with 150002
	// instead of answering the first result again (finding G-092).
	StrictChangeID bool `json:"strict_change_id"`
	// Events are the change events of gateway 3.3.
	Events []Event `json:"events"`
	// Levels are the member levels, ascending by number and threshold.
	Levels []Level `json:"levels"`
	// LevelChange says what other levels do to those who hold one already.
	LevelChange LevelChange `json:"level_change"`
	// MemberCodeSeconds is the life of a member code.
	MemberCodeSeconds int `json:"member_code_seconds"`
	// ExpiredCodeAs110001 restores the number that gateway 3.7's own table
	// gives to an expired member code (finding G-037).
	ExpiredCodeAs110001 bool `json:"expired_code_as_110001"`
	// MaskIDCard hides the middle of id card numbers in answers (G-075).
	MaskIDCard bool `json:"mask_id_card"`
	// Stores restricts project_id and store codes to this list, when not empty.
	Stores []string `json:"stores,omitempty"`
	// MobileRegistration switches envelope 1.6 (finding E-090).
	MobileRegistration bool `json:"mobile_registration"`
	// Growth is how orders raise the growth value.
	Growth GrowthRule `json:"growth"`
	// Orders is what orders and refunds do where the caller leaves it open.
	Orders OrderRules `json:"orders"`
	// SMS bounds verification codes.
	SMS SMSRules `json:"sms"`
	// Callbacks is what partners are told besides registrations and changes of
	// points.
	Callbacks CallbackRules `json:"callbacks"`
}

// CallbackRules are a merchant's decisions about callbacks.
type CallbackRules struct {
	// Also are further kinds of events that are sent.
	Also []EventKind `json:"also"`
	// NumbersAsText sends the numbers of 1.5 as JSON strings (finding E-085).
	NumbersAsText bool `json:"numbers_as_text"`
	// ExpiringDays is how many days before their end points are announced by
	// EventPointsExpiring.
	ExpiringDays int `json:"expiring_days"`
}

// GrowthRule is how money raises the growth value.
type GrowthRule struct {
	// Rate is growth per yuan, rounded down once per order; a numerator of 0
	// means that orders raise nothing.
	Rate Fraction `json:"rate"`
	// Period is how long growth value counts, Downgrade what the period's end
	// does to levels.
	Period    GrowthPeriod `json:"period"`
	Downgrade Downgrade    `json:"downgrade"`
}

// OrderRules are a merchant's decisions about orders and refunds.
type OrderRules struct {
	// Score says what an order without order_score earns.
	Score OrderScore `json:"score"`
	// EarlyRefund says what becomes of a refund that arrives before its order.
	EarlyRefund EarlyRefund `json:"early_refund"`
	// ParkDays is how long a parked refund waits for its order.
	ParkDays int `json:"park_days"`
	// ReturnCoupons gives coupons that were redeemed for an order back with the
	// refund that completes it. The document leaves that to gateway 5.3.
	ReturnCoupons bool `json:"return_coupons"`
}

// OrderScore is the policy for orders whose caller names no points.
type OrderScore string

// The policies.
const (
	ScoreZero OrderScore = "zero" // no points
	ScoreRule OrderScore = "rule" // what the points rule gives for the amount
)

// EarlyRefund is the policy for refunds of orders that are not known yet.
type EarlyRefund string

// The policies.
const (
	EarlyRefuse EarlyRefund = "refuse" // refused, as the document says
	EarlyPark   EarlyRefund = "park"   // kept, and applied when the order lands
)

// SMSRules are the shape and the limits of SMS codes. A limit of 0 is none.
type SMSRules struct {
	Digits        int `json:"digits"`
	LifeSeconds   int `json:"life_seconds"`
	PerPhoneDay   int `json:"per_phone_day"`   // sends to a phone in a calendar day
	PauseSeconds  int `json:"pause_seconds"`   // between two sends to a phone
	PerAppDay     int `json:"per_app_day"`     // sends of an app in a calendar day
	PerSourceHour int `json:"per_source_hour"` // sends asked for from one address in an hour
	// Text is the message; {code} stands for the code.
	Text string `json:"text"`
}

// Fraction is an exact rational number.
type Fraction struct {
	Num int64 `json:"num"`
	Den int64 `json:"den"`
}

// Clawback is the policy for points that were spent before their grant is
// taken back.
type Clawback string

// The clawback policies.
const (
	ClawbackRefuse   Clawback = "refuse"   // refused, nothing booked
	ClawbackNegative Clawback = "negative" // a deficit that later credits fill first
	ClawbackFloor    Clawback = "floor"    // written off as an entry of its own
)

// GiveBack is the policy for spent points that expired before they are given
// back.
type GiveBack string

// The give-back policies.
const (
	GiveBackGrace    GiveBack = "grace"    // usable again for some days
	GiveBackVoid     GiveBack = "void"     // not given back
	GiveBackOriginal GiveBack = "original" // given back with their old expiry, hence expired at once
)

// Event is a registered change event of gateway 3.3.
type Event struct {
	Name      string    `json:"name"`
	Direction Direction `json:"direction"`
	// Points is the fixed value; 0 means that the caller says how many.
	Points int64 `json:"points,omitempty"`
	// DailyCap is the most points of the event for a member and day in the
	// merchant's zone; 0 is no bound. What would go beyond it is refused.
	DailyCap int64 `json:"daily_cap,omitempty"`
	// Operation is the operationType under which the change is booked.
	Operation Operation `json:"operation"`
}

// Level is a member level. Threshold is the growth value that reaches it.
type Level struct {
	Number    int64   `json:"number"`
	ID        int64   `json:"id"`
	Name      string  `json:"name"`
	Threshold int64   `json:"threshold"`
	Rights    []Right `json:"rights,omitempty"`
}

// Right is one benefit of a level, as gateway 3.2 shows it.
type Right struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	ImageURL string `json:"imgUrl,omitempty"`
}

// DefaultSettings is the programme of a new merchant, which works at once:
// seven levels as in gateway 3.8, the two generic events, one point per yuan,
// points valid to the end of the next calendar year.
func DefaultSettings() Settings {
	return Settings{
		Zone: "Asia/Shanghai",
		Points: PointsRule{
			Rate:     Fraction{Num: 1, Den: 1},
			Rounding: RoundDown, Basis: BasisAmount, Combine: CombineBest,
			Validity: Validity{Kind: YearEnd, N: 1},
		},
		Clawback:  ClawbackRefuse,
		GiveBack:  GiveBackGrace,
		GraceDays: 7,
		MaxCredit: 1_000_000,
		KeyDays:   400,
		Events: []Event{
			{Name: "event_add", Direction: Credit, Operation: OpManualGrant},
			{Name: "event_subtract", Direction: Debit, Operation: OpManualDeduct},
		},
		Levels: []Level{
			{Number: 1, ID: 76, Name: "一级会员", Threshold: 0},
			{Number: 2, ID: 82, Name: "二级会员", Threshold: 300},
			{Number: 3, ID: 77, Name: "三级会员", Threshold: 1_000},
			{Number: 4, ID: 80, Name: "四级会员", Threshold: 3_000},
			{Number: 5, ID: 83, Name: "五级会员", Threshold: 8_000},
			{Number: 6, ID: 81, Name: "六级会员", Threshold: 20_000},
			{Number: 7, ID: 85, Name: "七级会员", Threshold: 50_000},
		},
		LevelChange:        LevelKeep,
		MemberCodeSeconds:  300,
		MobileRegistration: true,
		Growth:             GrowthRule{Rate: Fraction{Num: 1, Den: 1}, Period: GrowthPeriod{Kind: PeriodLife}, Downgrade: DowngradeNone},
		Orders:             OrderRules{Score: ScoreZero, EarlyRefund: EarlyRefuse, ParkDays: 90},
		Callbacks:          CallbackRules{Also: []EventKind{}, ExpiringDays: 30},
		SMS: SMSRules{
			Digits: 4, LifeSeconds: 300, PerPhoneDay: 10, PauseSeconds: 60, PerAppDay: 10_000, PerSourceHour: 1_000,
			Text: "验证码 {code}, 5 分钟内有效, 请勿告知他人",
		},
	}
}

// ParseSettings reads a stored document. Keys that this version does not know
// are refused: a document of a newer version must not be half understood.
func ParseSettings(document string) (Settings, error) {
	s := DefaultSettings()
	s.Events, s.Levels = nil, nil
	dec := json.NewDecoder(bytes.NewReader([]byte(document)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return Settings{}, fmt.Errorf("settings document: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Settings{}, errors.New("settings document: something stands behind it")
	}
	return s, nil
}

// Document is the settings as they are stored.
func (s Settings) Document() string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // plain values only: cannot happen
	}
	return string(b)
}

// Snapshot is one version of a merchant's settings, checked and ready to
// decide by. It never changes.
type Snapshot struct {
	Merchant string
	Version  int64
	// ClockOffset is how far the merchant's clock is ahead of the real one, in
	// milliseconds; only sandbox merchants have one.
	ClockOffset int64
	// Apps are the enabled apps of the merchant that have a callback URL,
	// ascending. Each gets every event.
	Apps []string
	Settings

	loc    *time.Location
	events map[string]Event
	uses   uses
	tests  []tested
}

// NewSnapshot checks the settings and prepares them for deciding. What is wrong
// with them is told by a *SettingError.
func NewSnapshot(merchant string, version, clockOffset int64, s Settings) (*Snapshot, error) {
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("settings of merchant %s: %w", merchant, err)
	}
	loc, err := time.LoadLocation(s.Zone)
	if err != nil {
		return nil, fmt.Errorf("settings of merchant %s: zone: %w", merchant, err)
	}
	snap := &Snapshot{
		Merchant: merchant, Version: version, ClockOffset: clockOffset, Settings: s,
		loc: loc, events: make(map[string]Event, len(s.Events)), uses: s.Points.uses(), tests: testsOf(s.Points.Multipliers),
	}
	for _, e := range s.Events {
		snap.events[e.Name] = e
	}
	return snap, nil
}

// Bounds of settings. They are far beyond any programme and keep every sum of
// points and every date within what int64 and time.Time can hold.
const (
	maxRate        = 1_000_000
	maxPoints      = 1_000_000_000
	maxCap         = 1_000_000_000_000_000
	maxPeriods     = 36_500 // a hundred years of days
	maxMonths      = 1_200
	maxCodeSeconds = 24 * 3600
)

// Validate checks everything but whether the zone exists on this machine. Its
// error is the first *SettingError.
func (s Settings) Validate() error {
	if s.Zone == "" || s.Zone == "Local" { // would differ from machine to machine
		return wrong("zone", "%q is no IANA time zone", s.Zone)
	}
	v := s.Points.Validity
	return cmp.Or(
		s.Points.Rate.validate("points.rate"), s.Growth.Rate.validate("growth.rate"), s.Points.validate(),
		oneOf("points.validity.kind", v.Kind, RollingDays, RollingMonths, MonthEnd, YearEnd, Unlimited),
		between("points.validity.n", v.N, 0, v.Kind.most()),
		between("points.waiting_days", s.Points.WaitingDays, 0, maxPeriods),
		between("grace_days", s.GraceDays, 0, maxPeriods),
		between("key_days", s.KeyDays, 1, maxPeriods),
		oneOf("clawback", s.Clawback, ClawbackRefuse, ClawbackNegative, ClawbackFloor),
		oneOf("give_back", s.GiveBack, GiveBackGrace, GiveBackVoid, GiveBackOriginal),
		between("max_credit", s.MaxCredit, 1, maxPoints),
		between("register_gift", s.RegisterGift, 0, maxPoints),
		between("member_code_seconds", s.MemberCodeSeconds, 1, maxCodeSeconds),
		s.validateEvents(), s.validateLevels(), s.validateMultipliers(), s.Orders.validate(),
		s.Growth.validate(), s.SMS.validate(), s.Callbacks.validate(),
	)
}

func (r Fraction) validate(key string) error {
	if r.Num < 0 || r.Den < 1 || max(r.Num, r.Den) > maxRate {
		return wrong(key, "%d/%d is no rate, or beyond %d", r.Num, r.Den, maxRate)
	}
	return nil
}

// most is the most days, months or years that points can live.
func (k ValidityKind) most() int {
	if k == RollingDays || k == Unlimited {
		return maxPeriods
	}
	return maxMonths
}

func (r CallbackRules) validate() error {
	for i, k := range r.Also {
		if err := oneOf(keyOf("callbacks.also", i), k, EventLevelChanged, EventPointsExpiring, EventPointsExpired,
			EventCouponGiven, EventCouponUsed, EventCouponExpired); err != nil {
			return err
		}
	}
	return between("callbacks.expiring_days", r.ExpiringDays, 1, 366)
}

func (o OrderRules) validate() error {
	return cmp.Or(
		oneOf("orders.score", o.Score, ScoreZero, ScoreRule),
		oneOf("orders.early_refund", o.EarlyRefund, EarlyRefuse, EarlyPark),
		between("orders.park_days", o.ParkDays, 1, maxPeriods),
	)
}

func (g GrowthRule) validate() error {
	err := oneOf("growth.period.kind", g.Period.Kind, PeriodLife, PeriodYear, PeriodMonths)
	if err == nil && g.Period.Kind == PeriodMonths {
		err = between("growth.period.n", g.Period.N, 1, maxMonths)
	}
	return cmp.Or(err, oneOf("growth.downgrade", g.Downgrade, DowngradeNone, DowngradeFitting, DowngradeStep))
}

func (r SMSRules) validate() error {
	if !strings.Contains(r.Text, "{code}") || tooLong(r.Text, MaxName) {
		return wrong("sms.text", "needs {code} and has at most %d characters", MaxName)
	}
	return cmp.Or(
		between("sms.digits", r.Digits, 4, 8),
		between("sms.life_seconds", r.LifeSeconds, 1, maxCodeSeconds),
		between("sms.per_phone_day", r.PerPhoneDay, 0, maxPoints),
		between("sms.pause_seconds", r.PauseSeconds, 0, maxPoints),
		between("sms.per_app_day", r.PerAppDay, 0, maxPoints),
		between("sms.per_source_hour", r.PerSourceHour, 0, maxPoints),
	)
}

func (s *Settings) validateEvents() error {
	if len(s.Events) > maxEvents {
		return wrong("events", "more than %d", maxEvents)
	}
	seen := map[string]bool{}
	for i, e := range s.Events {
		key := keyOf("events", i)
		switch {
		case e.Name == "" || seen[e.Name] || tooLong(e.Name, MaxKey):
			return wrong(key+".name", "%q: each event needs a name of its own, of at most %d characters", e.Name, MaxKey)
		case !e.Operation.Valid() || e.Operation.Direction() != e.Direction:
			return wrong(key+".operation", "%d is no operation of the event's direction: 1 to 10 are credits, 11 to 17 debits", e.Operation)
		case e.DailyCap > 0 && e.Points > e.DailyCap:
			return wrong(key+".daily_cap", "%d is less than the event's points, so that it could never be booked", e.DailyCap)
		}
		seen[e.Name] = true
		if err := cmp.Or(between(key+".points", e.Points, 0, maxPoints), between(key+".daily_cap", e.DailyCap, 0, maxCap)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Settings) validateLevels() error {
	if len(s.Levels) > maxLevels {
		return wrong("levels", "more than %d", maxLevels)
	}
	for i, l := range s.Levels {
		key := keyOf("levels", i)
		switch {
		case i == 0 && l.Threshold != 0:
			return wrong(key+".threshold", "%d: the lowest level starts at 0", l.Threshold)
		case l.Number < 1 || i > 0 && l.Number <= s.Levels[i-1].Number:
			return wrong(key+".number", "%d: numbers begin at 1 and must ascend", l.Number)
		case i > 0 && l.Threshold <= s.Levels[i-1].Threshold:
			return wrong(key+".threshold", "%d: thresholds must ascend, and the level before begins at %d", l.Threshold, s.Levels[i-1].Threshold)
		case tooLong(l.Name, MaxName):
			return wrong(key+".name", "more than %d characters", MaxName)
		}
	}
	return oneOf("level_change", s.LevelChange, LevelKeep, LevelFit)
}

// Location is the merchant's time zone.
func (s *Snapshot) Location() *time.Location { return s.loc }

// LevelAt is the level that growth reaches and the one after it; next is nil
// at the top, and both are nil when the merchant has no levels.
func (s *Snapshot) LevelAt(growth int64) (level, next *Level) {
	for i := range s.Levels {
		if growth < s.Levels[i].Threshold {
			return level, &s.Levels[i]
		}
		level = &s.Levels[i]
	}
	return level, nil
}

// LevelOf is the level that a member holds and the one after it; next is nil at
// the top. A level that the settings no longer have gives way to what the
// growth value reaches.
func (s *Snapshot) LevelOf(m Member) (level, next *Level) {
	for i := range s.Levels {
		if s.Levels[i].Number != m.Level {
			continue
		}
		if i+1 < len(s.Levels) {
			next = &s.Levels[i+1]
		}
		return &s.Levels[i], next
	}
	return s.LevelAt(m.Growth)
}

// ruleInForce tells whether points can be granted at t.
func (s *Snapshot) ruleInForce(t Instant) bool {
	r := s.Points
	return t >= r.From && (r.Until == 0 || t < r.Until)
}
