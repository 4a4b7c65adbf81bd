package http

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"strings"
)

// Part is one part of a multipart body (RFC 2046, section 5.1; RFC 7578).
type Part struct {
	Name        string `json:"name,omitempty"`     // form field
	Filename    string `json:"filename,omitempty"` // as the client named it: not to be used as a path
	ContentType string `json:"content_type,omitempty"`
	Size        int64  `json:"size"` // bytes of its content
}

// Parts lists the parts of a multipart body, whose Content-Type is needed for
// the boundary. With an error it returns the parts before it; a body that was
// cut short gives io.ErrUnexpectedEOF.
func Parts(contentType string, body []byte) ([]Part, error) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, fmt.Errorf("content-type: %w", err)
	}
	if !strings.HasPrefix(kind, "multipart/") || params["boundary"] == "" {
		return nil, errors.New("content-type names no multipart boundary")
	}
	r := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	var parts []Part
	for len(parts) < maxParts {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return parts, nil
		}
		if err != nil {
			return parts, fmt.Errorf("part %d: %w", len(parts)+1, err)
		}
		_, disposition, _ := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
		part := Part{
			Name:        clip(disposition["name"]),
			Filename:    clip(disposition["filename"]),
			ContentType: clip(p.Header.Get("Content-Type")),
		}
		part.Size, err = io.Copy(io.Discard, p)
		parts = append(parts, part)
		if err != nil {
			return parts, fmt.Errorf("part %d: %w", len(parts), err)
		}
	}
	return parts, fmt.Errorf("more than %d parts", maxParts)
}

func clip(s string) string { return s[:min(len(s), maxPartHead)] }
