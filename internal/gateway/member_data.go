package gateway

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/memberd/memberd/internal/loyalty"
)

// memberData is a member in the answers of 3.2 and 3.7: the fields of the table
// and of the example together, in the example's order, null when unknown
// (G-072 to G-081). level_num and level_number are two spellings of one thing.
type memberData struct {
	Birthday             *string `json:"birthday"`
	Country              *string `json:"country"`
	Gender               int     `json:"gender"`
	City                 *string `json:"city"`
	OpenID               string  `json:"open_id"`
	LevelNum             *int64  `json:"level_num"`
	LevelNumber          *int64  `json:"level_number"`
	IDCard               *string `json:"id_card"`
	Remark               *string `json:"remark"`
	NextLevelNum         *int64  `json:"next_level_num"`
	RegisterTime         int64   `json:"register_time"` // ms
	AvatarImgURL         *string `json:"avatar_img_url"`
	Score                int64   `json:"score"`
	NextLevelGrowthValue *int64  `json:"next_level_growth_value"` // the threshold itself (G-044)
	UpgradeNeedGrowth    *int64  `json:"upgrade_need_growth_value"`
	Province             *string `json:"province"`
	ProjectID            any     `json:"project_id"` // a number when it is one (G-063)
	NextLevelName        *string `json:"next_level_name"`
	Rights               *string `json:"rights"` // JSON text
	Nickname             *string `json:"nickname"`
	Email                *string `json:"email"`
	GrowthValue          int64   `json:"growth_value"`
	IsMaxLevel           int     `json:"is_max_level"`
	Realname             *string `json:"realname"`
	UserNum              string  `json:"user_num"`
	LevelName            *string `json:"level_name"`
	Phone                *string `json:"phone"`
	CouponNum            int64   `json:"coupon_num"`
	QID                  *string `json:"q_id"`
	// The fall that is ahead at the end of the growth period, where there is one.
	LevelFallNum    *int64  `json:"level_fall_num,omitempty"`
	LevelFallName   *string `json:"level_fall_name,omitempty"`
	LevelFallTime   *int64  `json:"level_fall_time,omitempty"` // ms: the first moment at the lower level
	LevelKeepGrowth *int64  `json:"level_keep_need_growth_value,omitempty"`
}

// newMemberData shows a member as a read found it.
func newMemberData(m loyalty.Found) memberData {
	p := &m.Profile
	d := memberData{
		Birthday: orNull(p.Birthday), Country: orNull(p.Country), Gender: p.Gender, City: orNull(p.City),
		OpenID: m.OpenID, IDCard: orNull(p.IDCard), Remark: orNull(p.Remark), RegisterTime: int64(m.RegisteredAt),
		AvatarImgURL: orNull(p.Photo), Score: m.Balance, Province: orNull(p.Province), ProjectID: projectID(p.Store),
		Nickname: orNull(p.Nickname), Email: orNull(p.Email), GrowthValue: m.Growth, IsMaxLevel: 1,
		Realname: orNull(p.RealName), UserNum: strconv.FormatInt(m.ID, 10), Phone: orNull(p.Phone), QID: orNull(p.QID),
		CouponNum: m.UsableCoupons,
	}
	if m.Snapshot.MaskIDCard {
		d.IDCard = orNull(loyalty.MaskNumber(p.IDCard))
	}
	level, next := m.Snapshot.LevelOf(m.Member)
	if level != nil {
		d.LevelNum, d.LevelNumber, d.LevelName = &level.Number, &level.Number, &level.Name
		d.Rights = rightsText(level.Rights)
	}
	if next != nil {
		need := next.Threshold - m.Growth
		d.NextLevelNum, d.NextLevelName, d.IsMaxLevel = &next.Number, &next.Name, 0
		d.NextLevelGrowthValue, d.UpgradeNeedGrowth = &next.Threshold, &need
	}
	d.foretell(m)
	return d
}

// foretell says to which level the member falls, when, and how much growth
// value until then keeps the present one. The document has no such fields, so
// they are left out where nothing is to be said.
func (d *memberData) foretell(m loyalty.Found) {
	lower, at := m.Snapshot.Forecast(m.Member)
	level, _ := m.Snapshot.LevelOf(m.Member)
	if lower == nil || level == nil {
		return
	}
	when, need := int64(at), level.Threshold-m.Growth
	d.LevelFallNum, d.LevelFallName, d.LevelFallTime, d.LevelKeepGrowth = &lower.Number, &lower.Name, &when, &need
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// projectID is a number where that loses nothing: no leading zero, and small
// enough for clients that count in doubles.
func projectID(text string) any {
	const mostDigits = 15
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && len(text) <= mostDigits && strconv.FormatInt(n, 10) == text {
		return n
	}
	return orNull(text)
}

// rightsText is the JSON text of a level's rights, null when there are none.
func rightsText(rights []loyalty.Right) *string {
	if len(rights) == 0 {
		return nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(rights); err != nil {
		panic(err) // plain values: cannot happen
	}
	text := strings.TrimSuffix(b.String(), "\n")
	return &text
}

// snapshot reads the rules of the caller's merchant.
func (c *call) snapshot() (*loyalty.Snapshot, error) {
	snap, err := c.Reader.Snapshot(c.ctx, c.app.MerchantID)
	return snap, c.interrupted(err)
}

// readMember reads whom the call is about. What was erased is nobody's member
// any more.
func (c *call) readMember(who loyalty.Who, profile bool) (loyalty.Found, error) {
	found, err := c.Reader.Member(c.ctx, who, c.now, profile)
	if err != nil {
		return found, c.interrupted(err)
	}
	if found.Status == loyalty.Erased {
		return found, errNotMember
	}
	return found, nil
}
