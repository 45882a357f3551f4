package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/memberd/memberd/internal/store/sqldb"
)

// This file is the last wave of a load, on both engines.

const birthdaysOfMembers = `SELECT ` + birthdayColumns + `
	FROM member_profile
	WHERE member_id = ANY($1::bigint[])`

var (
	// A look into each member's moves ends at the first that is late enough.
	movesAfter = `SELECT ` + prefixed("l", moveColumns) + `
	FROM unnest($1::bigint[], $2::bigint[]) AS w (member_id, at)
	CROSS JOIN LATERAL (
		SELECT ` + moveColumns + `
		FROM level_move
		WHERE member_id = w.member_id
			AND at > w.at
		ORDER BY move_no
		LIMIT 1
	) AS l`

	talliesNamed = `SELECT ` + prefixed("t", tallyColumns) + `
	FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[]) AS w (member_id, from_day, to_day, name)
	JOIN tally t ON t.member_id = w.member_id
		AND t.name = w.name
		AND t.day BETWEEN w.from_day AND w.to_day`
)

func (l *postgresLoader) fourth(ctx context.Context, n *ruleNeeds, f *found) error {
	b := &pgx.Batch{}
	if len(n.birthdays) > 0 {
		queue(b, &f.birthdays, scanBirthday, birthdaysOfMembers, n.birthdays)
	}
	queueMarks(b, n.marks, f)
	queueNamed(b, &f.moves, scanMove, movesAfter, n.levels, (*memberTime).record)
	queueNamed(b, &f.tallies, scanTally, talliesNamed, n.tallies, tallyRangeRecord)
	return l.tx.SendBatch(ctx, b).Close()
}

func queueMarks(b *pgx.Batch, members []int64, f *found) {
	if len(members) > 0 {
		queue(b, &f.labels, scanLabel, labelsOfMembers, members)
		queue(b, &f.cards, scanCard, cardsOfMembers, members)
	}
}

var selectBirthdays = `SELECT ` + birthdayColumns + `
	FROM member_profile
	WHERE member_id` + sqldb.SQLite.In()

const (
	selectMoveAfter = `SELECT ` + moveColumns + `
	FROM level_move
	WHERE member_id = ?
		AND at > ?
	ORDER BY move_no
	LIMIT 1`

	selectTallies = `SELECT ` + tallyColumns + `
	FROM tally
	WHERE member_id = ?
		AND day BETWEEN ? AND ?
		AND name = ?`
)

func (l *sqliteLoader) fourth(ctx context.Context, n *ruleNeeds, f *found) error {
	err := l.marks(ctx, n.marks, f)
	if err == nil && len(n.birthdays) > 0 {
		err = collect(ctx, l.tx, &f.birthdays, scanBirthday, selectBirthdays, sqldb.List(sqldb.SQLite, n.birthdays))
	}
	return errors.Join(err,
		collectEach(ctx, l.tx, &f.moves, scanMove, selectMoveAfter, n.levels, (*memberTime).record),
		collectEach(ctx, l.tx, &f.tallies, scanTally, selectTallies, n.tallies, tallyRangeRecord),
	)
}
