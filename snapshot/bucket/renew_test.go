package bucket_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"shark/snapshot/bucket"
)

// gate stands before an emulator, gives out tokens, and lets pass who has one that is good. The
// tokens end after so many requests; later if somebody was refused who may still come back, for
// nobody is to be refused twice for what others did.
type gate struct {
	lives int // requests; 0: tokens do not end but by the clock

	mu      sync.Mutex
	issued  map[string]bool // by token: it is good
	used    int             // requests with good tokens since some ended
	refused int
	away    map[string]bool // requests that were refused and did not come back
}

func (g *gate) issue(token string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if token == "" {
		token = fmt.Sprint("token-", len(g.issued))
	}
	if g.issued == nil {
		g.issued, g.away = make(map[string]bool), make(map[string]bool)
	}
	g.issued[token] = true
	return token
}

func (g *gate) passes(r *http.Request, token string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	name := r.Method + r.URL.String() + r.Header.Get("Content-Range")
	if !g.issued[token] {
		g.refused++
		g.away[name] = true
		return false
	}
	delete(g.away, name)
	if g.used++; g.lives > 0 && (g.used >= g.lives && len(g.away) == 0 || g.used >= 5*g.lives) {
		g.used = 0
		clear(g.away) // some do something else instead
		for token := range g.issued {
			g.issued[token] = false
		}
	}
	return true
}

// proxy passes requests with good tokens to an emulator, as change makes them; others it refuses.
func (g *gate) proxy(target, token string, change func(*http.Request), refuse http.HandlerFunc) http.Handler {
	to := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", target
			r.Out.Host = r.In.Host
			change(r.Out)
		},
		ModifyResponse: func(answer *http.Response) error { // where the rest of an upload goes is here, too
			if at := answer.Header.Get("Location"); at != "" {
				answer.Header.Set("Location", strings.Replace(at, "http://"+target, "http://"+answer.Request.Header.Get("X-Gate"), 1))
			}
			return nil
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.passes(r, strings.TrimPrefix(r.Header.Get(token), "Bearer ")) {
			_, _ = io.Copy(io.Discard, r.Body) // who still sends would not hear it
			refuse(w, r)
			return
		}
		r.Header.Set("X-Gate", r.Host)
		to.ServeHTTP(w, r)
	})
}

// ends is when the clients take a token for old.
func (g *gate) ends() time.Time {
	if g.lives == 0 {
		return time.Now().Add(-time.Second)
	}
	return time.Now().Add(time.Hour)
}

