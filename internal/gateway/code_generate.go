package gateway

import "github.com/memberd/memberd/internal/loyalty"

// codeGenerate is 3.6, wk.user.code.generate: 生成会员码, 20 digits to be shown
// as a bar code. Older codes live out their life. A disabled member gets none.
func codeGenerate(c *call) (answer, error) {
	who := c.fields.member()
	if err := c.fields.check(); err != nil {
		return answer{}, err
	}
	found, err := c.readMember(who, false)
	switch {
	case err != nil:
		return answer{}, err
	case found.Status == loyalty.Disabled:
		return answer{}, errDisabled
	}
	return answer{data: c.Codes.Make(found.ID, c.now)}, nil
}
