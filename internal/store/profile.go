package store

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/memberd/memberd/internal/loyalty"
)

// profileColumn names the sealed column in the scope of its text: a profile
// that was copied to another member's row does not open.
const profileColumn = "profile"

const profileColumns = `
	member_id,
	birth_month,
	birth_day,
	nickname,
	store,
	sealed`

const profileInts, profileTexts = 3, 3

// sealedProfile is a profile as it is stored.
type sealedProfile struct {
	member          int64
	birthMonth      int64
	birthDay        int64
	nickname, store string
	sealed          string
}

func profileRecord(p *sealedProfile) record {
	return record{
		[]int64{p.member, p.birthMonth, p.birthDay},
		[]string{p.nickname, p.store, p.sealed},
	}
}

func (p *sealedProfile) fields() []any {
	return []any{&p.member, &p.birthMonth, &p.birthDay, &p.nickname, &p.store, &p.sealed}
}

func profileScope(merchant string, member int64) []string {
	return []string{merchant, strconv.FormatInt(member, 10), profileColumn}
}

// sealProfiles makes rows of profiles.
func (s *Store) sealProfiles(profiles []loyalty.ProfileRow) ([]sealedProfile, error) {
	rows := make([]sealedProfile, len(profiles))
	for i, p := range profiles {
		plain, err := json.Marshal(p.Profile)
		if err != nil {
			return nil, fmt.Errorf("profile of member %d: %w", p.Member, err)
		}
		text, err := s.keys.Seal(plain, profileScope(p.Merchant, p.Member)...)
		if err != nil {
			return nil, fmt.Errorf("profile of member %d: %w", p.Member, err)
		}
		rows[i] = sealedProfile{
			member: p.Member, birthMonth: int64(p.BirthMonth), birthDay: int64(p.BirthDay),
			nickname: p.Nickname, store: p.Store, sealed: text,
		}
	}
	return rows, nil
}

// openProfile reads a row of a merchant's member. Errors never quote it.
func (s *Store) openProfile(merchant string, row sealedProfile) (loyalty.Profile, error) {
	var p loyalty.Profile
	plain, err := s.keys.Open(row.sealed, profileScope(merchant, row.member)...)
	if err != nil {
		return p, fmt.Errorf("profile of member %d: %w", row.member, err)
	}
	if json.Unmarshal(plain, &p) != nil {
		return loyalty.Profile{}, fmt.Errorf("profile of member %d: not in a form this build reads", row.member)
	}
	p.Nickname, p.Store = row.nickname, row.store
	p.BirthMonth, p.BirthDay = int(row.birthMonth), int(row.birthDay)
	return p, nil
}
