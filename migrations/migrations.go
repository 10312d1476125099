// Package migrations holds the numbered SQL files that make the schema, embedded; nothing else. One text serves both
// databases: sqldb replaces {{id}} and {{bytes}}. Files are never edited once released; a change is a new file.
package migrations

import "embed"

// Files are the migrations, NNNN_what.sql.
//
//go:embed *.sql
var Files embed.FS
