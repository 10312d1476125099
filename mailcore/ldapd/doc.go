// Package ldapd shows the directory (danh bạ) to mail clients as a read-only LDAP directory, so that they complete addresses
// while people type.
//
// There is one level: under the base, which is the mail domain as dc=…, stand all units that have an address and all officers,
// as inetOrgPerson. They are searched (RFC 4511 §4.5) with any filter but extensible matches, compared, and never changed:
// everything that would write is refused by its result code.
//
// People are found with and without diacritics, and by more than what is shown: a unit also by its abbreviations, and the
// beginning of a substring filter matches at the beginning of any word of a name, because Outlook asks for nothing else. That
// is more than RFC 4517 has equality and substrings do, on purpose.
//
// Who may search: whoever has bound with an account's address and password under TLS; where Options.Anonymous is set, everybody.
// A password is never checked on a connection in clear. A login that ends elsewhere ends its connections here.
//
// What comes from outside is bounded: a message by size, depth and count of elements before it is decoded, a search by time and
// by entries, an answer by how long the client may take to read it, connections in all and for each address.
package ldapd
