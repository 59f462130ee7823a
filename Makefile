# Set-up happens by itself: every target that needs environments brings them up to date first (scripts/setup).
# ARGS go to the command that a target runs: make test ARGS='-k framing', make demo ARGS='--rows 1000'.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
ARGS ?=

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

.PHONY: setup
setup: ## interpreters and environments: .venv (3.13t), .venv-gil (3.13), .venv-aws
	@scripts/setup

.PHONY: demo
demo: setup ## the whole engine on this machine: a local SQS and S3, sample files, a worker, the result
	@.venv/bin/engine demo $(ARGS)

.PHONY: test
test: setup ## the suite, free-threaded and with the GIL, both at the same time
	@scripts/test-both $(ARGS)

.PHONY: fuzz
fuzz: setup ## the property tests of the core, two hundred times as long
	@ENGINE_TEST_EXAMPLES=10 .venv/bin/python -m pytest tests/core --timeout=0 $(ARGS)

.PHONY: test-all
test-all: ## the suite on every build that can be had, 3.14 and 3.14t included
	@scripts/test-all $(ARGS)

.PHONY: check
check: setup ## format, lint, types, shell scripts
	.venv-gil/bin/ruff format --check
	.venv-gil/bin/ruff check
	.venv-gil/bin/mypy
	.venv-gil/bin/shellcheck --external-sources --source-path=SCRIPTDIR .ci/run $$(grep -lE '^#(!.*sh| shellcheck shell)' scripts/*)

.PHONY: soak
soak: setup ## storms of messages, kills, freezes and faults for 15 minutes; ARGS='--minutes 3'
	@.venv/bin/python -m tests.soak $(ARGS)

.PHONY: bench
bench: setup ## the benchmarks against others, through a queue, at start-up; ARGS=scaling and more: bench/README.md
	@scripts/setup node || true # the contender on Node.js is left out where it cannot be had
	@.venv/bin/python -m bench $(ARGS)

.PHONY: image
image: ## the container image
	@scripts/image $(ARGS)

.PHONY: sbom
sbom: setup ## what the engine consists of, with hashes and licences: dist/engine.cdx.json (CycloneDX)
	@mkdir -p dist && .venv-gil/bin/python scripts/sbom.py >dist/engine.cdx.json && echo dist/engine.cdx.json

.PHONY: audit
audit: setup ## what an advisory database knows against it; where none can be reached, that is an error too
	@.venv-gil/bin/python scripts/audit.py $(ARGS)

.PHONY: clean
clean: ## everything made in this checkout; built interpreters stay in ~/.cache/engine
	rm -rf .venv .venv-* .cache bench/peers/node/node_modules build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
