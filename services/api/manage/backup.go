package manage

import (
	"context"
	"net/http"
	"strconv"

	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/backup"
	"github.com/dossier-cdp/dossier/services/internal/access"
)

// RingCopyLine is a registered copy of the key ring.
type RingCopyLine struct {
	Name    string `json:"name"`
	Made    string `json:"made"`
	Actor   string `json:"actor"`
	Digest  string `json:"digest"`  // hex SHA-256 of the copy
	Current bool   `json:"current"` // false: people were erased since, whose keys it still holds; replace it
}

// RingCopies hands out copies of the key ring and knows which there are.
type RingCopies interface {
	// Copy makes a copy under a name and registers it; one of the same name is replaced by it.
	Copy(ctx context.Context, name, actor string) ([]byte, error)
	// Destroyed notes that a copy is no more; false if there is none of the name.
	Destroyed(ctx context.Context, name, actor string) (bool, error)
	List() []RingCopyLine
}

// backupPaths adds what a backup asks for, where this process can answer it.
func (s *server) backupPaths(mux *http.ServeMux) {
	admin, both := []string{access.ScopeAdmin}, []string{access.ScopeAdmin, access.ScopePrivacy}
	if s.Backup != nil {
		mux.Handle("GET /v1/backup", s.needs(admin, s.planBackup))
		mux.Handle("GET /v1/backup/segments/{topic}/{generation}/{partition}/{name}", s.needs(admin, s.backupSegment))
		mux.Handle("GET /v1/backup/ranges/{topic}/{generation}/{partition}/{from}/{next}", s.needs(admin, s.backupRange))
	}
	if s.RingCopies != nil {
		mux.Handle("GET /v1/ring/copies", s.needs(admin, s.listRingCopies))
		mux.Handle("POST /v1/ring/copies/{name}", s.needs(both, s.copyRing))
		mux.Handle("DELETE /v1/ring/copies/{name}", s.needs(both, s.ringCopyDestroyed))
	}
}

func (s *server) planBackup(w http.ResponseWriter, r *http.Request, _ access.Token) error {
	plan, err := s.Backup.Plan(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, plan)
}

func (s *server) backupSegment(w http.ResponseWriter, r *http.Request, _ access.Token) error {
	part, _, err := partOf(r)
	if err != nil {
		return err
	}
	file, err := s.Backup.Segment(r.Context(), part, r.PathValue("name"))
	if err != nil {
		return err
	}
	return writeFile(w, file)
}

func (s *server) backupRange(w http.ResponseWriter, r *http.Request, _ access.Token) error {
	part, number, err := partOf(r)
	if err != nil {
		return err
	}
	from, next := number("from"), number("next")
	if from < 0 || next <= from {
		return &refusal{400, "range_invalid", "a range goes from an offset to a later one", ""}
	}
	file, err := s.Backup.Range(r.Context(), part, from, next)
	if err != nil {
		return err
	}
	return writeFile(w, file)
}

// partOf reads the partition that a path names, and gives a reader of its other numbers, −1 for what is none.
func partOf(r *http.Request) (archive.Part, func(name string) int64, error) {
	number := func(name string) int64 {
		n, err := strconv.ParseUint(r.PathValue(name), 10, 62)
		if err != nil {
			return -1
		}
		return int64(n)
	}
	generation, partition := number("generation"), number("partition")
	if generation < 0 || generation > 1<<31 || partition < 0 || partition > 1<<30 || !backup.Topic(r.PathValue("topic")) {
		return archive.Part{}, number, &refusal{404, "part_unknown", "there is no such partition", ""}
	}
	if name := r.PathValue("name"); name != "" && !backup.SegmentName(name) {
		return archive.Part{}, number, &refusal{404, "file_unknown", "this is no name of an archived file", ""}
	}
	return archive.Part{Topic: r.PathValue("topic"), Generation: uint32(generation), Partition: int32(partition)}, number, nil
}

func writeFile(w http.ResponseWriter, file []byte) error {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(file)))
	if _, err := w.Write(file); err != nil {
		return nil // the caller has gone
	}
	return nil
}

func (s *server) listRingCopies(w http.ResponseWriter, _ *http.Request, _ access.Token) error {
	return writeJSON(w, append([]RingCopyLine{}, s.RingCopies.List()...))
}

func (s *server) copyRing(w http.ResponseWriter, r *http.Request, t access.Token) error {
	content, err := s.RingCopies.Copy(r.Context(), r.PathValue("name"), t.Actor)
	if err != nil {
		return err
	}
	return writeFile(w, content)
}

func (s *server) ringCopyDestroyed(w http.ResponseWriter, r *http.Request, t access.Token) error {
	known, err := s.RingCopies.Destroyed(r.Context(), r.PathValue("name"), t.Actor)
	if err != nil {
		return err
	}
	if !known {
		return &refusal{404, "copy_unknown", "there is no registered copy of this name", "list them with 'dossier ring list'"}
	}
	return writeJSON(w, map[string]string{"destroyed": r.PathValue("name")})
}
