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
	return e.Operation.Name()
}
