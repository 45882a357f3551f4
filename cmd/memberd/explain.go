package main

import (
	"errors"
	"fmt"
	"time"

	reasons "github.com/memberd/memberd/internal/explain"
	"github.com/memberd/memberd/internal/loyalty"
)

// explainCommand answers "why did I get only 256 points?" on the telephone.
type explainCommand struct {
	commonFlags
	Merchant string `name:"merchant" required:"" placeholder:"ID" help:"The merchant whose member it is about."`
	Space    string `name:"space" placeholder:"NAME" help:"The number space of the app that sent the order (default: the one that the merchant's apps share)."`
	Lang     string `name:"lang" enum:"zh,en,both" default:"both" help:"Language of the sentences: ${enum}."`
	JSON     bool   `name:"json" help:"Print everything as JSON, with the record."`
	What     string `arg:"" name:"statement-or-order" help:"A statement id (SP and 18 digits), or the number of an order or a refund."`
}

func (c *explainCommand) Run(p *program) error {
	pl, _, err := p.openMerchant(c.Merchant)
	if err != nil {
		return err
	}
	defer pl.Close()
	answer, err := c.answer(p, pl)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.printJSON(answer)
	}
	for i, s := range answer.Sentences {
		lead := "- "
		if i == 0 {
			lead = ""
		}
		if c.Lang != "en" {
			fmt.Fprintln(p.stdout, lead+harmless(s.Zh))
		}
		if c.Lang == "both" && lead != "" {
			lead = "  "
		}
		if c.Lang != "zh" {
			fmt.Fprintln(p.stdout, lead+harmless(s.En))
		}
	}
	return nil
}

// answer takes what was named for a statement id if there is such a statement,
// else for a number: a till may number its orders as it likes.
func (c *explainCommand) answer(p *program, pl *platform) (answer reasons.Explanation, err error) {
	now := loyalty.InstantOf(time.Now())
	who := loyalty.Who{Merchant: c.Merchant}
	for _, q := range []reasons.Question{
		{Who: who, Statement: c.What},
		{Who: who, Order: loyalty.OrderKey{Space: c.Space, No: c.What}},
	} {
		if c.What == "" {
			break
		}
		_, answer, err = reasons.Answer(p.ctx, pl.store, q, now)
		if code, refused := loyalty.CodeOf(err); !refused || code != loyalty.StatementNotFound && code != loyalty.OrderNotFound {
			return answer, explain(err)
		}
	}
	_, _, statement := loyalty.ParseStatementID(c.What)
	if statement {
		return answer, errors.New("there is neither such a statement nor an order with that number")
	}
	return answer, errors.New("there is no order or refund with that number; a statement id is SP and 18 digits")
}
