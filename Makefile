# Everything a developer runs. `make` alone says what there is.

GO      ?= go
LISTEN  ?= 127.0.0.1:8080
DATA    ?= ./memberd-data
ROUNDS  ?= 3
SIM_SECONDS   ?= 60
CRASH_SECONDS ?= 40
FUZZ_SECONDS  ?= 60
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS  = -s -w -X main.version=$(VERSION)
LINT     = $(GO) tool -modfile=tools/go.mod staticcheck

.DEFAULT_GOAL := help
.PHONY: help run build test sim crash fuzz ci bench bench-server lint fmt fmt-check libc-check tools-postgres

help: ## say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build and serve a demo on http://$(LISTEN), data in $(DATA)
	./bin/memberd serve --demo --listen $(LISTEN) --data $(DATA)

build: ## build ./bin/memberd
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/memberd ./cmd/memberd

test: tools-postgres ## run every test, on SQLite and on a private PostgreSQL
	$(GO) test -timeout 20m ./...

sim: ## simulate the whole system on fresh seeds for SIM_SECONDS ($(SIM_SECONDS)); a seed that fails is printed
	SIM_SECONDS=$(SIM_SECONDS) $(GO) test -count=1 -v -timeout 0 ./internal/sim -run 'Simulation$$'

ci: export CI = true
ci: fmt-check lint libc-check test sim ## everything that must pass: form, lint, all tests, the short ones under the race detector, builds
	$(GO) test -timeout 20m -race -short ./...
	CGO_ENABLED=0 GOOS=linux GOARCH=amd64 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/memberd-linux-amd64 ./cmd/memberd
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/memberd-linux-arm64 ./cmd/memberd
	@echo 'ci: all passed'

# A target runs alone: go test fuzzes one of one package at a time. What it finds
# is kept in that package's testdata/fuzz, where go test runs it from then on. On
# a busy machine go test may say that its own deadline passed, and nothing else:
# a worker answered too late, which is no finding.
fuzz: ## run every fuzz target for $(FUZZ_SECONDS) seconds each, one after the other
	@list=$$($(GO) test -list '^Fuzz' ./...) || { echo "$$list"; exit 1; }; \
	echo "$$list" | awk '/^Fuzz/ { names[n++] = $$1 } /^ok/ { for (i = 0; i < n; i++) print $$2, names[i]; n = 0 }' | \
	while read -r package target; do \
		echo "$$target in $$package"; \
		out=$$($(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ_SECONDS)s -fuzzminimizetime 1s "$$package" </dev/null 2>&1) && \
			{ echo "$$out" | tail -n 3 | head -n 1; continue; }; \
		echo "$$out"; \
		echo "$$out" | grep -q '^    context deadline exceeded$$' && \
			! echo "$$out" | grep -q -e 'Failing input' -e '_test\.go:' -e 'panic' || exit 1; \
	done
	@echo 'fuzz: nothing found'

bench: tools-postgres ## run the benchmarks, with durable commits on both engines
	MEMBERD_PGTEST_DURABLE=1 $(GO) test -run '^$$' -bench . -benchmem ./...

bench-server: tools-postgres build ## load a server on SQLite and on PostgreSQL, $(ROUNDS) rounds, and print medians as a table
	$(GO) run ./internal/sim/serverbench -program bin/memberd -rounds $(ROUNDS)

crash: tools-postgres ## kill servers, databases, disks and networks under load, each test for $(CRASH_SECONDS) seconds, and print figures
	MEMBERD_SIM_SECONDS=$(CRASH_SECONDS) $(GO) test -count 1 -timeout 20m -v -run '^(TestKill|TestDatabaseOutage|TestFault.*|TestLinear.*)$$' ./internal/sim

lint: ## go vet and staticcheck
	$(GO) vet ./...
	$(LINT) ./...

fmt: ## format the code
	gofmt -w .

fmt-check: ## list files that gofmt would change, and fail if there are any
	@files=$$(gofmt -l .); \
	if [ -n "$$files" ]; then echo "gofmt would change:"; echo "$$files"; exit 1; fi

libc-check: ## modernc.org/libc must be exactly what modernc.org/sqlite was made with
	@want=$$(awk '$$1=="modernc.org/libc"{print $$2}' "$$($(GO) list -m -f '{{.Dir}}' modernc.org/sqlite)/go.mod"); \
	have=$$($(GO) list -m -f '{{.Version}}' modernc.org/libc); \
	if [ "$$want" != "$$have" ]; then echo "modernc.org/libc is $$have, modernc.org/sqlite wants $$want"; exit 1; fi

# The tests start a PostgreSQL server of their own and need its programs.
tools-postgres: ## make sure that PostgreSQL's server programs are there
	@.ci/postgres
