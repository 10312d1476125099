package mailcore_test

import (
	"path/filepath"
	"testing"

	"congvan/mailcore"
	"congvan/mailcore/mailtest"
)

// A login that is remembered, which is what the herd of clients in the morning consists of.
func BenchmarkLogIn(b *testing.B) {
	for name, dsn := range map[string]func() string{
		"sqlite":   func() string { return "sqlite:" + filepath.Join(b.TempDir(), "congvan.db") },
		"postgres": func() string { return mailtest.NewPostgres(b) },
	} {
		b.Run(name, func(b *testing.B) {
			s := newStore(b, mailtest.Open(b, dsn()))
			if _, err := s.CreateAccounts(ctx, []mailcore.NewAccount{{Address: "snv@kontum.test", Kind: mailcore.Unit, Password: ownSecret}}); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := s.LogIn(ctx, from("snv@kontum.test", ownSecret, "198.51.100.7")); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
