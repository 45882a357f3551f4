package gateway

import "github.com/memberd/memberd/internal/access"

// byAppID finds the app of 2.1, the only method that has no token yet.
func byAppID(c *call) (*access.App, error) {
	id := c.param("app_id")
	if id == "" {
		return nil, errAppMissing
	}
	app, err := c.Access.App(c.ctx, id)
	return app, c.interrupted(err)
}

type tokenPair struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	ExpireIn     int64  `json:"expire_in"`
}

// tokenQuery is 2.1, dss.auth.token.query: 该接口用来生成refresh_token与
// access_token，refresh_token有效期为1年……该接口限制1天仅能调用一次，
// access_token有效期2小时. Each success is a new pair; only successes count.
func tokenQuery(c *call) (answer, error) {
	pair, err := c.Access.QueryToken(c.ctx, c.app)
	if err != nil {
		return answer{}, err
	}
	return answer{data: tokenPair{pair.Access.Token, pair.Refresh, pair.Access.ExpireIn}}, nil
}
