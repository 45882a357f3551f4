package gateway

import (
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// scoreEntry is a line of the ledger. amount is what it did to the balance,
// expenditure negative (G-114), so the amounts of all lines sum up to score.
type scoreEntry struct {
	ID          int64  `json:"id"` // within the member; statement_id is the one that is unique
	Amount      int64  `json:"amount"`
	Desc        string `json:"desc"`
	CreateTime  string `json:"createTime"`
	UpdateTime  string `json:"updateTime"`
	ScoreType   int    `json:"score_type"`
	StatementID string `json:"statement_id"`
}

// scoreRecord is 3.5, wk.user.score.record: score_type 0是全部, 1是收入, 2是支出;
// newest first. A rollback is a line of its own.
func scoreRecord(c *call) (answer, error) {
	f := &c.fields
	who := f.member()
	direction := loyalty.Direction(f.integer(0, 0, 2, "score_type", "scoreType"))
	no, size := f.paging(10)
	if err := f.check(); err != nil {
		return answer{}, err
	}
	found, list, err := c.Reader.Entries(c.ctx, who, c.now, direction, no, size)
	switch {
	case err != nil:
		return answer{}, c.interrupted(err)
	case found.Status == loyalty.Erased:
		return answer{}, errNotMember
	}
	lines := make([]scoreEntry, 0, len(list.Entries))
	for i := range list.Entries {
		lines = append(lines, newScoreEntry(&list.Entries[i], found.Snapshot.Location()))
	}
	return answer{data: lines, page: &page{no, size, list.Total}}, nil
}

func newScoreEntry(e *loyalty.Entry, zone *time.Location) scoreEntry {
	at := e.At.In(zone).Format(time.DateTime)
	return scoreEntry{
		ID: e.No, Amount: e.Points, Desc: describe(e), CreateTime: at, UpdateTime: at,
		ScoreType: int(e.Kind.Direction()), StatementID: loyalty.StatementID(e.Member, e.No),
	}
}

// describe is the reason that the caller gave, else what the entry is.
func describe(e *loyalty.Entry) string {
	if e.Reason != "" {
		return e.Reason
	}
	switch e.Kind {
	case loyalty.Expiry:
		return "积分过期"
	case loyalty.Release:
		return "积分到账"
	case loyalty.TakeBack, loyalty.PutBack:
		return "积分回退"
	case loyalty.WriteOff:
		return "积分核销"
	}
	return operationNames[e.Operation]
}

// operationNames are the envelope document's names of its operationType (1.3),
// under which changes are booked whichever door they came through.
var operationNames = map[loyalty.Operation]string{
	loyalty.OpPurchaseGrant:     "消费送积分",
	loyalty.OpPaymentReturn:     "积分支付退回",
	loyalty.OpSignIn:            "积分签到",
	loyalty.OpManualGrant:       "手动赠送",
	loyalty.OpLevelGift:         "等级升级送积分",
	loyalty.OpImport:            "割接",
	loyalty.OpBirthdayGift:      "生日送",
	loyalty.OpRegisterGift:      "注册送",
	loyalty.OpProfileGift:       "完善送",
	loyalty.OpPromotionGift:     "消费满赠",
	loyalty.OpManualDeduct:      "手动扣减",
	loyalty.OpExchange:          "积分兑换",
	loyalty.OpClearing:          "积分清理",
	loyalty.OpPayment:           "积分支付",
	loyalty.OpPurchaseClawback:  "消费送积分扣回",
	loyalty.OpLevelGiftClawback: "等级升级退积分",
	loyalty.OpPromotionClawback: "消费满赠扣回",
}
