package bucket

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob/azureblob"
	"golang.org/x/oauth2"
)

// The credentials of machines, pods and people who log in end after a while. The libraries
// have new ones before, by their own clocks; but a cloud may refuse one all the same, which
// ends the work of libraries that would have got another. What is here gets it, and has the
// request made again: by the library where it alone has the bytes, and never more than once
// for the same credentials.

// renewS3 makes a client get new credentials when those it has are refused. One that is quiet
// asks again for nothing else, and no more than once.
func renewS3(o *s3.Options, quiet bool) {
	cache, ok := o.Credentials.(*aws.CredentialsCache)
	if !ok { // without credentials, or with some that nobody caches
		cache = aws.NewCredentialsCache(o.Credentials)
	}
	renew := retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
		if !expiredS3(err) {
			return aws.UnknownTernary
		}
		cache.Invalidate() // those of the environment stay what they are
		return aws.TrueTernary
	})
	o.RetryMaxAttempts = 0 // it would go before
	o.Retryer = retry.NewStandard(func(s *retry.StandardOptions) {
		s.MaxAttempts = tries
		s.Retryables = append(s.Retryables, renew)
		if quiet {
			s.MaxAttempts = 2
			s.Retryables = []retry.IsErrorRetryable{renew}
			s.RateLimiter = ratelimit.None
			s.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		}
	})
}

// expiredS3 tells whether S3 wants other credentials. It says why only where an answer has a
// body, which those to HEAD have not.
func expiredS3(err error) bool {
	code, _ := coded(err)
	return strings.HasPrefix(code, "Expired") || code == "TokenRefreshRequired" ||
		status(err) == http.StatusBadRequest && code == "BadRequest"
}

// tokens is a transport that adds the tokens of an account of Google to requests. When one is
// refused and there is another, it says that the request may be made again (HTTP status 503).
type tokens struct {
	base http.RoundTripper
	open func() (oauth2.TokenSource, error) // one that has not cached any

	mu     sync.Mutex
	source oauth2.TokenSource
}

func (t *tokens) Token() (*oauth2.Token, error) {
	t.mu.Lock()
	source := t.source
	t.mu.Unlock()
	return source.Token()
}

func (t *tokens) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := (&oauth2.Transport{Base: t.base, Source: t}).RoundTrip(r)
	if err != nil || answer.StatusCode != http.StatusUnauthorized || !t.renew(answer.Request.Header.Get("Authorization")) {
		return answer, err
	}
	_ = answer.Body.Close() // it has the status in it, which would count
	const text = "the token has ended, and there is another"
	return &http.Response{
		Status: "503 Service Unavailable", StatusCode: http.StatusServiceUnavailable,
		Proto: answer.Proto, ProtoMajor: answer.ProtoMajor, ProtoMinor: answer.ProtoMinor,
		Header: http.Header{"Content-Type": {"text/plain"}}, Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)),
		Request: answer.Request,
	}, nil
}

// renew tells whether there is a token other than the one that was refused.
func (t *tokens) renew(refused string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	other := func(source oauth2.TokenSource) bool {
		token, err := source.Token()
		return err == nil && token.Type()+" "+token.AccessToken != refused
	}
	if other(t.source) { // another request was told before
		return true
	}
	source, err := t.open()
	if err != nil || !other(source) {
		return false
	}
	t.source = source
	return true
}

// azureClient makes a client with the credentials of the environment. Tokens are added here: where
// the library does it, it writes unguarded, whenever one is refused, what other requests read.
func azureClient(service azureblob.ServiceURL, name azureblob.ContainerName) (*container.Client, error) {
	for _, given := range []string{"AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGEBLOB_CONNECTIONSTRING"} {
		if os.Getenv(given) != "" {
			return azureblob.NewDefaultClient(service, name)
		}
	}
	identity, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return nil, err
	}
	location, err := url.JoinPath(string(service), string(name))
	if err != nil {
		return nil, err
	}
	tokens := runtime.NewBearerTokenPolicy(identity, []string{"https://storage.azure.com/.default"}, nil)
	return container.NewClientWithNoCredential(location, &container.ClientOptions{ClientOptions: policy.ClientOptions{PerRetryPolicies: []policy.Policy{tokens}}})
}

// quietAzure makes a context under which the library for Azure asks once, and again with
// another token when it is told that the one it has is none. It takes no delay for a minute's.
func quietAzure(ctx context.Context) context.Context {
	return policy.WithRetryOptions(ctx, policy.RetryOptions{MaxRetries: 1, RetryDelay: time.Nanosecond, ShouldRetry: expiredAzure})
}

// writesAzure makes a context under which the library for Azure tries again what may pass, too.
func writesAzure(ctx context.Context) context.Context {
	return policy.WithRetryOptions(ctx, policy.RetryOptions{ShouldRetry: func(answer *http.Response, err error) bool {
		return err != nil || expiredAzure(answer, err) || answer.StatusCode >= 300 && passes(nil, answer.StatusCode, "")
	}})
}

// expiredAzure tells whether Azure wants another token, which the library drops by itself.
func expiredAzure(answer *http.Response, err error) bool {
	return err == nil && answer.StatusCode == http.StatusUnauthorized && answer.Request != nil &&
		strings.HasPrefix(answer.Request.Header.Get("Authorization"), "Bearer ")
}
