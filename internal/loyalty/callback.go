package loyalty

import "slices"

// EventKind is what a callback tells a partner.
type EventKind string

// The kinds. The first two are those of the envelope document, 1.4 and 1.5; the
// others go to whoever switches them on, in the same frame.
const (
	EventRegistered     EventKind = "member.registered"
	EventPointsChanged  EventKind = "points.changed"
	EventLevelChanged   EventKind = "level.changed"
	EventPointsExpiring EventKind = "points.expiring"
	EventPointsExpired  EventKind = "points.expired"
	EventCouponGiven    EventKind = "coupon.given"
	EventCouponUsed     EventKind = "coupon.used"
	EventCouponExpired  EventKind = "coupon.expired"
)

// Callback is one event for one app, as it stands in the outbox: ids and numbers
// only. What a partner is told about the person is read when it is sent.
type Callback struct {
	Member int64
	App    string
	No     int64 // dense per app and member, from 1
	Kind   EventKind
	Ref    int64 // the ledger entry, or the coupon's number; 0 for none
	// From and To are the levels of EventLevelChanged; of EventPointsExpiring
	// how many points and when.
	From int64
	To   int64
	At   Instant // merchant's clock
}

// Stream is an app's events of one member. They are delivered in order.
type Stream struct {
	Member int64
	App    string
	Last   int64 // number of the newest event
}

// announce puts what a command did into the streams of the merchant's apps,
// before it is applied. Of an erased member nobody is told anything.
func (s *memberState) announce(e Effects, snap *Snapshot) {
	if snap == nil || len(snap.Apps) == 0 || e.Member.Status == Erased {
		return
	}
	tell := func(c Callback) {
		c.Member = e.Member.ID
		for _, c.App = range snap.Apps {
			c.No = s.streams[c.App] + 1
			set(&s.streams, c.App, c.No)
			s.events = append(s.events, c)
		}
	}
	if e.Created {
		tell(Callback{Kind: EventRegistered, At: e.Member.RegisteredAt})
	}
	for i := range e.Entries {
		entry := &e.Entries[i]
		if entry.Points != 0 {
			tell(Callback{Kind: EventPointsChanged, Ref: entry.No, At: entry.At})
		}
		if entry.Kind == Expiry && snap.Tells(EventPointsExpired) {
			tell(Callback{Kind: EventPointsExpired, Ref: entry.No, At: entry.At})
		}
	}
	if snap.Tells(EventLevelChanged) {
		for _, m := range e.LevelMoves {
			tell(Callback{Kind: EventLevelChanged, From: m.From, To: m.To, At: m.At})
		}
	}
	for _, c := range e.Tell {
		if snap.Tells(c.Kind) {
			tell(c)
		}
	}
	for i := range e.Coupons {
		s.announceCoupon(&e.Coupons[i], snap, tell)
	}
}

func (s *memberState) announceCoupon(c *Coupon, snap *Snapshot, tell func(Callback)) {
	old, there := s.coupons.rows[c.Seq]
	if !there && snap.Tells(EventCouponGiven) {
		tell(Callback{Kind: EventCouponGiven, Ref: c.Seq, At: c.GivenAt})
	}
	if c.State == CouponUsed && old.State != CouponUsed && snap.Tells(EventCouponUsed) {
		tell(Callback{Kind: EventCouponUsed, Ref: c.Seq, At: c.UsedAt})
	}
	if c.Lapsed && !old.Lapsed && snap.Tells(EventCouponExpired) {
		tell(Callback{Kind: EventCouponExpired, Ref: c.Seq, At: c.EndAt})
	}
}

// Tells whether the merchant has switched a kind of events on.
func (s *Snapshot) Tells(kind EventKind) bool { return slices.Contains(s.Callbacks.Also, kind) }
