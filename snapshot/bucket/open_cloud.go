package bucket

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"os"
	"strings"

	"cloud.google.com/go/storage"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"gocloud.dev/blob"
	"gocloud.dev/blob/azureblob"
	"gocloud.dev/blob/gcsblob"
	"gocloud.dev/blob/s3blob"
	"gocloud.dev/gcp"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/option"
)

const contentType = "application/octet-stream"

// tries is how often the libraries send a part of what a writer uploads, in all.
const tries = 6

func openS3(ctx context.Context, u *url.URL, o Options) (*provider, error) {
	q := u.Query()
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("endpoint", o.Endpoint)
	set("region", o.Region)
	if o.PathStyle {
		set("use_path_style", "true")
	}
	opener := &s3blob.URLOpener{}
	opened, err := opener.OpenBucketURL(ctx, &url.URL{Scheme: u.Scheme, Host: u.Host, RawQuery: q.Encode()})
	if err != nil {
		return nil, fmt.Errorf("%w; %s", err, hints["s3"])
	}
	var client *s3.Client
	if !opened.As(&client) {
		return nil, errors.New("the library for S3 does not give its client")
	}
	base := client.Options()
	base.Logger = logging.Nop{} // it tells of every large object that it cannot check
	if base.Region == "" {
		if q.Get("endpoint") == "" {
			return nil, errors.New("no region: add ?region=... to the location, or set AWS_REGION")
		}
		base.Region = "us-east-1" // what others than Amazon take, who have none
	}
	quiet := s3.New(base, func(s *s3.Options) { renewS3(s, true) })
	again := s3.New(base, func(s *s3.Options) { renewS3(s, false) })
	p := &provider{options: blob.WriterOptions{ContentType: contentType, BufferSize: s3Part, MaxConcurrency: s3Parts}}
	if p.once, err = s3blob.OpenBucket(ctx, quiet, u.Host, &opener.Options); err != nil {
		return nil, err
	}
	if p.writes, err = s3blob.OpenBucket(ctx, again, u.Host, &opener.Options); err != nil {
		return nil, err
	}
	p.close = []func() error{opened.Close, p.once.Close, p.writes.Close}
	p.unfinished = func(ctx context.Context) iter.Seq2[upload, error] { return unfinishedS3(ctx, quiet, u.Host) }
	p.drop = func(ctx context.Context, key, id string) error {
		_, err := quiet.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.Host, Key: &key, UploadId: &id})
		return err
	}
	return p, nil
}

// unfinishedS3 lists all of a bucket: MinIO knows no prefix but a whole key.
func unfinishedS3(ctx context.Context, client *s3.Client, bucket string) iter.Seq2[upload, error] {
	return func(yield func(upload, error) bool) {
		pages := s3.NewListMultipartUploadsPaginator(client, &s3.ListMultipartUploadsInput{Bucket: &bucket})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(upload{}, err)
				return
			}
			for _, u := range page.Uploads {
				o := Object{Key: aws.ToString(u.Key), Modified: aws.ToTime(u.Initiated)}
				if !yield(upload{o, aws.ToString(u.UploadId)}, nil) {
					return
				}
			}
		}
	}
}

func openGCS(ctx context.Context, u *url.URL, o Options) (*provider, error) {
	q := u.Query()
	opener := &gcsblob.URLOpener{Client: gcp.NewAnonymousHTTPClient(transport())}
	if o.Endpoint != "" {
		opener.Options.ClientOptions = append(opener.Options.ClientOptions, option.WithEndpoint(strings.TrimSuffix(o.Endpoint, "/")+"/storage/v1/"))
	}
	anonymous := q.Get("anonymous") == "true" || q.Get("access_id") == "-"
	if !anonymous && os.Getenv("STORAGE_EMULATOR_HOST") == "" {
		find := func() (*google.Credentials, error) { // they outlive the context
			return gcp.DefaultCredentialsWithParams(context.WithoutCancel(ctx), google.CredentialsParams{UniverseDomain: q.Get("universe_domain")})
		}
		creds, err := find()
		if err != nil {
			return nil, errors.New(hints["gs"]) // theirs is a link to a manual
		}
		source := &tokens{base: transport(), source: gcp.CredentialsTokenSource(creds), open: func() (oauth2.TokenSource, error) {
			creds, err := find()
			if err != nil {
				return nil, err
			}
			return gcp.CredentialsTokenSource(creds), nil
		}}
		opener.Client, opener.TokenSource = &gcp.HTTPClient{Client: http.Client{Transport: source}}, source
		if domain, err := creds.GetUniverseDomain(); err == nil && domain != "" {
			opener.Options.ClientOptions = append(opener.Options.ClientOptions, option.WithUniverseDomain(domain))
		}
	}
	b, err := opener.OpenBucketURL(ctx, u)
	if err != nil {
		return nil, err
	}
	var client *storage.Client
	if !b.As(&client) {
		return nil, errors.New("the library for Google Cloud Storage does not give its client")
	}
	client.SetRetry(storage.WithPolicy(storage.RetryNever))
	p := &provider{once: b, writes: b, close: []func() error{b.Close}}
	p.options = blob.WriterOptions{ContentType: contentType, BufferSize: gcsChunk, BeforeWrite: func(as func(any) bool) error {
		var handle **storage.ObjectHandle
		if as(&handle) {
			*handle = (*handle).Retryer(storage.WithPolicy(storage.RetryAlways), storage.WithMaxAttempts(tries))
		}
		return nil
	}}
	return p, nil
}

// transport is that of net/http with enough connections for reads side by side.
func transport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	t.MaxIdleConnsPerHost = 64
	return t
}

func openAzure(ctx context.Context, u *url.URL, o Options) (*provider, error) {
	q := u.Query()
	if o.Endpoint != "" {
		e, err := url.Parse(o.Endpoint)
		if err != nil || e.Host == "" || e.User != nil || strings.Trim(e.Path, "/") != "" || e.RawQuery != "" {
			return nil, errors.New("the endpoint is not like https://blob.core.windows.net")
		}
		q.Set("protocol", e.Scheme)
		q.Set("domain", e.Host)
	}
	if os.Getenv("AZURE_STORAGE_SAS_TOKEN") != "" {
		for _, name := range []string{"domain", "protocol", "cdn", "localemu", "storage_account"} {
			if q.Has(name) {
				return nil, fmt.Errorf("%s is set by the location, but the token in AZURE_STORAGE_SAS_TOKEN goes only where AZURE_STORAGE_ACCOUNT, _DOMAIN and _PROTOCOL say", name)
			}
		}
	}
	opener := &azureblob.URLOpener{MakeClient: azureClient, ServiceURLOptions: *azureblob.NewDefaultServiceURLOptions()}
	if opener.ServiceURLOptions.AccountName == "" && q.Get("storage_account") == "" {
		return nil, errors.New("no storage account: " + hints["azblob"])
	}
	b, err := opener.OpenBucketURL(ctx, &url.URL{Scheme: u.Scheme, Host: u.Host, RawQuery: q.Encode()})
	if err != nil {
		return nil, err
	}
	return &provider{
		once: b, writes: b, close: []func() error{b.Close},
		options: blob.WriterOptions{ContentType: contentType, BufferSize: azureBlock, MaxConcurrency: azureBlocks},
		quiet:   quietAzure, again: writesAzure,
	}, nil
}
