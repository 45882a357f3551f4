package seal

import (
	"bytes"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
)

const (
	checkVersion  = "1"
	checkConstant = "memberd key check"
	checkColumn   = "key_check"
)

// Fingerprint is what the database's key_check row holds. It proves the key
// without telling it: a value derived from the root, which never changes, and a
// constant sealed with the AEAD keyset, which opens as long as the keyset still
// has the key that sealed it, so it survives rotation. Each call seals anew;
// compare with Check, not with ==.
func (k *Keys) Fingerprint() string {
	root := k.rootMark()
	sealed, err := k.Seal([]byte(checkConstant), checkColumn, root)
	if err != nil {
		panic("seal: fingerprint: " + err.Error()) // AES-GCM of 17 bytes with a good key
	}
	return strings.Join([]string{checkVersion, root, sealed}, ".")
}

// Check tells whether fingerprint came from this key: nil, or ErrKeyMismatch
// with the half that differs.
func (k *Keys) Check(fingerprint string) error {
	parts := strings.Split(fingerprint, ".")
	if len(parts) != 3 || parts[0] != checkVersion {
		return fmt.Errorf("%w: key_check has a form this build does not know", ErrKeyMismatch)
	}
	if subtle.ConstantTimeCompare([]byte(parts[1]), []byte(k.rootMark())) != 1 {
		return fmt.Errorf("%w: another look-up root", ErrKeyMismatch)
	}
	plain, err := k.Open(parts[2], checkColumn, parts[1])
	if err != nil || !bytes.Equal(plain, []byte(checkConstant)) {
		return fmt.Errorf("%w: the keyset lacks the key that sealed key_check", ErrKeyMismatch)
	}
	return nil
}

func (k *Keys) rootMark() string {
	return base64.RawURLEncoding.EncodeToString(k.subkey("memberd/key-check", 16))
}
