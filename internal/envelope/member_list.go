package envelope

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/memberd/memberd/internal/jsonx"
	"github.com/memberd/memberd/internal/loyalty"
)

// Pages of 1.2 (E-051). Beyond maxPage there is nobody: no merchant has as many
// members.
const (
	defaultPageSize = 20
	maxPageSize     = 100
	maxPage         = 1_000_000_000
)

// listAnswer is the answer of 1.2.
type listAnswer struct {
	MemberList []listedMember `json:"memberList"`
	PageNum    int64          `json:"pageNum"`
	PageSize   int64          `json:"pageSize"`
	TotalCount int64          `json:"totalCount"`
	TotalPages int64          `json:"totalPages"`
}

// listedMember is one member of the list. labels is the table's name and
// labelList the example's for one thing (E-055). Refunds are taken off what the
// member has consumed (E-058, E-061).
type listedMember struct {
	ConsumeCount   string           `json:"consumeCount"`
	ConsumeMoney   string           `json:"consumeMoney"` // yuan, two decimals; "" without any order
	CurrentScore   int64            `json:"currentScore"`
	LabelList      []string         `json:"labelList"`
	Labels         []string         `json:"labels"`
	MemberID       string           `json:"memberId"`
	MemberPaidList []paidCardAnswer `json:"memberPaidList"`
	Mobile         string           `json:"mobile"`
	NickName       string           `json:"nickName"`
	RegisterTime   string           `json:"registerTime"`
	RuleName       string           `json:"ruleName"`
	StatusFlag     int              `json:"statusFlag"` // 1 active, 0 disabled
}

// paidCardAnswer is a card that the member pays for. The table does not name
// paidId, by which 1.2 filters.
type paidCardAnswer struct {
	ExpiryTime string `json:"expiryTime"` // its last second (E-057)
	PaidID     string `json:"paidId"`
	PaidName   string `json:"paidName"`
}

// memberList is 1.2, /member/getMembers, 会员列表信息接口.
//
// All filters that are there are combined. nickName is contained in the name,
// mobile, labelName, paidId and ruleCode match exactly; scores and times include
// both ends (E-050 to E-053).
func (d *door) memberList(ctx context.Context, c *call) (any, error) {
	page, err := c.body.number(1, math.MaxInt64, 1, "pageNum", "pageNo", "page_num", "page_no")
	if err != nil {
		return nil, err
	}
	size, err := c.body.number(1, math.MaxInt64, defaultPageSize, "pageSize", "page_size")
	if err != nil {
		return nil, err
	}
	page, size = min(page, maxPage), min(size, maxPageSize)
	snap, err := d.Reader.Snapshot(ctx, c.app.MerchantID)
	if err != nil {
		return nil, err
	}
	filter, err := c.memberFilter(snap.Location())
	if err != nil {
		return nil, err
	}
	members, err := d.Reader.Members(ctx, filter, c.now, int(page), int(size))
	if err != nil {
		return nil, err
	}
	a := listAnswer{
		MemberList: make([]listedMember, 0, len(members.Members)),
		PageNum:    page,
		PageSize:   size,
		TotalCount: members.Total,
		TotalPages: (members.Total + size - 1) / size,
	}
	for i := range members.Members {
		a.MemberList = append(a.MemberList, newListedMember(&members.Members[i], snap))
	}
	return a, nil
}

func newListedMember(m *loyalty.Found, snap *loyalty.Snapshot) listedMember {
	loc := snap.Location()
	labels := append([]string{}, m.Marks.Labels...)
	l := listedMember{
		ConsumeCount:   strconv.FormatInt(m.ConsumeCount, 10),
		CurrentScore:   m.Balance,
		LabelList:      labels,
		Labels:         labels,
		MemberID:       loyalty.ShownMemberID(m.Profile.ExternalID, m.ID),
		MemberPaidList: make([]paidCardAnswer, 0, len(m.Marks.Cards)),
		Mobile:         m.Profile.Phone,
		NickName:       m.Profile.Nickname,
		RegisterTime:   wallClock(m.RegisteredAt, loc),
	}
	for _, card := range m.Marks.Cards {
		l.MemberPaidList = append(l.MemberPaidList, paidCardAnswer{
			ExpiryTime: wallClock(card.ExpiresAt-1, loc), PaidID: card.ID, PaidName: card.Name,
		})
	}
	if m.Orders > 0 {
		l.ConsumeMoney = fmt.Sprintf("%d.%02d", m.ConsumeFen/100, m.ConsumeFen%100)
	}
	if level, _ := snap.LevelOf(m.Member); level != nil {
		l.RuleName = level.Name
	}
	if m.Status == loyalty.Active {
		l.StatusFlag = 1
	}
	return l
}

// memberFilter reads the filters.
func (c *call) memberFilter(loc *time.Location) (loyalty.MemberFilter, error) {
	f := loyalty.MemberFilter{Merchant: c.app.MerchantID}
	for _, read := range []func(*loyalty.MemberFilter) error{
		c.filterTexts, c.filterScores, c.filterStatus,
		func(f *loyalty.MemberFilter) error { return c.filterTimes(f, loc) },
	} {
		if err := read(&f); err != nil {
			return loyalty.MemberFilter{}, err
		}
	}
	return f, nil
}

func (c *call) filterTexts(f *loyalty.MemberFilter) (err error) {
	if f.Phone, err = c.body.phone("mobile"); err != nil {
		return err
	}
	if f.Nickname, err = c.body.optional(maxName, "nickName"); err != nil {
		return err
	}
	if f.Label, err = c.body.optional(maxName, "labelName"); err != nil {
		return err
	}
	if f.PaidCard, err = c.body.optional(maxName, "paidId"); err != nil {
		return err
	}
	rule, err := c.body.optional(maxName, "ruleCode")
	if err != nil || rule == "" {
		return err
	}
	level, err := strconv.ParseInt(rule, 10, 64)
	if err != nil {
		f.Nobody = true
		return nil
	}
	f.Level = &level
	return nil
}

func (c *call) filterScores(f *loyalty.MemberFilter) error {
	for _, bound := range []struct {
		into **int64
		name string
	}{{&f.MinBalance, "startScore"}, {&f.MaxBalance, "endScore"}} {
		n, present, err := c.body.Int(bound.name)
		if err != nil {
			return err
		}
		if present {
			*bound.into = &n
		}
	}
	if f.MinBalance != nil && f.MaxBalance != nil && *f.MinBalance > *f.MaxBalance {
		return invalid("startScore 不能大于 endScore")
	}
	return nil
}

func (c *call) filterStatus(f *loyalty.MemberFilter) error {
	n, present, err := c.body.Int("statusFlag")
	switch {
	case err != nil:
		return err
	case !present:
		return nil
	case n != 0 && n != 1:
		return refuse("statusFlag", jsonx.OutOfRange)
	}
	active := n == 1
	f.Active = &active
	return nil
}

func (c *call) filterTimes(f *loyalty.MemberFilter, loc *time.Location) error {
	start, err := c.body.span(loc, "startTime")
	if err != nil {
		return err
	}
	end, err := c.body.span(loc, "endTime")
	if err != nil {
		return err
	}
	if start != nil && end != nil && start.from > end.to {
		return invalid("startTime 不能晚于 endTime")
	}
	if start != nil {
		f.RegisteredFrom = start.from
	}
	if end != nil {
		f.RegisteredTo = end.to // never 0, which would mean open: a span ends with 999 ms, or after 1973
	}
	return nil
}
