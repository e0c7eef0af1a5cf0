# The one way in. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BINARY := target/debug/marketing-messages-exporter
# Where pictures are drawn. Those of the documentation are replaced by IMAGES=docs/images.
IMAGES ?= target/images

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

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
test: lint deny rules alert-quality-check conformance e2e messages browser hostile unit ## everything that CI asks for; installs what it needs

.PHONY: unit
unit: ## unit, wire, settings, whole-program, drift and tidy tests
	cargo test --locked --all-targets

.PHONY: lint
lint: lint-scripts ## formatting, clippy and the documentation, warnings denied; scripts, Markdown and spelling
	cargo fmt --check
	cargo fmt --check --manifest-path benches/peers/Cargo.toml
	cargo fmt --check --manifest-path tools/alert-quality/Cargo.toml
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items --quiet

.PHONY: lint-scripts
lint-scripts: ## the same without Rust: Python, shell, Markdown, spelling; installs the tools where they are missing
	scripts/lint.sh

.PHONY: fix
fix: ## repair what the formatters can: Rust, Python, Markdown
	cargo fmt
	cargo fmt --manifest-path benches/peers/Cargo.toml
	cargo fmt --manifest-path tools/alert-quality/Cargo.toml
	scripts/lint.sh --fix

.PHONY: deny
deny: ## licences, bans and sources of what is linked; installs the checker where it is missing
	scripts/deny.sh

.PHONY: rules
rules: ## the alerts and their tests, with promtool; installs it where it is missing
	scripts/install-peers.sh
	scripts/rules.sh
	scripts/dashboards.py --check
	scripts/mixin.sh

.PHONY: alert-quality
alert-quality: ## replay the alerts over months of campaigns, the former ones beside; fails beyond budgets (half an hour)
	scripts/alert-quality.sh $(ARGUMENTS)

.PHONY: alert-quality-check
alert-quality-check: ## the short form, the tests of its evaluator, and promtool beside it
	scripts/install-peers.sh
	cargo clippy --locked --manifest-path tools/alert-quality/Cargo.toml --all-targets --target-dir target/alert-quality -- -D warnings
	cargo test --locked --manifest-path tools/alert-quality/Cargo.toml --target-dir target/alert-quality
	scripts/alert-quality.sh --check

.PHONY: e2e
e2e: build ## the demo under a real Prometheus and Alertmanager; installs them where they are missing
	scripts/install-peers.sh
	scripts/e2e.py --binary $(BINARY)
	scripts/e2e_tls.py --binary $(BINARY)
	scripts/verify-units.sh $(BINARY)

.PHONY: conformance
conformance: build ## hold the simulated APIs to the official SDKs of Meta and Alibaba Cloud; installs these into target
	scripts/conformance.sh $(BINARY)

.PHONY: messages
messages: ## count the messages that an outage brings behind the shipped Alertmanager configuration
	scripts/install-peers.sh
	scripts/messages.py

.PHONY: rules-load
rules-load: release ## what the rules cost a Prometheus at 10,000 campaigns; BEFORE=COMMIT measures those of a commit too
	scripts/install-peers.sh
	scripts/rules_load.py --binary target/release/marketing-messages-exporter $(if $(BEFORE),--before $(BEFORE))

.PHONY: hostile
hostile: build ## clients that mean no good, while one scrapes: failed scrapes, memory, places, the time to stop
	scripts/hostile.py --binary $(BINARY)

.PHONY: memory
memory: ## bodies that grow when they are read, from both APIs: peak memory for each; some ten minutes
	cargo test --locked --test it memory -- --include-ignored --nocapture --test-threads 1

.PHONY: stack
stack: build ## simulated APIs, exporter, Prometheus with the alerts, Alertmanager: a trial; Ctrl-C ends it
	scripts/install-peers.sh
	scripts/stack.py --binary $(BINARY)

.PHONY: docs
docs: build ## regenerate the generated documents and dashboards
	$(BINARY) metrics > docs/metrics.md
	$(BINARY) check --print-schema > config/schema.json
	scripts/dashboards.py

.PHONY: dashboards-preview
dashboards-preview: ## check the dashboards against Grafana's types and draw them into IMAGES=target/images; needs npm
	scripts/install-peers.sh
	scripts/install-browser.sh
	scripts/preview.py --out $(IMAGES)

.PHONY: browser
browser: build ## the status page in a real browser; installs Chromium and its driver where they are missing
	scripts/install-browser.sh
	scripts/browser.py --binary $(BINARY)

.PHONY: screenshot
screenshot: build ## draw the status page in light, dark and phone width into IMAGES=target/images
	scripts/install-browser.sh
	scripts/browser.py --binary $(BINARY) --images $(IMAGES)

.PHONY: bench
bench: release ## side by side with a floor and home-made exporters (docs/performance.md); BENCH="--campaigns 1000 --windows 3"
	cargo bench --locked --quiet
	python3 scripts/bench $(BENCH)

.PHONY: bench-check
bench-check: release ## fails when a scrape costs more than its share of CPU; two minutes
	python3 scripts/bench --check

.PHONY: soak
soak: release ## MINUTES=10 of random faults, reloads and token rotations under two scrapers; tells what leaked
	scripts/soak.py --binary target/release/marketing-messages-exporter --minutes $(or $(MINUTES),10)

.PHONY: simulate-days
simulate-days: ## play SEEDS=100 days FROM=1 of reloads, restarts, rotations and faults in virtual time; what must hold is checked
	cargo test --locked --release --test simulation -- --nocapture

.PHONY: sabotage
sabotage: ## break the code in one line at a time, and tell whether the simulated days notice (an hour)
	scripts/sabotage.py

.PHONY: day
day: ## play a day of polling against a model of the API's limits
	cargo run --locked --release --quiet --example day -- $(FLEET)
