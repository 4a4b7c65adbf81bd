package bucket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Options say what a location does not, for those who prefer flags to URLs. What is
// set goes before what the location says.
type Options struct {
	Endpoint  string // URL of the service; S3 that is not Amazon's, or an emulator
	Region    string // of S3
	PathStyle bool   // S3: the bucket's name in the path instead of the host
	Prefix    string // what all keys begin with, before a slash; it joins the location's
	Retry     Retry
}

// kinds are the schemes of locations, with what opens them.
var kinds = map[string]func(context.Context, *url.URL, Options) (*provider, error){
	"s3":     openS3,
	"gs":     openGCS,
	"azblob": openAzure,
}

// hints say what to do when a bucket cannot be used.
var hints = map[string]string{
	"s3":     "credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, from a profile (AWS_PROFILE) or from the role of the machine",
	"gs":     "credentials come from GOOGLE_APPLICATION_CREDENTIALS, from gcloud auth application-default login or from the role of the machine",
	"azblob": "credentials come from AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, from AZURE_STORAGE_CONNECTION_STRING or from the identity of the machine",
}

// ErrLocation says that a location is none: another one has to be named.
var ErrLocation = errors.New("not a location of a bucket")

// locationError is what is wrong with a location.
type locationError struct{ error }

// Is implements errors.Is.
func (e locationError) Is(target error) bool { return target == ErrLocation }

func (e locationError) Unwrap() error { return e.error }

// badLocation makes an error of which errors.Is says ErrLocation.
func badLocation(format string, args ...any) error { return locationError{fmt.Errorf(format, args...)} }

// Open opens a bucket by its location: the path of a folder, file:///path,
//
//	s3://bucket/prefix?region=...&endpoint=...&use_path_style=true
//	gs://bucket/prefix
//	azblob://container/prefix?storage_account=...
//
// with the parameters of gocloud.dev's URLs. A folder need not exist. A cloud is not
// asked: the first call tells whether the bucket is there, and what to do if not. Credentials are the usual ones
// of each cloud; none belong in the location. Calls that fail are tried again as
// o.Retry says.
func Open(ctx context.Context, location string, o Options) (Bucket, error) {
	scheme, _, isURL := strings.Cut(location, "://")
	scheme = strings.ToLower(scheme)
	if isURL && scheme != "file" {
		return openCloud(ctx, scheme, location, o)
	}
	dir, err := folderOf(location)
	if err != nil {
		return nil, err
	}
	if o.Endpoint != "" || o.Region != "" || o.PathStyle {
		return nil, badLocation("%s is a folder: endpoint, region and path style are for buckets", dir)
	}
	f := newFolder(filepath.Join(dir, filepath.FromSlash(o.Prefix)))
	if info, err := os.Stat(f.dir); err == nil && !info.IsDir() {
		return nil, badLocation("%s is not a folder", f.dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("folder %w", inWords(f.dir, err))
	}
	return f, ctx.Err()
}

// folderOf is the path of a folder that is given as such or as a URL.
func folderOf(location string) (string, error) {
	if location == "" {
		return "", badLocation("no folder or bucket is named")
	}
	if !strings.Contains(location, "://") {
		return filepath.Clean(location), nil
	}
	u, err := url.Parse(location)
	if err != nil || u.Path == "" || u.Host != "" && u.Host != "localhost" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", badLocation("%s: a file URL here is file:///path and no more", redacted(location))
	}
	dir := u.Path
	if len(dir) > 2 && dir[0] == '/' && dir[2] == ':' && filepath.Separator == '\\' {
		dir = dir[1:] // file:///C:/...
	}
	return filepath.Clean(filepath.FromSlash(dir)), nil
}

func openCloud(ctx context.Context, scheme, location string, o Options) (Bucket, error) {
	open := kinds[scheme]
	if open == nil {
		return nil, badLocation("%s: there is no %s:// here, but a folder's path, file://, s3://, gs:// and azblob://", redacted(location), scheme)
	}
	u, err := url.Parse(location)
	switch {
	case err != nil:
		return nil, badLocation("%s is not a URL", redacted(location))
	case u.User != nil:
		return nil, badLocation("%s: credentials do not belong in the location: %s", redacted(location), hints[scheme])
	case u.Host == "" || u.Fragment != "":
		return nil, badLocation("%s: it is %s://bucket/prefix?parameters", redacted(location), scheme)
	case scheme != "s3" && (o.Region != "" || o.PathStyle):
		return nil, badLocation("%s: region and path style are for s3://", redacted(location))
	}
	q := u.Query()
	base, err := prefixOf(u.Path, q.Get("prefix"), o.Prefix)
	if err != nil {
		return nil, badLocation("%s: %w", redacted(location), err)
	}
	q.Del("prefix")
	bucket := &url.URL{Scheme: scheme, Host: u.Host, RawQuery: q.Encode()}
	c := &cloud{base: base, name: scheme + "://" + join(u.Host, base)}
	c.name = strings.TrimSuffix(c.name, "/")
	if c.provider, err = open(ctx, bucket, o); err != nil {
		if ctx.Err() == nil {
			err = errors.New(plain(strings.ReplaceAll(err.Error(), bucket.String(), scheme+"://"+u.Host)))
		}
		if ctx.Err() == nil {
			return nil, badLocation("%s: %w", c.name, err)
		}
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	reach := func(ctx context.Context) error { return o.Retry.do(ctx, func() error { return c.reach(ctx) }) }
	return unproven{WithRetry(c, o.Retry), &proof{scheme: scheme, name: c.name, host: u.Host, reach: reach}}, nil
}

// prefixOf joins the prefixes of a location.
func prefixOf(all ...string) (string, error) {
	var parts []string
	for _, p := range all {
		if p = strings.Trim(p, "/"); p != "" {
			parts = append(parts, strings.Split(p, "/")...)
		}
	}
	if slices.ContainsFunc(parts, func(p string) bool { return p == "" || p == "." || p == ".." }) {
		return "", errors.New("a prefix has no part that is empty, a dot or two dots")
	}
	return strings.Join(parts, "/"), nil
}

// redacted is a location without its user, password and query, which may hold a key.
func redacted(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		scheme, _, _ := strings.Cut(location, "://")
		return scheme + "://..."
	}
	u.RawQuery, u.ForceQuery, u.User, u.Fragment = "", false, nil, ""
	return u.String()
}
