package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/dossier-cdp/dossier/schema"
)

// S3Config says where an archive lies on S3-compatible storage. See Open for its form as a URL.
type S3Config struct {
	Bucket, Prefix                     string
	Endpoint                           string // URL or host:port; empty is Amazon's
	Region                             string // empty is us-east-1
	PathLookup                         bool   // HOST/BUCKET even where BUCKET.HOST is known to work
	AccessKey, SecretKey, SessionToken string
	Patience                           time.Duration // for one request without its body; 0 is 30 s
}

// S3 is a Store on S3-compatible storage. Files have the names that Folder gives them, below the prefix; but objects cannot grow,
// so a manifest is a row of objects that are never changed or removed:
//
//	TOPIC/GENERATION/PARTITION/manifest/FROM         one line, where FROM is the number of bytes before it, in 20 digits
//	TOPIC/GENERATION/PARTITION/manifest/FROM-TO      the lines of [FROM, TO) again, in one object, so that a start reads few
//
// Joined, they are the bytes of a folder's manifest. A line is put on the condition that its name is free, so of two writers at
// the same place one fails, and finds the other's line when it starts over. Since no line is ever removed, a writer that was
// paused can never take a place that was taken meanwhile.
type S3 struct {
	core     minio.Core
	bucket   string
	prefix   string // empty, or ends with a slash
	patience time.Duration

	mu     sync.Mutex
	single map[Part]*singleLines
}

// singleLines are the lines at a manifest's end that no joined object holds yet.
type singleLines struct {
	from  int64
	lines int
	bytes []byte
}

// joinLines is how many single lines are joined into one object.
const joinLines = 64

// bodyBytesPerSecond is the speed below which a body that moves is given up.
const bodyBytesPerSecond = 64 << 10

// OpenS3 prepares a store and asks the bucket once.
func OpenS3(ctx context.Context, c S3Config) (*S3, error) {
	endpoint, secure, err := s3Endpoint(c.Endpoint)
	if err != nil {
		return nil, err
	}
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	if c.Patience == 0 {
		c.Patience = 30 * time.Second
	}
	transport, err := minio.DefaultTransport(secure)
	if err != nil {
		return nil, wrong("prepare the connection to the archive: %w", err)
	}
	transport.DialContext = (&net.Dialer{Timeout: min(c.Patience, 5*time.Second), KeepAlive: 30 * time.Second}).DialContext
	lookup := minio.BucketLookupAuto
	if c.PathLookup {
		lookup = minio.BucketLookupPath
	}
	client, err := minio.New(endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(c.AccessKey, c.SecretKey, c.SessionToken), Secure: secure, Transport: transport,
		Region: c.Region, BucketLookup: lookup,
		MaxRetries: 1, // whoever reads or writes repeats by itself, from what the store then has
	})
	if err != nil {
		return nil, wrong("the archive's location is wrong: %w", err)
	}
	s := &S3{core: minio.Core{Client: client}, bucket: c.Bucket, patience: c.Patience, single: map[Part]*singleLines{}}
	if c.Prefix != "" {
		s.prefix = c.Prefix + "/"
	}
	if err := s.probe(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func s3Endpoint(endpoint string) (host string, secure bool, err error) {
	if endpoint == "" {
		return "s3.amazonaws.com", true, nil
	}
	if !strings.Contains(endpoint, "://") {
		endpoint = "https://" + endpoint
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", false, wrong("the archive's endpoint is not of the form https://HOST:PORT")
	}
	return u.Host, u.Scheme == "https", nil
}

// probe lists one name. What the answer tells of name, credentials and network is said in a line that tells what to do.
func (s *S3) probe(ctx context.Context) error {
	ctx, cancel := s.within(ctx, 0)
	defer cancel()
	object := <-s.core.Client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix, MaxKeys: 1})
	if object.Err == nil { // an empty bucket gives none
		return nil
	}
	err := s.failed("list", s.prefix, object.Err)
	response := minio.ToErrorResponse(object.Err)
	switch {
	case response.Code == "NoSuchBucket":
		return wrong("the archive's bucket %s does not exist: create it, or name another", s.bucket)
	case response.StatusCode >= 300 && response.StatusCode < 500:
		return wrong("the archive's bucket %s refuses the credentials: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the region, and that they may list, read and write it (%w)", s.bucket, err)
	case response.Code == "":
		return schema.Classify(schema.Transient, fmt.Errorf("the archive at %s does not answer: check endpoint and network: %w", s.core.EndpointURL().Host, err))
	}
	return err
}

