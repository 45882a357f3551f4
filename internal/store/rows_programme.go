package store

import "github.com/memberd/memberd/internal/loyalty"

// This file is what the programme's rules look at besides a member's own row.

const moveColumns = `
	member_id,
	move_no,
	at,
	from_level,
	to_level`

const moveInts = 5

func moveRecord(m *loyalty.LevelMove) record {
	return record{ints: []int64{m.Member, m.No, int64(m.At), m.From, m.To}}
}

func scanMove(row scanner) (m loyalty.LevelMove, err error) {
	err = row.Scan(&m.Member, &m.No, &m.At, &m.From, &m.To)
	return m, err
}

const tallyColumns = `
	member_id,
	day,
	points,
	name`

const tallyInts, tallyTexts = 3, 1

func tallyRecord(t *loyalty.Tally) record {
	return record{[]int64{t.Member, int64(t.Day), t.Points}, []string{t.Name}}
}

func scanTally(row scanner) (t loyalty.Tally, err error) {
	err = row.Scan(&t.Member, &t.Day, &t.Points, &t.Name)
	return t, err
}

func tallyRangeRecord(r *loyalty.TallyRange) record {
	return record{[]int64{r.Member, int64(r.From), int64(r.To)}, []string{r.Name}}
}

// birthday is the part of a birthday that is not sealed; the month is 0 if
// nobody knows.
type birthday struct{ member, month, day int64 }

const birthdayColumns = `
	member_id,
	birth_month,
	birth_day`

func scanBirthday(row scanner) (b birthday, err error) {
	err = row.Scan(&b.member, &b.month, &b.day)
	return b, err
}

func decisionText(d *loyalty.Decision) string {
	if d == nil {
		return ""
	}
	return d.String()
}
