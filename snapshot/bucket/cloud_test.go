package bucket_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"shark/snapshot/bucket"
)

// clouds are the three with an endpoint of ours, and with keys that no message may
// show.
var clouds = []struct{ name, location string }{
	{"s3", "s3://crates/some/prefix?region=eu-north-1&use_path_style=true"},
	{"gs", "gs://crates/some/prefix?anonymous=true"},
	{"azblob", "azblob://crates/some/prefix?storage_account=depot&localemu=true"},
}

const key = "c2VjcmV0IGtleSBvZiB0aGUgdGVzdA=="

func setKeys(t *testing.T) {
	for _, name := range []string{"STORAGE_EMULATOR_HOST", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_CONNECTION_STRING", "AWS_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDOFTHETEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", key)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AZURE_STORAGE_ACCOUNT", "depot")
	t.Setenv("AZURE_STORAGE_KEY", key)
}

// noSecret fails if a text has one.
func noSecret(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{key, "AKIDOFTHETEST", "Signature", "hunter2"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q has %q", text, secret)
		}
	}
	if strings.Contains(text, "\n") || len(text) > 900 {
		t.Errorf("%q is no short line", text)
	}
}

// A cloud is asked as often as Retry says: what its library tries again by itself is
// not on top.
func TestTriesAreNotMultiplied(t *testing.T) {
	setKeys(t)
	for _, cloud := range clouds {
		t.Run(cloud.name, func(t *testing.T) {
			var asked atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				http.Error(w, "come again", http.StatusServiceUnavailable)
			}))
			defer server.Close()
			err := firstCalls["read"](t, cloud.location, bucket.Options{Endpoint: server.URL, Retry: soon(3)})
			if err == nil || !bucket.Temporary(err) || !strings.Contains(err.Error(), "://crates/some/prefix") || !strings.Contains(err.Error(), "503") {
				t.Errorf("got %v", err)
			} else {
				noSecret(t, err.Error())
			}
			if n := asked.Load(); n != 3 {
				t.Errorf("asked %d times, not 3", n)
			}
		})
	}
}

// firstCalls are calls of which each may be the first that a bucket gets.
var firstCalls = map[string]func(t *testing.T, location string, o bucket.Options) error{
	"read": func(t *testing.T, location string, o bucket.Options) error {
		_, err := bucket.ReadAll(t.Context(), opened(t, location, o), "some/object", 100)
		return err
	},
	"stat": func(t *testing.T, location string, o bucket.Options) error {
		_, err := opened(t, location, o).Stat(t.Context(), "some/object")
		return err
	},
	"list": func(t *testing.T, location string, o bucket.Options) error {
		for _, err := range opened(t, location, o).Sub("part").List(t.Context(), "x") {
			return err
		}
		return nil
	},
	"folders": func(t *testing.T, location string, o bucket.Options) error {
		for _, err := range opened(t, location, o).Folders(t.Context()) {
			return err
		}
		return nil
	},
	"create": func(t *testing.T, location string, o bucket.Options) error {
		_, err := opened(t, location, o).Create(t.Context(), "some/object")
		return err
	},
	"publish": func(t *testing.T, location string, o bucket.Options) error {
		return opened(t, location, o).Publish(t.Context(), "some/object", []byte("x"))
	},
	"remove": func(t *testing.T, location string, o bucket.Options) error {
		return opened(t, location, o).Remove(t.Context(), "some/object")
	},
}

func opened(t *testing.T, location string, o bucket.Options) bucket.Bucket {
	t.Helper()
	b, err := bucket.Open(t.Context(), location, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// Whatever is the first call of a bucket that cannot be used: it is refused at once, with
// what to do, and nothing was asked before.
func TestRefusals(t *testing.T) {
	setKeys(t)
	for _, cloud := range clouds {
		for status, want := range map[int]error{403: fs.ErrPermission, 401: fs.ErrPermission, 404: fs.ErrNotExist} {
			for name, call := range firstCalls {
				t.Run(fmt.Sprint(cloud.name, status, name), func(t *testing.T) {
					var asked atomic.Int32
					server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						asked.Add(1)
						w.WriteHeader(status)
						// Some say what they were sent.
						fmt.Fprintf(w, "<Error><Code>Refused</Code><Message>Authorization: %s</Message></Error>", r.Header.Get("Authorization"))
					}))
					defer server.Close()
					err := call(t, cloud.location, bucket.Options{Endpoint: server.URL, Retry: soon(3)})
					if !errors.Is(err, want) {
						t.Fatalf("got %v", err)
					}
					noSecret(t, err.Error())
					hint := "credentials come from"
					most := int32(1)
					if status == 404 {
						hint = "make the bucket crates"
						most = 2 // an object that is not there may be the bucket
					}
					if !strings.Contains(err.Error(), hint) {
						t.Errorf("%v does not say %q", err, hint)
					}
					if n := asked.Load(); n > most {
						t.Errorf("asked %d times: %v", n, err)
					}
				})
			}
		}
	}
}