// serve answers with JSON who asks for a token.
func serve(t *testing.T, answer func() (any, error)) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		x, err := answer()
		if err != nil {
			t.Error(err)
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(x)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// gateS3 stands before MinIO, which itself gives out keys that end.
func gateS3(t *testing.T, g *gate, location *url.URL) string {
	q := location.Query()
	endpoint, err := url.Parse(q.Get("endpoint"))
	if err != nil || endpoint.Scheme != "http" {
		t.Skip("it is no emulator")
	}
	keys := aws.Credentials{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY")}
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", serve(t, func() (any, error) {
		k, err := assume(t.Context(), endpoint.String(), keys)
		if err != nil {
			return nil, err
		}
		g.issue(k.SessionToken)
		return map[string]any{"AccessKeyId": k.AccessKeyID, "SecretAccessKey": k.SecretAccessKey, "Token": k.SessionToken, "Expiration": g.ends().UTC()}, nil
	}))
	server := httptest.NewServer(g.proxy(endpoint.Host, "X-Amz-Security-Token", func(*http.Request) {}, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		if r.Method != http.MethodHead {
			_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>`)
		}
	}))
	t.Cleanup(server.Close)
	q.Set("endpoint", server.URL)
	location.RawQuery = q.Encode()
	return location.String()
}

// assume asks STS for keys that end.
func assume(ctx context.Context, endpoint string, keys aws.Credentials) (aws.Credentials, error) {
	body := "Action=AssumeRole&Version=2011-06-15&DurationSeconds=3600"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+"/", strings.NewReader(body))
	if err != nil {
		return keys, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := v4.NewSigner().SignHTTP(ctx, keys, r, fmt.Sprintf("%x", sha256.Sum256([]byte(body))), "sts", "us-east-1", time.Now()); err != nil {
		return keys, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return keys, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return keys, err
	}
	var x struct {
		Keys struct{ AccessKeyId, SecretAccessKey, SessionToken string } `xml:"AssumeRoleResult>Credentials"`
	}
	if err := xml.Unmarshal(text, &x); err != nil || x.Keys.SessionToken == "" {
		return keys, fmt.Errorf("STS answers %s: %s, %w", answer.Status, text, err)
	}
	return aws.Credentials{AccessKeyID: x.Keys.AccessKeyId, SecretAccessKey: x.Keys.SecretAccessKey, SessionToken: x.Keys.SessionToken}, nil
}

// gateGCS stands before an emulator that asks nobody for a token; the account has a key of ours.
func gateGCS(t *testing.T, g *gate, location *url.URL) string {
	target := os.Getenv("STORAGE_EMULATOR_HOST")
	if target == "" {
		t.Skip("it is no emulator")
	}
	t.Setenv("STORAGE_EMULATOR_HOST", "")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "depot", "client_email": "crates@depot.example", "private_key_id": "1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
		"token_uri": serve(t, func() (any, error) {
			return map[string]any{"access_token": g.issue(""), "token_type": "Bearer", "expires_in": int(max(1, time.Until(g.ends()).Seconds()))}, nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "account.json")
	if err := os.WriteFile(path, account, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", path)
	server := httptest.NewServer(g.proxy(target, "Authorization", func(r *http.Request) { r.Host = target }, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="https://accounts.google.com/", error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":{"code":401,"message":"Invalid Credentials","errors":[{"message":"Invalid Credentials","domain":"global","reason":"authError","locationType":"header","location":"Authorization"}]}}`)
	}))
	t.Cleanup(server.Close)
	t.Setenv(gateEndpoint, server.URL)
	return location.String()
}

// gateEndpoint is set to the endpoint that does not fit into the location.
const gateEndpoint = "SHARK_TEST_GATE"

// gateAzure stands before an emulator that knows an account's key only; tokens are those of a
// machine in Azure, and go only where there is TLS.
func gateAzure(t *testing.T, g *gate, location *url.URL) string {
	q := location.Query()
	account, key := os.Getenv("AZURE_STORAGE_ACCOUNT"), os.Getenv("AZURE_STORAGE_KEY")
	if q.Get("protocol") != "http" || key == "" {
		t.Skip("it is no emulator")
	}
	t.Setenv("AZURE_STORAGE_KEY", "")
	t.Setenv("IDENTITY_HEADER", "x")
	t.Setenv("IDENTITY_ENDPOINT", serve(t, func() (any, error) {
		ends := g.ends()
		if g.lives > 0 { // the library would give the same one for as long as it is good for five minutes
			ends = time.Now().Add(4 * time.Minute)
		}
		return map[string]string{"access_token": g.issue(""), "token_type": "Bearer", "resource": "https://storage.azure.com/", "expires_on": fmt.Sprint(ends.Unix())}, nil
	}))
	signed, domain := sharedAccess(t, account, key), q.Get("domain")
	server := httptest.NewTLSServer(g.proxy(domain, "Authorization", func(r *http.Request) {
		r.Header.Del("Authorization")
		r.Host = domain
		r.URL.RawQuery += "&" + signed
	}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", "Bearer authorization_uri=https://login.microsoftonline.com/common/oauth2/authorize resource_id=https://storage.azure.com")
		w.Header().Set("X-Ms-Error-Code", "InvalidAuthenticationInfo")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `<?xml version="1.0" encoding="utf-8"?><Error><Code>InvalidAuthenticationInfo</Code><Message>Server failed to authenticate the request.</Message><AuthenticationErrorDetail>Lifetime validation failed. The token is expired.</AuthenticationErrorDetail></Error>`)
	}))
	t.Cleanup(server.Close)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", roots)
	q.Set("protocol", "https")
	q.Set("domain", strings.TrimPrefix(server.URL, "https://"))
	location.RawQuery = q.Encode()
	return location.String()
}

