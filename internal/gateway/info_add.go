package gateway

import (
	"slices"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

// infoAdd is 3.1, wk.user.info.add: 创建会员接口, data 会员唯一标识. The phone
// makes it idempotent: a second call answers the existing open_id, fills empty
// fields and overwrites nothing (G-066). The example's username is the table's
// realname (G-060).
func infoAdd(c *call) (answer, error) {
	f := &c.fields
	phone := f.phone()
	if phone == "" {
		f.fail(errPhoneMissing)
	}
	birthday, month, day := f.day(c.now, "birthday")
	command := loyalty.RegisterMember{
		Merchant: c.app.MerchantID,
		App:      c.app.ID,
		Profile: loyalty.Profile{
			Phone:        phone,
			Store:        f.need(maxKey, "project_id", "projectId"),
			Nickname:     f.need(maxName, "nickname", "nickName"),
			RealName:     f.text(maxName, "realname", "realName", "username"),
			OuterUserID:  f.text(maxKey, "outer_user_id", "outerUserId"),
			QID:          f.text(maxName, "q_id", "qId"),
			Photo:        f.text(maxURL, "avatar_img_url", "avatarImgUrl"),
			Gender:       int(f.integer(0, 0, 2, "gender")),
			Birthday:     birthday,
			BirthMonth:   month,
			BirthDay:     day,
			Country:      f.text(maxName, "country"),
			Province:     f.text(maxName, "province"),
			City:         f.text(maxName, "city"),
			IDCard:       f.text(maxKey, "id_card", "idCard"),
			Email:        f.text(maxName, "email"),
			Company:      f.text(maxName, "company_name", "companyName"),
			Remark:       f.text(maxText, "remark"),
			EmployeeID:   f.text(maxKey, "employee_id", "employeeId"),
			EmployeeName: f.text(maxName, "employee_name", "employeeName"),
		},
	}
	if err := f.check(); err != nil {
		return answer{}, err
	}
	if err := c.knownStore(command.Profile.Store); err != nil {
		return answer{}, err
	}
	done, err := writer.Submit(c.ctx, c.Writer, command)
	if err != nil {
		return answer{}, err
	}
	return answer{data: done.OpenID}, nil
}

// knownStore checks project_id where the merchant keeps a list (G-067).
func (c *call) knownStore(id string) error {
	snap, err := c.snapshot()
	if err != nil {
		return err
	}
	if len(snap.Stores) > 0 && !slices.Contains(snap.Stores, id) {
		return invalid("project_id 不存在")
	}
	return nil
}
