package mailcore

import "context"

// Check returns the invariants that do not hold, in English, one a line; none when all is well.
func (s *Store) Check(ctx context.Context) ([]string, error) { return nil, errStub }
