package tls

import "shark/dissector"

// follower passes over records that cannot be read. It implements dissector.Opener. Up to TLS
// 1.2 their heads say which are alerts: those of a session that works are the word that a side
// sends no more.
type follower struct{}

// Open implements dissector.Opener.
func (follower) Open(_ dissector.Side, buf []byte, missing int64, _ []byte) (dissector.Opened, error) {
	if missing > 0 {
		return dissector.Opened{}, dissector.BytesLost
	}
	span, err := sealed(buf)
	if err != nil {
		return dissector.Opened{Need: span}, err
	}
	return dissector.Opened{Span: span, End: buf[0] == recAlert}, nil
}

// Settled implements dissector.Opener.
func (follower) Settled() bool { return true }

// Agreed implements dissector.Opener.
func (follower) Agreed() string { return "" }

// Library implements dissector.Opener.
func (follower) Library() string { return "" }

// sealed returns the length of the record at the front of buf, or with ErrShort that of buf from
// which on more is known.
func sealed(buf []byte) (span int, err error) {
	if len(buf) < headerLen {
		return headerLen, dissector.ErrShort
	}
	span = headerLen + int(buf[3])<<8 + int(buf[4])
	switch {
	case buf[0] < recChange || buf[0] > recHeartbeat || buf[1] != 3 || span > headerLen+maxSealed:
		return 0, dissector.WrongSecrets
	case len(buf) < span:
		return span, dissector.ErrShort
	}
	return span, nil
}
