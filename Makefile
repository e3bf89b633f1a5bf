.DEFAULT_GOAL := help

GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
NESTED := $(sort $(wildcard internal/embedded/binaries/*/go.mod))

.PHONY: help
help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## Run the main job: the whole backbone on an embedded Kubernetes
	go run ./examples/backbone

.PHONY: build
build: ## Build the embedded target's programs into the cache
	@go run ./internal/embedded/cmd/build

.PHONY: test
test: ## Run all tests, against real components built on first use
	go test -p 1 -timeout 60m ./...

.PHONY: check
check: ## Check formatting, vet, and that go.mod files are tidy
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'run gofmt -w on these'; exit 1; }
	go vet ./...
	go mod tidy -diff
	@for mod in $(NESTED); do \
		echo "check $$mod"; \
		(cd $$(dirname $$mod) && go mod tidy -diff && packages=$$(go list ./... 2>/dev/null) && { [ -z "$$packages" ] || go vet $$packages; }) || exit 1; \
	done

.PHONY: lint
lint: ## Run golangci-lint
	go run $(GOLANGCI_LINT) run ./...
	cd internal/embedded/binaries/node && go run $(GOLANGCI_LINT) run ./...

.PHONY: generate
generate: ## Rewrite golden files and docs/checks.md from what the code builds now
	go test ./gitops ./policy ./eventing ./secrets -update
	go test ./internal/house -run TestChecks -update

.PHONY: bench
bench: ## Run the benchmarks
	go test -run '^$$' -bench . ./...
