# The one way in. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BINARY := target/debug/marketing-messages-exporter

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: demo
demo: build ## build, start the simulated APIs and the daemon, print the addresses
	$(BINARY) demo

.PHONY: build
build: ## build for development
	cargo build --locked

.PHONY: release
release: ## build for use
	cargo build --locked --release

.PHONY: test
test: lint deny e2e unit ## everything that CI asks for; installs what it needs

.PHONY: unit
unit: ## unit, wire, settings, whole-program, drift and tidy tests
	cargo test --locked --all-targets

.PHONY: lint
lint: ## formatting, clippy and the documentation, warnings denied
	cargo fmt --check
	cargo fmt --check --manifest-path benches/peers/Cargo.toml
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items --quiet

.PHONY: deny
deny: ## licences, bans and sources of what is linked; installs the checker where it is missing
	scripts/deny.sh

.PHONY: e2e
e2e: build ## the demo under a real Prometheus; installs it where it is missing
	scripts/install-peers.sh
	scripts/e2e.py --binary $(BINARY)
	scripts/e2e_tls.py --binary $(BINARY)
	scripts/verify-units.sh $(BINARY)

.PHONY: docs
docs: build ## write the generated documents anew
	$(BINARY) metrics > docs/metrics.md
	$(BINARY) check --print-schema > config/schema.json

.PHONY: figures
figures: release ## one account of 5,000 campaigns: requests, CPU, memory, scrape time
	scripts/figures.py --binary target/release/marketing-messages-exporter

.PHONY: bench
bench: release ## side by side with a floor and home-made exporters (docs/performance.md); BENCH="--campaigns 1000 --windows 3"
	cargo bench --locked --quiet
	python3 scripts/bench $(BENCH)

.PHONY: bench-check
bench-check: release ## fails when a scrape costs more than its share of CPU; two minutes
	python3 scripts/bench --check

.PHONY: day
day: ## play a day of polling against a model of the API's limits
	cargo run --locked --release --quiet --example day -- $(FLEET)
