package bucket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"gocloud.dev/gcerrors"
	"google.golang.org/api/googleapi"
)

// cloudError is an error of a cloud, in one line and without secrets.
type cloudError struct {
	text   string
	kind   error // what it is to callers, such as fs.ErrNotExist; nil: nothing they know
	status int   // of HTTP; 0 without an answer
	code   string
}

func (e *cloudError) Error() string { return e.text }

// Unwrap hides what the library gave, whose messages may hold a key.
func (e *cloudError) Unwrap() error { return e.kind }

// failure says why a call on what failed; nil if it did not.
func failure(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	if e := ctx.Err(); e != nil {
		return fmt.Errorf("%s: %w", what, e)
	}
	code, message := coded(err)
	e := &cloudError{status: status(err), code: code}
	e.kind = kind(err, e.status, code)
	switch {
	case code != "" && message != "" && !strings.Contains(message, code):
		e.text = fmt.Sprintf("%s: %s", code, plain(message))
	case message != "" || code != "":
		e.text = plain(cmp.Or(message, code))
	default:
		e.text = plain(innermost(err).Error())
	}
	if e.status != 0 {
		e.text = fmt.Sprintf("%s (HTTP status %d)", e.text, e.status)
	}
	if e.kind != nil {
		e.text = fmt.Sprintf("%v: %s", e.kind, e.text)
	}
	e.text = what + ": " + e.text
	if passes(err, e.status, code) {
		return MayPass(e)
	}
	return e
}

// status is the status of the HTTP answer that an error is about; 0 without one.
func status(err error) int {
	var s3 *smithyhttp.ResponseError
	var gcs *googleapi.Error
	var azure *azcore.ResponseError
	switch {
	case errors.As(err, &s3):
		return s3.HTTPStatusCode()
	case errors.As(err, &gcs):
		return gcs.Code
	case errors.As(err, &azure):
		return azure.StatusCode
	}
	return 0
}

// coded is the code that a cloud gave an error, and what it says of it. Azure says
// what was signed, which is of no use to anybody.
func coded(err error) (code, message string) {
	var s3 smithy.APIError
	var gcs *googleapi.Error
	var azure *azcore.ResponseError
	switch {
	case errors.As(err, &s3):
		return s3.ErrorCode(), s3.ErrorMessage()
	case errors.As(err, &gcs):
		if len(gcs.Errors) > 0 {
			code = gcs.Errors[0].Reason
		}
		return code, gcs.Message
	case errors.As(err, &azure):
		return azure.ErrorCode, ""
	}
	return "", ""
}

// kind is what an error is to callers.
func kind(err error, status int, code string) error {
	switch status {
	case http.StatusNotFound:
		return fs.ErrNotExist
	case http.StatusUnauthorized, http.StatusForbidden:
		return fs.ErrPermission
	case http.StatusPreconditionFailed:
		return fs.ErrExist
	case http.StatusConflict:
		if code == "BlobAlreadyExists" {
			return fs.ErrExist
		}
	case http.StatusBadRequest:
		if strings.HasPrefix(code, "Expired") || strings.HasPrefix(code, "InvalidToken") {
			return fs.ErrPermission
		}
	case 0:
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return io.ErrUnexpectedEOF
		}
		if gcerrors.Code(err) == gcerrors.NotFound && !isNet(err) {
			return fs.ErrNotExist
		}
	}
	return nil
}

// passes tells whether the same call may succeed later.
func passes(err error, status int, code string) bool {
	switch {
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests,
		code == "RequestTimeout", code == "ConditionalRequestConflict", code == "OperationAborted",
		strings.HasPrefix(code, "Throttl"), code == "SlowDown":
		return true
	case status >= 500:
		return status != http.StatusNotImplemented && status != http.StatusHTTPVersionNotSupported
	case status >= 300:
		return false
	}
	// Without an answer, or in the middle of one, it was the network, but for a name
	// that does not exist.
	var name *net.DNSError
	if errors.As(err, &name) && name.IsNotFound {
		return false
	}
	return isNet(err) || errors.Is(err, io.ErrUnexpectedEOF)
}

// isNet tells whether an error is one of the network.
func isNet(err error) bool {
	var n net.Error
	var op *net.OpError
	return errors.As(err, &n) && n.Timeout() || errors.As(err, &op) ||
		// What net/http gives when a connection ends is bare.
		strings.HasSuffix(err.Error(), ": EOF") || strings.Contains(err.Error(), "connection reset") ||
		strings.Contains(err.Error(), "server closed idle connection") || strings.Contains(err.Error(), "http2: ")
}

// innermost is what says most: libraries say on each level what their functions are
// called, and net/http gives a URL, which may hold a key.
func innermost(err error) error {
	var u *url.Error
	for errors.As(err, &u) {
		err = u.Err
	}
	return err
}

// secret is what looks like one: the values of queries and of headers, and all that
// is behind the header that signs.
var secret = regexp.MustCompile(`(?is)\b(authorization\b).*|\b((?:sig|signature|x-amz-[a-z-]+|x-goog-[a-z-]+|sharedaccesskey|accountkey|password|secret[a-z_]*|[a-z_]*token)["']?\s*[=:]\s*)(?:"[^"]*"|[^\s&,;]+)`)

const maxText = 300 // bytes of what a cloud says

// plain makes one short line of what a cloud says.
func plain(text string) string {
	text = strings.Join(strings.Fields(secret.ReplaceAllString(text, "$1$2 ...")), " ")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "..."
	}
	return text
}
