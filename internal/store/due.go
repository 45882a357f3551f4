package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// The order of the tables after CROSS JOIN is the order in which SQLite reads
// them; left to itself it begins with all members of the merchant.
const (
	selectEndedCoupons = `
	SELECT
		c.member_id,
		c.coupon_seq
	FROM coupon c
	CROSS JOIN member m
	WHERE m.member_id = c.member_id
		AND m.merchant_id = ?
		AND c.lapsed = 0
		AND c.state IN (1, 3, 4)
		AND c.end_at <= ?
	ORDER BY c.end_at
	LIMIT ?`

	selectEndedCouponsAhead = `
	SELECT
		c.member_id,
		c.coupon_seq
	FROM member m
	CROSS JOIN coupon c
	WHERE c.member_id = m.member_id
		AND m.merchant_id = ?
		AND c.lapsed = 0
		AND c.state IN (1, 3, 4)
		AND c.end_at <= ?
	ORDER BY c.end_at
	LIMIT ?`
)

// endedCoupons names the index where SQLite, without statistics, takes the one
// by state for the better one: it holds every coupon that was ever given.
func endedCoupons(d sqldb.Dialect) string {
	if d != sqldb.SQLite {
		return selectEndedCoupons
	}
	return strings.Replace(selectEndedCoupons, "coupon c", "coupon c INDEXED BY coupon_ending", 1)
}

// EndedCoupons are up to limit coupons whose end has come at the real time now
// and is not booked yet, those of a member together. A merchant whose clock is
// ahead is asked for member by member: by their ends it would read what ends
// until then with all the others, who have more members than a sandbox.
func (s *Store) EndedCoupons(ctx context.Context, merchant string, now loyalty.Instant, limit int) ([]loyalty.LapseCoupons, error) {
	snap, err := s.Snapshot(ctx, merchant)
	if err != nil {
		return nil, err
	}
	query := endedCoupons(s.db.Dialect())
	if snap.ClockOffset > 0 {
		query = selectEndedCouponsAhead
	}
	var commands []loyalty.LapseCoupons
	place := map[int64]int{}
	err = each(ctx, s.db.Read(), func(row scanner) error {
		var member, seq int64
		if err := row.Scan(&member, &seq); err != nil {
			return err
		}
		i, known := place[member]
		if !known {
			i = len(commands)
			place[member] = i
			commands = append(commands, loyalty.LapseCoupons{Who: loyalty.Who{Merchant: merchant, ID: member}})
		}
		commands[i].Coupons = append(commands[i].Coupons, seq)
		return nil
	}, query, merchant, int64(now)+snap.ClockOffset, int64(limit))
	if err != nil {
		return nil, fmt.Errorf("ended coupons of merchant %s: %w", merchant, err)
	}
	return commands, nil
}

const selectExpiringMembers = `
	SELECT member_id
	FROM member
	WHERE merchant_id = ?
		AND next_due_at < 9223372036854775807
		AND next_due_at <= ?
		AND announced_until < ?
	ORDER BY next_due_at
	LIMIT ?`

// ExpiringMembers are up to limit members for whom something is due until the
// instant of the merchant's clock, and who have not been told up to there.
func (s *Store) ExpiringMembers(ctx context.Context, merchant string, until loyalty.Instant, limit int) ([]int64, error) {
	var ids []int64
	err := collect(ctx, s.db.Read(), &ids, scanID, selectExpiringMembers, merchant, int64(until), int64(until), int64(limit))
	if err != nil {
		return nil, fmt.Errorf("members of merchant %s with expiring points: %w", merchant, err)
	}
	return ids, nil
}

const selectParkedRefunds = `
	SELECT
		o.member_id,
		o.space,
		o.number
	FROM member_order o
	CROSS JOIN member m
	WHERE m.member_id = o.member_id
		AND o.state = 2
		AND o.booked_at <= ?
		AND m.merchant_id = ?
	ORDER BY
		o.member_id,
		o.order_seq
	LIMIT ?`

// ParkedRefunds are up to limit refunds that wait for their orders since the
// instant of the merchant's clock or longer.
func (s *Store) ParkedRefunds(ctx context.Context, merchant string, before loyalty.Instant, limit int) ([]loyalty.GiveUpRefund, error) {
	var commands []loyalty.GiveUpRefund
	err := each(ctx, s.db.Read(), func(row scanner) error {
		c := loyalty.GiveUpRefund{Who: loyalty.Who{Merchant: merchant}}
		err := row.Scan(&c.Who.ID, &c.Order.Space, &c.Order.No)
		commands = append(commands, c)
		return err
	}, selectParkedRefunds, int64(before), merchant, int64(limit))
	if err != nil {
		return nil, fmt.Errorf("parked refunds of merchant %s: %w", merchant, err)
	}
	return commands, nil
}

const purgeTokens = `
	DELETE FROM token
	WHERE token_hash IN (
		SELECT token_hash
		FROM token
		WHERE expires_at <= ?
		LIMIT ?
	)`

// PurgeTokens deletes up to limit tokens that no app can use any more. Apps
// that still call delete their own; this is for those that do not.
func (s *Store) PurgeTokens(ctx context.Context, now loyalty.Instant, limit int) (deleted int, err error) {
	n, err := s.purge(ctx, purgeTokens, int64(now), int64(limit))
	if err != nil {
		return 0, fmt.Errorf("purge tokens: %w", err)
	}
	return int(n), nil
}

func (s *Store) purge(ctx context.Context, query string, args ...any) (deleted int64, err error) {
	err = s.write(ctx, func(tx *sqldb.Tx) error {
		deleted, err = tx.Exec(ctx, query, args...)
		return err
	})
	return deleted, outage(err)
}

// purgeMembers is how many members' keys are looked through in one transaction.
const purgeMembers = 200

// The merchant is compared in a way that no index helps with: by one of those
// each part would read and sort all members of the merchant.
const (
	selectMembersFrom = `
	SELECT member_id
	FROM member
	WHERE merchant_id || '' = ?
		AND member_id >= ?
	ORDER BY member_id
	LIMIT ?`

	purgeKeys = `
	DELETE FROM idempotency_key
	WHERE member_id = ?
		AND at < ?`
)

// PurgeKeys deletes the idempotency keys of some members from before an instant
// of the merchant's clock, and says with which member to go on; 0 after the
// last.
func (s *Store) PurgeKeys(ctx context.Context, merchant string, from int64, before loyalty.Instant) (next int64, deleted int, err error) {
	var ids []int64
	err = collect(ctx, s.db.Read(), &ids, scanID, selectMembersFrom, merchant, from, int64(purgeMembers))
	if err != nil {
		return 0, 0, fmt.Errorf("purge keys of merchant %s: %w", merchant, err)
	}
	err = s.write(ctx, func(tx *sqldb.Tx) error {
		deleted = 0
		for _, id := range ids {
			n, err := tx.Exec(ctx, purgeKeys, id, int64(before))
			if err != nil {
				return err
			}
			deleted += int(n)
		}
		return nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("purge keys of merchant %s: %w", merchant, outage(err))
	}
	if len(ids) < purgeMembers {
		return 0, deleted, nil
	}
	return slices.Max(ids) + 1, deleted, nil
}
