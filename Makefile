# What a person types. Each target does its own set-up; the work is in scripts/ and manage.py.
.POSIX:
.PHONY: help setup run test check clean

PYTHON =
TESTS =
BIN = .venv/bin/python

help: ## say what there is
	@echo 'make run     start everything on this machine: PostgreSQL, the gateway, the pages'
	@echo 'make test    run the tests (make test TESTS="tests/gateway -k name" runs some)'
	@echo 'make check   format, lint, types, import contracts, dead code, spelling, migrations'
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

clean:
	rm -rf .venv .cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
