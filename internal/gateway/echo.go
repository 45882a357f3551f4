package gateway

// echoed is the answer of the echo, as long as that of a points change.
type echoed struct {
	ChangeID string `json:"change_id"`
}

// echo is wk.sandbox.echo, which the document does not have: everything that 3.3
// does before it changes points, and nothing after. It is what memberd bench
// measures a points change against, and how it knows a sandbox: for the apps of
// other merchants there is no such method (docs/adr/0010-bench-echo.md).
func echo(c *call) (answer, error) {
	merchant, err := c.Access.Merchant(c.ctx, c.app.MerchantID)
	if err != nil {
		return answer{}, c.interrupted(err)
	}
	if !merchant.Sandbox {
		return answer{}, errUnknownMethod
	}
	command, err := c.pointsChange()
	if err != nil {
		return answer{}, err
	}
	return answer{data: echoed{command.ID}}, nil
}
