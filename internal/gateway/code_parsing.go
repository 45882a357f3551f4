package gateway

import (
	"errors"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// codeParsing is 3.7, wk.user.code.parsing: 通过会员码查询会员信息, the data of
// 3.2. A code may be read any number of times within its life. Unknown, expired
// and another merchant's codes are not told apart, and an app that sends too
// many of them has to wait, so that codes cannot be probed.
func codeParsing(c *call) (answer, error) {
	f := &c.fields
	code := f.need(maxKey, "code")
	if err := f.check(); err != nil {
		return answer{}, err
	}
	if c.Guesses.Spent(c.app.ID, int64(c.now)) {
		return answer{}, errTooMany
	}
	snap, err := c.snapshot()
	if err != nil {
		return answer{}, err
	}
	found, err := c.memberOfCode(code, snap)
	if err != nil {
		return answer{}, err
	}
	if found.Status == loyalty.Disabled {
		return answer{}, errDisabled
	}
	return answer{data: newMemberData(found)}, nil
}

// memberOfCode is who showed the code.
func (c *call) memberOfCode(code string, snap *loyalty.Snapshot) (loyalty.Found, error) {
	life := time.Duration(snap.MemberCodeSeconds) * time.Second
	id, ok := c.Codes.Read(code, c.now, life)
	if ok {
		found, err := c.readMember(loyalty.Who{Merchant: c.app.MerchantID, ID: id}, true)
		if err == nil || !errors.Is(err, loyalty.MemberNotFound) && !errors.Is(err, errNotMember) {
			return found, err
		}
	}
	c.Guesses.Wrong(c.app.ID, int64(c.now))
	if snap.ExpiredCodeAs110001 {
		return loyalty.Found{}, errCodeExpired37
	}
	return loyalty.Found{}, errCodeExpired
}
