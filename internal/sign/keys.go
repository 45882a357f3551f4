package sign

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// Key sizes in bits. Below the first a key can be broken; above the second one
// signature costs so much time that a stranger's key would be an attack.
const (
	minKeyBits = 2048
	maxKeyBits = 8192
)

// The reasons for which a key is refused.
var (
	ErrNotKey  = errors.New("not an RSA key in Base64 DER or PEM")
	ErrKeySize = errors.New("RSA key size must be 2048 to 8192 bits")
)

// GenerateKey makes an RSA-2048 key, the size of the documents' signatures.
func GenerateKey() (*rsa.PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, minKeyBits)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	return key, nil
}

// ParsePrivateKey reads a private key: Base64 of PKCS #8 DER as Java prints
// it, with or without line breaks, or PEM; PKCS #1 is taken in both. The error
// is ErrNotKey or ErrKeySize.
func ParsePrivateKey(text string) (*rsa.PrivateKey, error) {
	der, err := keyBytes(text, "PRIVATE KEY", "RSA PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil {
		other, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			return nil, ErrNotKey // x509's texts may show parts of the key
		}
		var ok bool
		if key, ok = other.(*rsa.PrivateKey); !ok {
			return nil, ErrNotKey
		}
	}
	if err := checkSize(&key.PublicKey); err != nil {
		return nil, err
	}
	return key, nil
}

// ParsePublicKey reads a public key: Base64 of X.509 SubjectPublicKeyInfo DER,
// with or without line breaks, or PEM; PKCS #1 is taken in both. The error is
// ErrNotKey or ErrKeySize.
func ParsePublicKey(text string) (*rsa.PublicKey, error) {
	der, err := keyBytes(text, "PUBLIC KEY", "RSA PUBLIC KEY")
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS1PublicKey(der)
	if err != nil {
		other, err := x509.ParsePKIXPublicKey(der)
		if err != nil {
			return nil, ErrNotKey
		}
		var ok bool
		if key, ok = other.(*rsa.PublicKey); !ok {
			return nil, ErrNotKey
		}
	}
	if err := checkSize(key); err != nil {
		return nil, err
	}
	return key, nil
}

// EncodePrivateKey returns PKCS #8 DER as Base64 on one line.
func EncodePrivateKey(key *rsa.PrivateKey) (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("encode private key: %w", err)
	}
	return base64.StdEncoding.EncodeToString(der), nil
}

// EncodePublicKey returns SubjectPublicKeyInfo DER as Base64 on one line.
func EncodePublicKey(key *rsa.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", fmt.Errorf("encode public key: %w", err)
	}
	return base64.StdEncoding.EncodeToString(der), nil
}

// keyBytes returns the DER of a PEM block with one of the labels, or of plain
// Base64.
func keyBytes(text string, labels ...string) ([]byte, error) {
	if !strings.Contains(text, "-----BEGIN ") {
		der, err := base64.StdEncoding.DecodeString(withoutBlanks(text))
		if err != nil || len(der) == 0 {
			return nil, ErrNotKey
		}
		return der, nil
	}
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, ErrNotKey
		}
		for _, label := range labels {
			if block.Type == label {
				return block.Bytes, nil
			}
		}
	}
}

func checkSize(key *rsa.PublicKey) error {
	if bits := key.N.BitLen(); bits < minKeyBits || bits > maxKeyBits {
		return ErrKeySize
	}
	return nil
}