// within bounds a request with a body of so many bytes.
func (s *S3) within(ctx context.Context, bytes int64) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.patience+time.Duration(bytes/bodyBytesPerSecond)*time.Second)
}

// failed makes an error of the store: a missing object is fs.ErrNotExist, everything else is transient, since all of it can be
// mended from outside while the log waits.
func (s *S3) failed(verb, key string, err error) error {
	where := s.url(key)
	response := minio.ToErrorResponse(err)
	if response.Code == "NoSuchKey" || response.Code == "" && response.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%s %s: %w", verb, where, fs.ErrNotExist)
	}
	if response.Code != "" {
		return schema.Classify(schema.Transient, fmt.Errorf("%s %s: %s: %w", verb, where, response.Code, err))
	}
	return schema.Classify(schema.Transient, fmt.Errorf("%s %s: %w", verb, where, err))
}

func (s *S3) url(key string) string { return "s3://" + s.bucket + "/" + key }

func (s *S3) folder(p Part) string {
	return s.prefix + path.Join(p.Topic, strconv.FormatUint(uint64(p.Generation), 10), strconv.Itoa(int(p.Partition))) + "/"
}

// Locate is the object's URL without its parameters.
func (s *S3) Locate(p Part, name string) string {
	if name == manifestName {
		name = "manifest/"
	}
	return s.url(s.folder(p) + name)
}

// Put writes the object in one request, so that a name never shows half of it.
func (s *S3) Put(ctx context.Context, p Part, name string, file []byte) error {
	return s.put(ctx, s.folder(p)+name, file, false)
}

func (s *S3) put(ctx context.Context, key string, content []byte, onlyNew bool) error {
	ctx, cancel := s.within(ctx, int64(len(content)))
	defer cancel()
	digest := sha256.Sum256(content)
	options := minio.PutObjectOptions{DisableMultipart: true, ContentType: "application/octet-stream"}
	if onlyNew {
		options.SetMatchETagExcept("*")
	}
	_, err := s.core.PutObject(ctx, s.bucket, key, bytes.NewReader(content), int64(len(content)), "", hex.EncodeToString(digest[:]), options)
	if err != nil {
		return s.failed("write", key, err)
	}
	return nil
}

// Get reads an object whole.
func (s *S3) Get(ctx context.Context, p Part, name string) ([]byte, error) {
	return s.get(ctx, s.folder(p)+name)
}

func (s *S3) get(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := s.within(ctx, 64<<20)
	defer cancel()
	body, info, _, err := s.core.GetObject(ctx, s.bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return nil, s.failed("read", key, err)
	}
	content := bytes.NewBuffer(make([]byte, 0, max(0, info.Size)+1))
	_, err = io.Copy(content, body)
	if err := errors.Join(err, body.Close()); err != nil {
		return nil, s.failed("read", key, err)
	}
	if int64(content.Len()) != info.Size {
		return nil, s.failed("read", key, io.ErrUnexpectedEOF)
	}
	return content.Bytes(), nil
}

