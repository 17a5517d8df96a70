package identity

// Version is the version of the latest change of who is who, as sinks are told it.
func (s *Service) Version() (uint64, error) {
	v, err := s.View()
	if err != nil {
		return 0, err
	}
	sequence, _, err := counter(v.snapshot, "sequence")
	var version uint64
	if err == nil {
		version, err = lastVersion(v.snapshot, sequence)
	}
	if closed := v.Close(); err == nil {
		err = closed
	}
	return version, err
}
