package gateway

import "github.com/memberd/memberd/internal/access"

// byRefreshToken finds the app of 2.2: its secret checks the sign, so the token
// comes first (G-054).
func byRefreshToken(c *call) (*access.App, error) {
	refresh, err := c.Access.RefreshToken(c.ctx, c.param("refresh_token"))
	if err != nil {
		return nil, c.interrupted(err)
	}
	c.refresh = refresh
	return refresh.App, nil
}

type newToken struct {
	AccessToken string `json:"access_token"`
	ExpireIn    int64  `json:"expire_in"`
}

// tokenRefresh is 2.2, dss.auth.token.refresh: 该接口用来刷新access_token……
// 该接口每天限制调用次数为20次. The refresh token is neither changed nor
// extended nor returned; older access tokens live out their two hours.
func tokenRefresh(c *call) (answer, error) {
	token, err := c.refresh.Issue(c.ctx)
	if err != nil {
		return answer{}, err
	}
	return answer{data: newToken{token.Token, token.ExpireIn}}, nil
}
