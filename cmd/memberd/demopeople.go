package main

import (
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// demoPerson is a member that a document's example names, with what the example
// takes for granted about it.
type demoPerson struct {
	profile loyalty.Profile
	openID  string
	past    func(s *demoShopper, at time.Time)
}

// demoPeople are the members of the documents' own examples, so that these can
// be pasted at a demo server as they stand, as far as they can succeed.
var demoPeople = []demoPerson{
	{profile: loyalty.Profile{ExternalID: "115632749214110108", Phone: "15623261994", Nickname: "童百良", Gender: 1, Store: "18756"}},
	{profile: loyalty.Profile{ExternalID: "115596590488056494", Phone: "13621758805", Nickname: "森屿海港@", Store: "18756"}},
	{profile: loyalty.Profile{ExternalID: "115589208394311926", Phone: "15956904546", Nickname: "三虎", Store: "18756"}},
	{openID: "25c56912e05847c0b09f03ca7e52b796", profile: loyalty.Profile{
		Phone: "15980944959", Nickname: "李大哥", Gender: 1, Birthday: "1994-09-28", BirthMonth: 9, BirthDay: 28,
		Country: "中国", Province: "广东", City: "深圳", Store: "18756", Remark: "备注",
	}},
	{profile: loyalty.Profile{Phone: "13800000000", Nickname: "张三", RealName: "张达三", Gender: 1, Store: "18756"}},
	{
		profile: loyalty.Profile{Phone: "19921361967", Nickname: "周末逛街", Store: "18756"}, // gateway 4.2
		past:    func(s *demoShopper, at time.Time) { s.order("test-order-no7", 1_000_40, true, at) },
	},
	{
		profile: loyalty.Profile{Phone: "17600000000", Nickname: "小满", Store: "18756"}, // gateway 4.1 and 4.2, the tables
		past:    func(s *demoShopper, at time.Time) { s.order("parent_639d2848de213", 1_000_40, true, at) },
	},
	{
		openID:  "168eebeb0d2e4edca2258ce156ec545d", // gateway 5.2, 5.4 and 5.5
		profile: loyalty.Profile{Phone: "18023016181", Nickname: "阿珍", Store: "18756"},
		past: func(s *demoShopper, at time.Time) {
			s.giveNumber(demoExample, "641e0b64-e16d-45bc-97fd-aaec09afc4811", at)
		},
	},
	{
		openID:  "af76d25b97be4c55ab7fb0aff1d06667", // gateway 5.2 and 5.3
		profile: loyalty.Profile{Phone: "18023016182", Nickname: "阿强", Store: "18756"},
		past: func(s *demoShopper, at time.Time) {
			s.giveNumber(demoExample, "550be7757dbf4357a0d79706e2c2c25f", at)
		},
	},
}
