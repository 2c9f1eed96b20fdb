# The two commands that a newcomer needs: make demo, make test.

GO        ?= go
FUZZTIME  ?= 1m
HAVOC     ?= 10000
BASE      ?= HEAD
SAME      ?=
BENCHSIZE ?= 2GiB
BENCHKEYS ?= 220000
BENCHSIZES ?= 512MiB 1GiB 2GiB 4GiB 8GiB
# gRPC's trace pages bring Go's templates, and with them every method of every type:
# a start takes 10 ms less without, and the program is a quarter smaller.
TAGS      := -tags grpcnotrace
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

.PHONY: build demo test check platforms strace fuzz race bench score same clean

build: ## bin/etcdsift
	CGO_ENABLED=0 $(GO) build -trimpath $(TAGS) -o bin/ ./cmd/etcdsift

# A scan of evidence captured from a real cluster, after a migration to encryption. It
# finds plaintext, so its exit status is 1.
demo: build
	@$(GO) run ./fixtures/captured/unpack -o build/demo 01-aescbc/snapshot.db 02-rewritten/snapshot.db 05-defragged 06-rotated/snapshot.db encryption
	bin/etcdsift scan build/demo/05-defragged/data-dir || test $$? -eq 1

# All that CI checks. The tests run every fuzz target over its seeds.
test: check platforms strace
	$(GO) test -timeout 20m ./...

check:
	@files="$$("$$($(GO) env GOROOT)/bin/gofmt" -l analyzer cmd decode fixtures reports)" || exit 1; \
	if [ -n "$$files" ]; then echo "not formatted with gofmt:"; echo "$$files"; exit 1; fi
	$(GO) vet ./...
	GOOS=windows $(GO) vet ./cmd/etcdsift
	$(GO) tool staticcheck ./...

platforms:
	@set -e; for p in $(PLATFORMS); do \
		echo "build for $$p"; \
		CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) build -buildvcs=false $(TAGS) -o build/$${p%/*}-$${p#*/}/ ./cmd/etcdsift; \
	done

# The test that no evidence is touched needs strace; where it can not be installed the test
# is skipped, but fails under CI=true.
strace:
	@if ! command -v strace >/dev/null && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		{ apt-get install -y -qq strace || { apt-get update -qq && apt-get install -y -qq strace; }; } >/dev/null || echo "strace could not be installed"; \
	fi

# Ten thousand random damages of dbs with one plaintext Secret, other ones each time; then
# each fuzz target in turn, for FUZZTIME.
fuzz:
	$(GO) test -count 1 -run '^TestHavoc$$' -v ./analyzer -havoc $(HAVOC)
	@set -e; for dir in $$($(GO) list -f '{{.Dir}}' ./decode/... ./analyzer/... ./reports/... ./cmd/...); do \
		for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9]+' $$dir/*_test.go 2>/dev/null | cut -c6-); do \
			echo "$$dir $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x $$dir; \
		done; \
	done

RACE ?= ./...

race: ## needs a C compiler; RACE names the packages, all of them take 20 minutes
	CGO_ENABLED=1 $(GO) test -race -timeout 40m $(RACE)

# How much is found of what is in evidence with a known answer, and of what is whole in
# damaged copies; into the README.
score:
	$(GO) test -count 1 -run '^Test(Score|Salvage)$$' -v ./cmd/etcdsift -score

# What the working tree answers otherwise than the revision BASE, over all evidence that
# this project has: nothing, if a change is to change nothing. SAME has more flags and
# evidence: see fixtures/same.
same:
	$(GO) run ./fixtures/same -base $(BASE) $(SAME)

# etcdsift, with and without the keys to prove all values, beside a plain SHA-256 pass,
# etcd's own snapshot status and bbolt's check, in one run; then files of several sizes
# with the same keys, and the start of the program. BENCHALL=-all encrypts every object,
# BENCHSIZES= leaves the sizes out: they take 16 GiB of disk.
bench: build
	@set -e; comma=; list=; for size in $(BENCHSIZE) $(BENCHSIZES); do \
		db=build/bench-$$size$(BENCHALL).db; \
		$(GO) run ./fixtures/bench/generate $(BENCHALL) -size $$size -keys $(BENCHKEYS) -o $$db; \
	done; \
	for size in $(BENCHSIZES); do list="$$list$$comma"build/bench-$$size$(BENCHALL).db; comma=,; done; \
	$(GO) run ./fixtures/bench -db build/bench-$(BENCHSIZE)$(BENCHALL).db -bin bin/etcdsift; \
	if [ -n "$$list" ]; then $(GO) run ./fixtures/bench -sizes "$$list" -runs 3 -bin bin/etcdsift; fi
	$(GO) run ./fixtures/bench/startup -bin bin/etcdsift

clean:
	rm -rf bin build
