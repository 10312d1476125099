// Package dsn reads and writes delivery status notifications: what another server says became of a mail, and what ours
// says. It knows no database and no network; reports come from anybody, so reading is bounded and believes nothing beyond
// what stands there.
//
// Standards: RFC 3461 (typed addresses), RFC 3462, RFC 3464, RFC 6533; receipts: RFC 8098.
package dsn
