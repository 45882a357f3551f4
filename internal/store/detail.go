package store

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/memberd/memberd/internal/loyalty"
)

// papersColumn names the sealed column in the scope of its text: papers that
// were copied to another order's row do not open.
const papersColumn = "order papers"

const detailColumns = `
	member_id,
	order_seq,
	detail,
	sealed`

const detailInts, detailTexts = 2, 2

// orderDetail is what a caller told about an order, as it is stored.
type orderDetail struct {
	member, seq    int64
	detail, sealed string // "" for nothing
}

func detailRecord(d *orderDetail) record {
	return record{[]int64{d.member, d.seq}, []string{d.detail, d.sealed}}
}

func (d *orderDetail) fields() []any { return []any{&d.member, &d.seq, &d.detail, &d.sealed} }

func papersScope(merchant string, member, seq int64) []string {
	return []string{merchant, strconv.FormatInt(member, 10), papersColumn, strconv.FormatInt(seq, 10)}
}

// sealDetails makes rows of what callers told. An order of which nothing is
// told has no row.
func (s *Store) sealDetails(infos []loyalty.OrderInfoRow) ([]orderDetail, error) {
	var rows []orderDetail
	for _, info := range infos {
		d, err := s.sealDetail(info)
		if err != nil {
			return nil, fmt.Errorf("order %d of member %d: %w", info.Seq, info.Member, err)
		}
		if d.detail+d.sealed != "" {
			rows = append(rows, d)
		}
	}
	return rows, nil
}

func (s *Store) sealDetail(info loyalty.OrderInfoRow) (orderDetail, error) {
	d := orderDetail{member: info.Member, seq: info.Seq}
	papers := info.Papers
	info.Papers = loyalty.OrderPapers{}
	if info.OrderInfo != (loyalty.OrderInfo{}) {
		plain, err := json.Marshal(info.OrderInfo)
		if err != nil {
			return d, err
		}
		d.detail = string(plain)
	}
	if papers == (loyalty.OrderPapers{}) {
		return d, nil
	}
	plain, err := json.Marshal(papers)
	if err != nil {
		return d, err
	}
	d.sealed, err = s.keys.Seal(plain, papersScope(info.Merchant, info.Member, info.Seq)...)
	return d, err
}

// openDetail reads a row of an order of a merchant's member. Errors never quote
// it.
func (s *Store) openDetail(merchant string, d orderDetail) (info loyalty.OrderInfo, err error) {
	if d.detail != "" && json.Unmarshal([]byte(d.detail), &info) != nil {
		return loyalty.OrderInfo{}, fmt.Errorf("order %d of member %d: detail not in a form this build reads", d.seq, d.member)
	}
	if d.sealed == "" {
		return info, nil
	}
	plain, err := s.keys.Open(d.sealed, papersScope(merchant, d.member, d.seq)...)
	if err != nil {
		return loyalty.OrderInfo{}, fmt.Errorf("order %d of member %d: %w", d.seq, d.member, err)
	}
	if json.Unmarshal(plain, &info.Papers) != nil {
		return loyalty.OrderInfo{}, fmt.Errorf("order %d of member %d: papers not in a form this build reads", d.seq, d.member)
	}
	return info, nil
}
