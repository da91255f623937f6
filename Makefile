# What a person types. Each target does its own set-up; the work is in scripts/ and manage.py.
.POSIX:
.PHONY: help setup run test check bench big examples clients pictures faults soak clean

PYTHON =
TESTS =
BENCH =
BIG =
FAULTS =
SOAK =
BIN = .venv/bin/python

help: ## say what there is
	@echo 'make run     start everything on this machine: PostgreSQL, the gateway, the pages'
	@echo 'make test    run the tests (make test TESTS="tests/gateway -k name" runs some)'
	@echo 'make check   format, lint, types, import contracts, dead code, spelling, migrations'
	@echo 'make bench   measure speed beside nginx and a bare relay (make bench BENCH=--quick for a short one)'
	@echo 'make big     a million turns: list, detail, conversation, a month dropped under load (make big BIG="--turns 50000" for less)'
	@echo 'make examples  run all of examples/ against a fake provider; needs curl and Node'
	@echo 'make clients compare the real Claude Code and Codex with and without the gateway; needs npm'
	@echo 'make pictures take the pictures of the guides anew, of a Turnlog that runs'
	@echo 'make faults  break things around a running gateway: docs/reliability.md (make faults FAULTS="--quick R-02" for some)'
	@echo 'make soak    20 minutes of mixed traffic and faults (make soak SOAK="--minutes 3" for less)'
	@echo 'make setup   make .venv; the other targets do it by themselves'
	@echo 'make clean   remove .venv and caches; the data in .turnlog stays'
	@echo 'Settings are TURNLOG_... variables; make run prints them all. PYTHON=... names the Python to use.'

setup:
	@PYTHON='$(PYTHON)' sh scripts/set-up

run: setup
	@exec $(BIN) manage.py run

test: setup
	@CHROMIUM="$$(sh scripts/browser)" && export CHROMIUM && exec $(BIN) -m pytest -n 2 --dist loadfile $(TESTS)

check: setup
	@exec sh scripts/check

bench: setup
	@exec $(BIN) -m bench $(BENCH)

big: setup
	@exec $(BIN) -m bench.big $(BIG)

examples: setup
	@exec $(BIN) -m tests.examples

clients: setup
	@exec $(BIN) -m tests.clients

pictures: setup
	@CHROMIUM="$$(sh scripts/browser)" PICTURES=docs/images && export CHROMIUM PICTURES && exec $(BIN) -m pytest -q tests/e2e/whole_day/test_pictures.py

faults: setup
	@exec $(BIN) -m tests.faults $(FAULTS)

soak: setup
	@exec $(BIN) -m tests.faults.soak $(SOAK)

clean:
	rm -rf .venv .cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