// each calls f with every name under a folder that sorts behind after, without the folder; a name that ends with a slash is a folder.
func (s *S3) each(ctx context.Context, folder, after string, f func(name string) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	options := minio.ListObjectsOptions{Prefix: folder}
	if after != "" {
		options.StartAfter = folder + after
	}
	objects := s.core.Client.ListObjects(ctx, s.bucket, options)
	for object := range objects {
		if object.Err != nil {
			return s.failed("list", folder, object.Err)
		}
		if name := strings.TrimPrefix(object.Key, folder); name != "" {
			if err := f(name); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// piece is one object of a manifest; to is 0 for a single line.
type piece struct {
	from, to int64
	key      string
}

func linesKey(folder string, from int64) string { return fmt.Sprintf("%smanifest/%020d", folder, from) }

// Manifest joins the objects of the manifest from a byte on, which must be the beginning of a line or the end.
func (s *S3) Manifest(ctx context.Context, p Part, from int64) ([]byte, error) {
	folder := s.folder(p) + "manifest/"
	newest := int64(-1)
	pieces := map[int64]piece{} // the longest that begins at a byte
	after := ""
	if from > 0 {
		after = fmt.Sprintf("%020d~", from-1)
	}
	err := s.each(ctx, folder, after, func(name string) error {
		first, last, joined := strings.Cut(name, "-")
		at, err := strconv.ParseInt(first, 10, 64)
		to := int64(0)
		if err == nil && joined {
			to, err = strconv.ParseInt(last, 10, 64)
		}
		if err != nil {
			return damaged(s.url(folder+name), errors.New("it is no part of a manifest"))
		}
		newest = max(newest, at)
		if at >= from && (pieces[at].key == "" || to > pieces[at].to) {
			pieces[at] = piece{at, to, folder + name}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var whole []byte
	singles := &singleLines{from: from}
	for end := from; ; end = from + int64(len(whole)) {
		next, found := pieces[end]
		if !found && newest > end {
			// Lines are put in their order and never removed, and a listing shows the earlier before the later.
			return nil, damaged(s.url(linesKey(s.folder(p), end)), errors.New("it is missing, and there are later ones; restore it from a backup"))
		}
		if !found {
			break
		}
		content, err := s.get(ctx, next.key)
		if err != nil {
			return nil, err
		}
		if len(content) == 0 || next.to > 0 && next.to-next.from != int64(len(content)) {
			return nil, damaged(s.url(next.key), fmt.Errorf("it has %d bytes: it was altered", len(content)))
		}
		whole = append(whole, content...)
		singles.add(next, content)
	}
	if from == 0 {
		s.mu.Lock()
		s.single[p] = singles
		s.mu.Unlock()
	}
	return whole, nil
}

func (l *singleLines) add(next piece, content []byte) {
	if next.to > 0 {
		*l = singleLines{from: next.to}
		return
	}
	l.lines++
	l.bytes = append(l.bytes, content...)
}

// Append puts a line on the condition that nobody has taken its place.
func (s *S3) Append(ctx context.Context, p Part, at int64, line []byte) error {
	key := linesKey(s.folder(p), at)
	err := s.put(ctx, key, line, true)
	if err != nil {
		// A lost answer to a put that happened comes back as a refusal when the same line is put again.
		if there, reading := s.get(ctx, key); reading != nil || !bytes.Equal(there, line) {
			return fmt.Errorf("append to manifest: %w", err)
		}
	}
	return s.join(ctx, p, at, line)
}

// join keeps the number of objects that a start must read small.
func (s *S3) join(ctx context.Context, p Part, at int64, line []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.single[p]
	if l == nil || l.from+int64(len(l.bytes)) != at {
		return nil // this process has not read the manifest: the next writer that has will join more
	}
	l.lines++
	l.bytes = append(l.bytes, line...)
	if l.lines < joinLines {
		return nil
	}
	to := l.from + int64(len(l.bytes))
	// The line is in place, so a failure here must not look like one of the append: it is tried again with the next line.
	if err := s.put(ctx, linesKey(s.folder(p), l.from)+fmt.Sprintf("-%020d", to), l.bytes, false); err == nil {
		*l = singleLines{from: to}
	}
	return nil
}

// Parts lists three levels of folders.
func (s *S3) Parts(ctx context.Context) ([]Part, error) {
	var parts []Part
	folders := func(folder string, f func(name string) error) error {
		return s.each(ctx, folder, "", func(name string) error {
			if bare, is := strings.CutSuffix(name, "/"); is {
				return f(bare)
			}
			return nil
		})
	}
	err := folders(s.prefix, func(topic string) error {
		return folders(s.prefix+topic+"/", func(generation string) error {
			g, err := strconv.ParseUint(generation, 10, 32)
			if err != nil {
				return fmt.Errorf("list the archive: %s is not a generation of ours", s.url(s.prefix+topic+"/"+generation))
			}
			return folders(s.prefix+topic+"/"+generation+"/", func(partition string) error {
				n, err := strconv.ParseInt(partition, 10, 32)
				if err != nil {
					return fmt.Errorf("list the archive: %s is not a partition of ours", s.url(s.prefix+topic+"/"+generation+"/"+partition))
				}
				parts = append(parts, Part{topic, uint32(g), int32(n)})
				return nil
			})
		})
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(parts, func(a, b Part) int { return strings.Compare(a.String(), b.String()) })
	return parts, nil
}

// Names lists the segments of a partition.
func (s *S3) Names(ctx context.Context, p Part) ([]string, error) {
	var names []string
	err := s.each(ctx, s.folder(p), "", func(name string) error {
		if strings.HasSuffix(name, ".segment") {
			names = append(names, name)
		}
		return nil
	})
	return names, err
}
