package main

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

const (
	demoMembers = 300
	demoMonths  = 6
)

// demoHistory makes some months of a shop's life: members register, buy, sign
// in, pay with points and coupons, and now and then bring something back.
type demoHistory struct {
	rng      *rand.Rand
	now      time.Time
	zone     *time.Location
	app      string // through which the tills call
	commands []writer.Stamped
	orders   int
	coupons  int
}

// fillDemo gives an empty demo merchant its members and their history. It goes
// through the same decisions as every call, with the times of the past.
func (pl *platform) fillDemo(ctx context.Context, app string, now time.Time, progress io.Writer) error {
	if err := pl.fillOther(ctx, now); err != nil {
		return err
	}
	page, err := pl.store.Members(ctx, loyalty.MemberFilter{Merchant: demoMerchant}, loyalty.InstantOf(now), 1, 1)
	if err != nil || page.Total > 0 {
		return err
	}
	snap, err := pl.store.Snapshot(ctx, demoMerchant)
	if err != nil {
		return err
	}
	h := &demoHistory{rng: rand.New(rand.NewPCG(1864, 1)), now: now, zone: snap.Location(), app: app}
	h.templates()
	for i := range demoMembers {
		h.member(i)
	}
	slices.SortStableFunc(h.commands, func(a, b writer.Stamped) int { return cmp.Compare(a.Stamp.Now, b.Stamp.Now) })
	if err := h.number(ctx, pl); err != nil {
		return err
	}
	return h.replay(pl, progress)
}

// number gives the commands the fresh numbers that they ask for.
func (h *demoHistory) number(ctx context.Context, pl *platform) error {
	asked := map[loyalty.IDKind]int64{}
	for _, c := range h.commands {
		asked[c.Command.Refs.New.Kind] += c.Command.Refs.New.Count
	}
	next := map[loyalty.IDKind]int64{}
	for kind, n := range asked {
		if n == 0 {
			continue
		}
		first, err := pl.store.ReserveIDs(ctx, kind, n)
		if err != nil {
			return err
		}
		next[kind] = first
	}
	for i := range h.commands {
		fresh := h.commands[i].Command.Refs.New
		h.commands[i].Stamp.NewID = next[fresh.Kind]
		next[fresh.Kind] += fresh.Count
	}
	return nil
}

// replay books the history. Some of it is refused, as in a shop: points are
// spent that are not there.
func (h *demoHistory) replay(pl *platform, progress io.Writer) error {
	for done := 0; done < len(h.commands); done += writer.MaxBatch {
		batch := h.commands[done:min(done+writer.MaxBatch, len(h.commands))]
		for _, out := range writer.Replay(pl.store, batch, nil) {
			if _, refused := loyalty.CodeOf(out.Err); out.Err != nil && !refused {
				return out.Err
			}
		}
		fmt.Fprintf(progress, "\rfilling the demo: %d of %d events", done+len(batch), len(h.commands))
	}
	fmt.Fprintln(progress)
	return nil
}

// fillOther makes the member of the examples that name the other merchant.
func (pl *platform) fillOther(ctx context.Context, now time.Time) error {
	who := loyalty.Who{Merchant: otherMerchant, ExternalID: "115589208394311926"}
	_, err := pl.store.Member(ctx, who, loyalty.InstantOf(now), false)
	if code, _ := loyalty.CodeOf(err); code != loyalty.MemberNotFound {
		return err // nil: made by an earlier start
	}
	const openID = "30000000000000000000000000000001"
	c := loyalty.RegisterMember{Merchant: otherMerchant, OpenID: openID, Profile: loyalty.Profile{
		ExternalID: who.ExternalID, Phone: "15956904546", Nickname: "三虎",
	}}
	id, err := pl.store.ReserveIDs(ctx, loyalty.MemberIDs, 1)
	if err != nil {
		return err
	}
	stamp := loyalty.Stamp{Now: loyalty.InstantOf(now), NewID: id, OpenID: openID}
	return writer.Replay(pl.store, []writer.Stamped{{Command: loyalty.Any(c), Stamp: stamp}}, nil)[0].Err
}

func (h *demoHistory) add(at time.Time, c loyalty.AnyCommand) {
	h.commands = append(h.commands, writer.Stamped{Command: c, Stamp: loyalty.Stamp{Now: loyalty.InstantOf(at)}})
}

// member writes one member's life, whose first purchases follow registration.
func (h *demoHistory) member(i int) {
	start := h.now.AddDate(0, -demoMonths, h.rng.IntN(28*demoMonths-14))
	start = start.Add(time.Duration(h.rng.IntN(12*3600)) * time.Second)
	register := loyalty.RegisterMember{Merchant: demoMerchant, RegisteredAt: loyalty.InstantOf(start)}
	var person demoPerson
	if i < len(demoPeople) {
		person = demoPeople[i]
		register.Profile, register.OpenID = person.profile, person.openID
	} else {
		register.Profile = h.profile(i)
	}
	register.Channel = &loyalty.Channel{
		Code: []string{"xcx", "dcxcx", "wxgzpt"}[h.rng.IntN(3)], RegisterType: fmt.Sprint(1 + h.rng.IntN(5)),
		UnionID: fmt.Sprintf("union-%05d", i), ThirdPartyCode: fmt.Sprintf("open-%05d", i), Store: register.Profile.Store,
	}
	h.add(start, loyalty.Any(register))
	h.commands[len(h.commands)-1].Stamp.OpenID = cmp.Or(register.OpenID, randomHex())
	s := &demoShopper{
		demoHistory: h, who: loyalty.Who{Merchant: demoMerchant, Phone: register.Profile.Phone}, store: register.Profile.Store,
		purse: demoPurses[h.rng.IntN(len(demoPurses))],
	}
	s.welcome(start.Add(time.Minute))
	if person.past != nil {
		person.past(s, start.Add(5*time.Minute))
	}
	for at := start.Add(10 * time.Minute); ; {
		s.visit(at)
		at = at.Add(time.Duration(1+h.rng.IntN(30*24)) * time.Hour)
		if at.After(h.now.Add(-time.Hour)) {
			break
		}
	}
}

func (h *demoHistory) profile(i int) loyalty.Profile {
	surnames := []string{"王", "李", "张", "刘", "陈", "杨", "黄", "赵", "周", "吴"}
	names := []string{"芳", "伟", "娜", "敏", "静", "丽", "强", "磊", "军", "洋", "勇", "艳", "杰", "涛", "明"}
	cities := [][2]string{{"广东", "珠海"}, {"广东", "深圳"}, {"上海", "上海"}, {"浙江", "杭州"}}
	place := cities[h.rng.IntN(len(cities))]
	month, day := 1+h.rng.IntN(12), 1+h.rng.IntN(28)
	name := surnames[h.rng.IntN(len(surnames))] + names[h.rng.IntN(len(names))]
	return loyalty.Profile{
		Phone: fmt.Sprintf("139%08d", 10_000+i*37), Nickname: name, RealName: name, Gender: 1 + h.rng.IntN(2),
		Birthday:   fmt.Sprintf("%d-%02d-%02d", 1965+h.rng.IntN(40), month, day),
		BirthMonth: month, BirthDay: day, Country: "中国", Province: place[0], City: place[1],
		Store: fmt.Sprint(demoStore + h.rng.IntN(4)),
	}
}

// randomHex is an open id like those of other members.
func randomHex() string {
	var b [16]byte
	_, _ = crand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