// Once a bucket is known to be there, what is missing of it is said alone, and nobody asks
// for the bucket again.
func TestMissingInABucket(t *testing.T) {
	setKeys(t)
	for _, cloud := range clouds {
		t.Run(cloud.name, func(t *testing.T) {
			var listed atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.Contains(r.URL.Path, "object") {
					listed.Add(1)
					fmt.Fprint(w, listing[cloud.name])
					return
				}
				w.WriteHeader(http.StatusNotFound)
			}))
			defer server.Close()
			b := opened(t, cloud.location, bucket.Options{Endpoint: server.URL, Retry: soon(3)})
			for range 3 {
				_, err := bucket.ReadAll(t.Context(), b.Sub("part"), "some/object", 100)
				if !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "make the bucket") {
					t.Errorf("got %v", err)
				}
			}
			if n := listed.Load(); n != 1 {
				t.Errorf("asked for the bucket %d times", n)
			}
		})
	}
}

// A connection that ends before the object goes on where it was.
func TestReadsGoOn(t *testing.T) {
	setKeys(t)
	data := strings.Repeat("0123456789abcdef", 10_000)
	for _, cloud := range clouds {
		t.Run(cloud.name, func(t *testing.T) {
			var ranges []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.Contains(r.URL.Path, "object") {
					fmt.Fprint(w, listing[cloud.name])
					return
				}
				asked := r.Header.Get("Range") + r.Header.Get("X-Ms-Range")
				ranges = append(ranges, asked)
				from := 0
				_, _ = fmt.Sscanf(asked, "bytes=%d-", &from)
				w.Header().Set("Last-Modified", "Sun, 01 Mar 2026 12:00:00 GMT")
				w.Header().Set("Etag", `"x"`)
				w.Header().Set("Content-Length", fmt.Sprint(len(data)-from))
				if from > 0 {
					w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
					w.WriteHeader(http.StatusPartialContent)
				}
				part := data[from:]
				if len(part) > 70_000 {
					part = part[:70_000] // then the server hangs up
				}
				_, _ = io.WriteString(w, part)
			}))
			defer server.Close()
			b, err := bucket.Open(t.Context(), cloud.location, bucket.Options{Endpoint: server.URL, Retry: soon(3)})
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			got, err := bucket.ReadAll(t.Context(), b, "object", 1<<20)
			if err != nil || string(got) != data {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if len(ranges) != 3 {
				t.Errorf("asked for %q", ranges)
			}
		})
	}
}

// listing is an empty list.
var listing = map[string]string{
	"s3":     `<ListBucketResult><Name>crates</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>`,
	"gs":     `{"kind":"storage#objects"}`,
	"azblob": `<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="crates"><Blobs></Blobs><NextMarker/></EnumerationResults>`,
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	setKeys(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		location string
		o        bucket.Options
		want     string
	}{
		{"", bucket.Options{}, "no folder or bucket"},
		{file, bucket.Options{}, "not a folder"},
		{"file://elsewhere/path", bucket.Options{}, "file:///path and no more"},
		{"file:///path?x=hunter2", bucket.Options{}, "file:///path and no more"},
		{"folder", bucket.Options{Region: "x"}, "for buckets"},
		{"ftp://user:hunter2@host/path?password=hunter2", bucket.Options{}, "no ftp://"},
		{"s3://user:hunter2@crates", bucket.Options{}, "credentials do not belong in the location"},
		{"s3://crates\x7f?x=hunter2", bucket.Options{}, "not a URL"},
		{"s3://", bucket.Options{}, "s3://bucket/prefix"},
		{"s3://crates/../x", bucket.Options{}, "prefix"},
		{"s3://crates", bucket.Options{}, "no region"},
		{"s3://crates?region=x&secret_access_key=hunter2", bucket.Options{}, `unknown query parameter "secret_access_key"`},
		{"s3://crates?region=x&use_path_style=maybe", bucket.Options{}, "use_path_style"},
		{"gs://crates?anonymous=true&token=hunter2", bucket.Options{}, `"token"`},
		{"gs://crates", bucket.Options{Region: "x"}, "for s3://"},
		{"azblob://crates?sig=hunter2", bucket.Options{}, `"sig"`},
		{"azblob://crates", bucket.Options{Endpoint: "depot"}, "endpoint"},
	} {
		b, err := bucket.Open(t.Context(), test.location, test.o)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %v, %v, want %q", test.location, b, err, test.want)
			continue
		}
		noSecret(t, err.Error())
	}
	t.Setenv("AZURE_STORAGE_ACCOUNT", "")
	if _, err := bucket.Open(t.Context(), "azblob://crates", bucket.Options{}); err == nil || !strings.Contains(err.Error(), "AZURE_STORAGE_ACCOUNT") {
		t.Error(err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	if err := firstCalls["read"](t, "s3://crates?region=x", bucket.Options{Endpoint: "http://127.0.0.1:1", Retry: soon(1)}); err == nil || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
		t.Error(err)
	}
}

// Keys of the environment that have ended stay so: the bucket is refused, and was asked no more
// than once more for them.
func TestExpiredKeys(t *testing.T) {
	setKeys(t)
	t.Setenv("AWS_SESSION_TOKEN", "hunter2")
	for name, call := range firstCalls {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, `<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message><Token-0>hunter2</Token-0></Error>`)
			}))
			defer server.Close()
			err := call(t, clouds[0].location, bucket.Options{Endpoint: server.URL, Retry: soon(3)})
			if err == nil || bucket.Temporary(err) || !strings.Contains(err.Error(), "credentials come from") {
				t.Fatal(err)
			}
			if name != "stat" && !errors.Is(err, fs.ErrPermission) { // what has no body does not say
				t.Error(err)
			}
			noSecret(t, err.Error())
			if n := asked.Load(); n != 2 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}
