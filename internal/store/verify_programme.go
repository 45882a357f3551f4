package store

import (
	"context"

	"github.com/memberd/memberd/internal/loyalty"
)

const (
	verifyMoves = `SELECT ` + moveColumns + `
	FROM level_move
	WHERE member_id BETWEEN ? AND ?
	ORDER BY
		member_id,
		move_no`

	verifyTallies = `SELECT ` + tallyColumns + `
	FROM tally
	WHERE member_id BETWEEN ? AND ?`
)

// readProgramme reads changes of levels, and what counts against caps.
func (r *verifying) readProgramme(ctx context.Context) error {
	r.moves, r.tallies = map[int64][]loyalty.LevelMove{}, map[int64][]loyalty.Tally{}
	err := each(ctx, r.tx, func(row scanner) error {
		m, err := scanMove(row)
		r.moves[m.Member] = append(r.moves[m.Member], m)
		return err
	}, verifyMoves, r.from, r.to)
	if err != nil {
		return err
	}
	return each(ctx, r.tx, func(row scanner) error {
		t, err := scanTally(row)
		r.tallies[t.Member] = append(r.tallies[t.Member], t)
		return err
	}, verifyTallies, r.from, r.to)
}
