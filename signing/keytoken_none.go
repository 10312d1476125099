//go:build !pkcs11

package signing

// HasTokens says whether this program was built with PKCS#11.
const HasTokens = false

// OpenToken needs the flavour with PKCS#11.
func OpenToken(*TokenURI, TokenOptions) (*Identity, error) { return nil, ErrFlavour }
