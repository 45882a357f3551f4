package seal

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// This file is the only one that touches a keyset in the clear. The keyset has
// no key above it on purpose: it lives in a 0600 file or in the environment of
// a platform that its owner runs alone, and whoever wants a key service puts
// MEMBERD_KEY there.

func readKeyset(text json.RawMessage) (*keyset.Handle, error) {
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(text)))
	if err != nil {
		return nil, fmt.Errorf("%w: keyset is not a Tink keyset", ErrKeyFormat)
	}
	return handle, nil
}

// writeKeyset compacts, because the encoder below varies its spaces from build
// to build.
func writeKeyset(handle *keyset.Handle) (json.RawMessage, error) {
	var text, compact bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text)); err != nil {
		return nil, fmt.Errorf("%w: keyset can't be written", ErrKeyFormat)
	}
	if err := json.Compact(&compact, text.Bytes()); err != nil {
		return nil, fmt.Errorf("%w: keyset can't be written", ErrKeyFormat)
	}
	return compact.Bytes(), nil
}
