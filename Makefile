# What each target needs beside Go: demo - nothing (tesseract where it may be installed); test - PostgreSQL, poppler, qpdf,
# tesseract and LibreOffice for the parts that use them, which are skipped out loud when missing and fail when CI is set;
# e2e - isync, mutt, msmtp, s-nail, fetchmail, getmail6, curl, swaks, postfix, python3.
SHELL := /bin/bash
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unversioned)

export CGO_ENABLED := 0

.PHONY: build demo test race check e2e bench fuzz tools

build: ## bin/congvan
	go build -trimpath -o bin/congvan ./cmd/congvan

demo: build ocr ## a province in ./congvan-demo, real documents issued; keeps serving. ARGS=--once stops at the end
	./bin/congvan demo $(ARGS)

.PHONY: ocr
ocr: # tesseract reads scans; without it scanned documents are left to the clerk
	@command -v tesseract >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	  { apt-get update -qq && apt-get install -y -qq --no-install-recommends tesseract-ocr tesseract-ocr-vie; } >/dev/null 2>&1; } || \
	  echo "Không có tesseract: bản quét sẽ để lại cho văn thư (apt-get install tesseract-ocr tesseract-ocr-vie)."

test: ## every package, on SQLite and on a throwaway PostgreSQL
	go test -timeout 60m ./...

.PHONY: pkcs11 windows
windows: ## bin/congvan.exe, for congvan token at a clerk's computer (keys in PKCS#12 files; tokens need cgo, see README)
	GOOS=windows GOARCH=amd64 go build -trimpath -o bin/congvan.exe ./cmd/congvan

pkcs11: ## the flavour for tokens and HSMs (needs gcc): bin/congvan-pkcs11, and its tests with SoftHSM2
	CGO_ENABLED=1 go build -trimpath -tags pkcs11 -o bin/congvan-pkcs11 ./cmd/congvan
	CGO_ENABLED=1 go vet -tags pkcs11 ./signing ./cmd/congvan
	CGO_ENABLED=1 go test -count=1 -timeout 10m -tags pkcs11 ./signing ./cmd/congvan -run 'Token|PIN'

race: ## the same under the race detector
	CGO_ENABLED=1 go test -race -short -timeout 120m ./mailcore/... ./exchange/... ./cmd/...

check: ## format, vet, staticcheck
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run gofmt -w on these"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...

e2e: build ## real mail clients from Debian against the running gateway
	go test -count=1 -timeout 15m -tags e2e ./cmd/congvan -run TestE2E -v

bench: ## the figures of the issue: fan-out, small transactions, reading, sealing
	go test -run '^$$' -bench . -benchtime 3x -timeout 30m ./mailcore/... ./exchange/... ./recipients/... ./signing/...

.PHONY: scans
scans: ## the samples and other documents of three producers, scanned in ten ways: a table of all scores, some 40 minutes
	go test -count=1 -timeout 180m ./exchange/intake -run TestScanMatrix -args -scans all

.PHONY: seals
seals: ## some 180 PDFs of a dozen producers, sealed twice and judged by four programs: a table of those that are refused, some 2 minutes
	set -o pipefail; go test -count=1 -timeout 30m ./signing -run TestCorpusIsSealed -v -args -corpus all | grep -v -e '^=== ' -e '--- PASS'

.PHONY: tamper
tamper: ## every byte of sealed files takes other values, bytes put in, taken out and cut off; the published attacks with their answers
	set -o pipefail; go test -count=1 -timeout 60m ./signing -run 'TestNoTamperedByte|TestPublishedAttacks' -v -args -corpus all | grep -v -e '^=== ' -e '--- PASS'

N ?= 100000
SEED ?= 20261125
.PHONY: simulate
simulate: ## N dispatches through failing networks, disks and processes and restored backups; SEED repeats a run. 100,000 take some 30 minutes
	go test -count=1 -timeout 180m ./exchange -run 'TestSimulation$$' -v -args -simulate $(N) -seed $(SEED)

.PHONY: moves
moves: ## every cell of the table of mail moves on both databases, and long random walks of mail clients, some 10 minutes
	CONGVAN_MOVES=all CONGVAN_WALK=300 go test -count=1 -timeout 60m ./exchange -run 'TestEveryCell|TestManyClients|TestTracesOfMail|TestMovesByMbsync' -v
.PHONY: kills
kills: ## a real process killed (SIGKILL) at every statement, commit and phase of SMTP of every act, on both databases, some 10 minutes; a table of the steps
	go test -count=1 -timeout 180m ./exchange -run 'TestKilledAtEveryPoint$$' -v -args -allkills

FUZZTIME ?= 10s
fuzz: ## every fuzz target for FUZZTIME each
	@set -e; for pkg in $$(go list ./...); do \
	  for f in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5x $$pkg; \
	  done; done

tools: ## Debian's packages that the tests and the end-to-end runs use
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql poppler-utils mupdf-tools qpdf openssl libnss3-tools tesseract-ocr tesseract-ocr-vie \
	  isync mutt msmtp s-nail fetchmail getmail6 curl postfix python3 clamav-daemon rspamd swaks libnet-ssleay-perl libsasl2-modules libreoffice-writer-nogui fonts-liberation2 chromium procps ca-certificates \
	  softhsm2 opensc gcc libc6-dev ghostscript librsvg2-bin img2pdf libplist-utils ldap-utils
