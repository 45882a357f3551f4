package main

import (
	"encoding/json"
	"fmt"

	"github.com/memberd/memberd/internal/jsonx"
)

// yuan writes an amount of fen as people read it.
func yuan(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	return fmt.Sprintf("%s%d.%02d", sign, fen/100, fen%100)
}

// parseYuan reads what yuan writes, by the rules of the doors.
func parseYuan(text string) (fen int64, ok bool) {
	quoted, err := json.Marshal(map[string]string{"amount": text})
	if err != nil {
		return 0, false
	}
	fields, err := jsonx.Object(quoted)
	if err != nil {
		return 0, false
	}
	fen, err = fields.NeedFen("amount")
	return fen, err == nil && fen >= 0
}
