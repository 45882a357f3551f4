// Package sign holds the signatures of both protocols: the gateway's MD5 over
// query, body and secret, and the envelope's SHA256withRSA over its frame. The
// servers and our own client use the same code.
//
// Both schemes are fixed by the documents, weaknesses included: the gateway
// joins names and values without separators and hashes with MD5, the envelope
// joins with & without escaping, and neither covers host or path. Transport
// encryption, the timestamp window and strict reading of what was signed stand
// beside them, in the doors. This package knows no apps and no clocks, keeps no
// secrets, and puts neither secrets nor signed text into errors.
package sign
