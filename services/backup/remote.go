package backup

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/archive"
)

// Remote is a Source over the management paths of a running installation.
type Remote struct {
	// Get asks a path and gives the answer of a success.
	Get func(ctx context.Context, path string) (*http.Response, error)
}

// The paths are those of package manage.
const (
	planPath    = "/v1/backup"
	segmentPath = "/v1/backup/segments/%s/%d/%d/%s"
	rangePath   = "/v1/backup/ranges/%s/%d/%d/%d/%d"
)

// maxFile bounds what an answer may hold: a segment is a few megabytes, and one record at most 8.
const maxFile = 128 << 20

// Topic says whether a topic is one that a backup holds.
func Topic(name string) bool {
	return slices.ContainsFunc(schema.Topics(), func(t schema.Topic) bool { return t.Archived && t.Name == name })
}

// SegmentName says whether a name is one of an archived file: 64 hexadecimal digits and .segment.
func SegmentName(name string) bool {
	hex, is := strings.CutSuffix(name, ".segment")
	return is && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}

// Plan is Source.Plan.
func (r *Remote) Plan(ctx context.Context) (*Plan, error) {
	response, err := r.Get(ctx, planPath)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	plan := &Plan{}
	if err := json.NewDecoder(response.Body).Decode(plan); err != nil {
		return nil, fmt.Errorf("the installation's plan of the backup is not JSON: %w", err)
	}
	for i := range plan.Parts {
		// The names become paths of files.
		if p := &plan.Parts[i]; !Topic(p.Topic) || p.Partition < 0 || p.Records < 0 {
			return nil, fmt.Errorf("the installation's plan of the backup names %q, partition %d, with %d records: use the same version of dossier on both sides", p.Topic, p.Partition, p.Records)
		}
	}
	return plan, nil
}

// Segment is Source.Segment.
func (r *Remote) Segment(ctx context.Context, part archive.Part, name string) ([]byte, error) {
	return r.file(ctx, fmt.Sprintf(segmentPath, part.Topic, part.Generation, part.Partition, name))
}

// Range is Source.Range.
func (r *Remote) Range(ctx context.Context, part archive.Part, from, next int64) ([]byte, error) {
	return r.file(ctx, fmt.Sprintf(rangePath, part.Topic, part.Generation, part.Partition, from, next))
}

func (r *Remote) file(ctx context.Context, path string) ([]byte, error) {
	response, err := r.Get(ctx, path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = fmt.Errorf("more than %d bytes came", maxFile)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return content, nil
}