// sharedAccess is the query that lets requests do all in an account for an hour.
func sharedAccess(t *testing.T, account, key string) string {
	t.Helper()
	secret, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	end, version := time.Now().Add(time.Hour).UTC().Format("2006-01-02T15:04:05Z"), "2018-11-09"
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s\nrwdlac\nb\nsco\n\n%s\n\nhttps,http\n%s\n", account, end, version)
	return url.Values{
		"sp": {"rwdlac"}, "ss": {"b"}, "srt": {"sco"}, "se": {end}, "spr": {"https,http"}, "sv": {version},
		"sig": {base64.StdEncoding.EncodeToString(mac.Sum(nil))},
	}.Encode()
}

// gateWorker is set, to the location, in the child of TestCredentialsAreRenewed: what roots a
// program trusts it reads but once.
const gateWorker = "SHARK_TEST_GATED"

// TestCredentialsAreRenewed: keys and tokens that end, by the clock or because the store says so,
// are made new, whatever is being done, and nothing fails.
func TestCredentialsAreRenewed(t *testing.T) {
	if location := os.Getenv(gateWorker); location != "" {
		gatedWork(t, location)
		return
	}
	for _, cloud := range []struct {
		name, variable string
		open           func(*testing.T, *gate, *url.URL) string
	}{{"S3", "SHARK_S3_URL", gateS3}, {"GCS", "SHARK_GCS_URL", gateGCS}, {"Azure", "SHARK_AZURE_URL", gateAzure}} {
		for name, lives := range map[string]int{"by the clock": 0, "refused": 10} {
			t.Run(cloud.name+" "+name, func(t *testing.T) {
				location, err := url.Parse(os.Getenv(cloud.variable))
				if err != nil || location.Host == "" {
					t.Skipf("set %s to a bucket of an emulator", cloud.variable)
				}
				g := &gate{lives: lives}
				t.Setenv(gateWorker, cloud.open(t, g, location))
				out, err := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCredentialsAreRenewed$", "-test.count=1").CombinedOutput()
				if err != nil {
					t.Errorf("%v\n%s", err, out)
				}
				if len(g.issued) < 4 || (g.refused >= 3) != (lives > 0) {
					t.Errorf("%d tokens were issued and %d requests refused", len(g.issued), g.refused)
				}
				t.Logf("%d tokens, %d refused requests", len(g.issued), g.refused)
			})
		}
	}
}

// gatedWork does everything with a bucket.
func gatedWork(t *testing.T, location string) {
	b, err := bucket.Open(t.Context(), location, bucket.Options{Endpoint: os.Getenv(gateEndpoint), Prefix: "gated/" + strings.ToLower(rand.Text()), Retry: soon(5)})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	large := make([]byte, 20<<20) // several parts, in all of the clouds
	_, _ = rand.Read(large)       // never fails
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			if worker == 0 {
				objectLives(t, b, "large", large)
				return
			}
			for i := range 10 {
				objectLives(t, b, fmt.Sprintf("small/%d-%d", worker, i), large[i:i+1000*worker])
			}
		})
	}
	all.Wait()
	for o, err := range b.List(t.Context(), "") {
		t.Errorf("left is %s, %v", o.Key, err)
	}
}

// objectLives takes an object through its life.
func objectLives(t *testing.T, b bucket.Bucket, key string, data []byte) {
	w, err := b.Create(t.Context(), key)
	if err != nil {
		t.Error(err)
		return
	}
	if _, err := w.Write(data); err != nil {
		t.Errorf("%s: %v", key, err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("%s: %v", key, err)
	}
	if err := b.Publish(t.Context(), key, data[:1]); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%s: published twice: %v", key, err)
	}
	if o, err := b.Stat(t.Context(), key); err != nil || o.Size != int64(len(data)) {
		t.Errorf("%s: %+v, %v", key, o, err)
	}
	if got, err := bucket.ReadAll(t.Context(), b, key, int64(len(data))); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%s: read %d bytes of %d, %v", key, len(got), len(data), err)
	}
	listed := 0
	for o, err := range b.List(t.Context(), key) {
		if err != nil {
			t.Error(err)
		} else if o.Key == key {
			listed++
		}
	}
	if listed != 1 {
		t.Errorf("%s is listed %d times", key, listed)
	}
	if err := b.Remove(t.Context(), key); err != nil {
		t.Errorf("%s: %v", key, err)
	}
}
