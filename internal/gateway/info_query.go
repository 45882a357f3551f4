package gateway

// infoQuery is 3.2, wk.user.info.query: 会员手机号, 与会员唯一标识传其一即可.
// Both may come, if they name one member (G-036). A disabled member is shown.
func infoQuery(c *call) (answer, error) {
	who := c.fields.member()
	if err := c.fields.check(); err != nil {
		return answer{}, err
	}
	found, err := c.readMember(who, true)
	if err != nil {
		return answer{}, err
	}
	return answer{data: newMemberData(found)}, nil
}
