package loyalty

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"
)

// MemberCodes makes and reads member codes: "06" and 18 digits that hide the
// member number (10 digits) and the moment (8 digits, in slots of 5 seconds)
// behind a keyed permutation of all 18-digit numbers. Nothing is stored, so
// mini-programs may ask for a new code every minute for millions of members.
//
// The permutation is a Feistel network over two halves of 9 digits whose round
// function is AES. A guess hits a live code with a chance of about one in
// 10^10 for a million members.
type MemberCodes struct{ block cipher.Block }

const (
	codePrefix  = "06"
	codeSlot    = 5 * time.Second
	codeSlots   = 100_000_000 // 8 digits, again from 0 after 15.8 years
	codeHalf    = 1_000_000_000
	codeRounds  = 10
	codeDigits  = 20
	codeFarPast = codeSlots / 2
)

// NewMemberCodes takes a key of 16, 24 or 32 bytes. All processes of an
// installation use the same.
func NewMemberCodes(key []byte) (*MemberCodes, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("member code key: %w", err)
	}
	return &MemberCodes{block}, nil
}

// Make is the code of a member at now, in real time.
func (c *MemberCodes) Make(member int64, now Instant) string {
	plain := uint64(member)*codeSlots + uint64(slotOf(now))
	left, right := plain/codeHalf, plain%codeHalf
	for round := range codeRounds {
		left, right = right, (left+c.round(round, right))%codeHalf
	}
	return fmt.Sprintf("%s%018d", codePrefix, left*codeHalf+right)
}

// Read is the member whose code this is, if it was made within life before now.
func (c *MemberCodes) Read(code string, now Instant, life time.Duration) (member int64, ok bool) {
	if len(code) != codeDigits || code[:2] != codePrefix {
		return 0, false
	}
	for _, d := range []byte(code) {
		if d < '0' || d > '9' {
			return 0, false
		}
	}
	hidden, err := strconv.ParseUint(code[2:], 10, 64)
	if err != nil {
		return 0, false
	}
	left, right := hidden/codeHalf, hidden%codeHalf
	for round := codeRounds - 1; round >= 0; round-- {
		left, right = (right+codeHalf-c.round(round, left))%codeHalf, left
	}
	plain := left*codeHalf + right
	age := (slotOf(now) - int64(plain%codeSlots) + codeSlots) % codeSlots
	if age >= codeFarPast { // made by a process whose clock is a little ahead
		age -= codeSlots
	}
	inLife := age >= -1 && age <= int64(life/codeSlot)
	return int64(plain / codeSlots), inLife && plain/codeSlots > 0
}

func slotOf(now Instant) int64 { return int64(now) / codeSlot.Milliseconds() % codeSlots }

func (c *MemberCodes) round(round int, half uint64) uint64 {
	var in, out [aes.BlockSize]byte
	in[0] = byte(round)
	binary.BigEndian.PutUint64(in[8:], half)
	c.block.Encrypt(out[:], in[:])
	return binary.BigEndian.Uint64(out[:8]) % codeHalf
}
