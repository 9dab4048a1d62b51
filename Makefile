# Two commands for a new user: `make demo` and `make test`. Everything else serves them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PEERS := tests/peers
BINS := target/debug

.PHONY: help setup build demo test bench lint deny advisories clean-demo

help: ## What there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: ## Install what is needed and may be installed; say plainly what is missing
	@deploy/setup.sh

build: setup ## Build every program
	@cargo build --workspace --bins --examples --locked

demo: build ## Three signers, a coordinator, two chains; a paid x402 request and an MPP session
	@$(BINS)/tercet demo

test: build ## All tests, on real processes, real chains and the official peers
	@deploy/test.sh

bench: setup ## Measure, and write BENCHMARKS.md and BENCHMARKS.json
	@cargo build --release --workspace --bins --examples --locked
	@cargo build --release --workspace --locked --features tercet-tests/insecure-dealer \
		--bin tercet-load --examples
	@target/release/tercet-bench

lint: ## Format, clippy and the dependency rules
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets --locked -- -D warnings
	@cargo clippy --workspace --all-targets --locked --features tercet-tests/insecure-dealer -- -D warnings
	@$(MAKE) --no-print-directory deny

deny: ## Bans, licences and sources (needs cargo-deny)
	@command -v cargo-deny >/dev/null || cargo install cargo-deny --locked --debug --version 0.20.2
	@cargo deny --locked check bans licenses sources

advisories: ## Known vulnerabilities (fetches the RustSec database)
	@cargo deny check advisories

clean-demo: ## Forget the demo's group, wallets and chain
	@rm -rf .demo
