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

// demoPerson is a member that a document's example names.
type demoPerson struct {
	profile loyalty.Profile
	openID  string
}

// demoPeople are the members of the documents' own examples, so that these can
// be pasted at a demo server as they stand.
var demoPeople = []demoPerson{
	{profile: loyalty.Profile{ExternalID: "115632749214110108", Phone: "15623261994", Nickname: "童百良", Gender: 1, Store: "18756"}},
	{profile: loyalty.Profile{ExternalID: "115596590488056494", Phone: "13621758805", Nickname: "森屿海港@", Store: "18756"}},
	{profile: loyalty.Profile{ExternalID: "115589208394311926", Phone: "15956904546", Nickname: "三虎", Store: "18756"}},
	{openID: "25c56912e05847c0b09f03ca7e52b796", profile: loyalty.Profile{
		Phone: "15980944959", Nickname: "李大哥", Gender: 1, Birthday: "1994-09-28", BirthMonth: 9, BirthDay: 28,
		Country: "中国", Province: "广东", City: "深圳", Store: "18756", Remark: "备注",
	}},
	{profile: loyalty.Profile{Phone: "13800000000", Nickname: "张三", RealName: "张达三", Gender: 1, Store: "18756"}},
}

// demoHistory makes some months of a shop's life: members register, buy, sign
// in, pay with points, and now and then bring something back.
type demoHistory struct {
	rng      *rand.Rand
	now      time.Time
	firstID  int64
	commands []writer.Stamped
	orders   int
}

// fillDemo gives an empty demo merchant its members and their history. It goes
// through the same decisions as every call, with the times of the past.
func (pl *platform) fillDemo(ctx context.Context, now time.Time, progress io.Writer) error {
	if err := pl.fillOther(ctx, now); err != nil {
		return err
	}
	page, err := pl.store.Members(ctx, loyalty.MemberFilter{Merchant: demoMerchant}, loyalty.InstantOf(now), 1, 1)
	if err != nil || page.Total > 0 {
		return err
	}
	h := &demoHistory{rng: rand.New(rand.NewPCG(1864, 1)), now: now}
	if h.firstID, err = pl.store.ReserveMemberIDs(ctx, demoMembers); err != nil {
		return err
	}
	for i := range demoMembers {
		h.member(i)
	}
	slices.SortStableFunc(h.commands, func(a, b writer.Stamped) int { return cmp.Compare(a.Stamp.Now, b.Stamp.Now) })
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
	stamp := loyalty.Stamp{Now: loyalty.InstantOf(now)}
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
	if i < len(demoPeople) {
		register.Profile, register.OpenID = demoPeople[i].profile, demoPeople[i].openID
	} else {
		register.Profile = h.profile(i)
	}
	register.Channel = &loyalty.Channel{
		Code: []string{"xcx", "dcxcx", "wxgzpt"}[h.rng.IntN(3)], RegisterType: fmt.Sprint(1 + h.rng.IntN(5)),
		UnionID: fmt.Sprintf("union-%05d", i), ThirdPartyCode: fmt.Sprintf("open-%05d", i), Store: register.Profile.Store,
	}
	h.add(start, loyalty.Any(register))
	stamp := &h.commands[len(h.commands)-1].Stamp
	stamp.MemberID, stamp.OpenID = h.firstID+int64(i), cmp.Or(register.OpenID, randomHex())
	who := loyalty.Who{Merchant: demoMerchant, Phone: register.Profile.Phone}
	for at := start.Add(10 * time.Minute); ; {
		h.visit(who, at)
		at = at.Add(time.Duration(1+h.rng.IntN(30*24)) * time.Hour)
		if at.After(h.now.Add(-time.Hour)) {
			return
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
		Store: fmt.Sprint(18756 + h.rng.IntN(4)),
	}
}

// visit is a purchase, often with a sign-in before, sometimes paid with points,
// rarely brought back some days later.
func (h *demoHistory) visit(who loyalty.Who, at time.Time) {
	h.orders++
	order := fmt.Sprintf("D%08d", h.orders)
	points := func(op loyalty.Operation, name string, n int64, later time.Duration) {
		h.add(at.Add(later), loyalty.Any(loyalty.ChangePoints{
			Who: who, Direction: op.Direction(), Operation: op, Points: n,
			Note: loyalty.Note{Reason: name, OrderNo: order, Detail: loyalty.Detail{OrgCode: "18756", OrgType: "3"}},
		}))
	}
	if h.rng.IntN(3) == 0 {
		points(loyalty.OpSignIn, "积分签到", 5, 0)
	}
	points(loyalty.OpPurchaseGrant, "消费送积分", int64(20+h.rng.IntN(600)), time.Minute)
	switch h.rng.IntN(10) {
	case 0, 1, 2:
		points(loyalty.OpPayment, "积分支付", int64(10+h.rng.IntN(200)), 2*time.Minute)
	case 3:
		points(loyalty.OpExchange, "积分兑换", int64(50*(1+h.rng.IntN(4))), 3*time.Minute)
	case 4:
		if back := at.AddDate(0, 0, 3); back.Before(h.now) {
			h.add(back, loyalty.Any(loyalty.ReturnPoints{
				Who: who, Operation: loyalty.OpPurchaseClawback, OrderNo: order, Note: loyalty.Note{Reason: "消费送积分扣回"},
			}))
		}
	}
}

// randomHex is an open id like those of other members.
func randomHex() string {
	var b [16]byte
	_, _ = crand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
