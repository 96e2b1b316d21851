# winesilo: `make demo` and `make test` work from a fresh clone; both leave the command at .venv/bin/silo.
#
# Variables: PYTHON (an interpreter >= 3.11), WINESILO_MUST_WORK=1 (a skipped test is a failure),
# WINESILO_DEBIAN13 (folder of the Debian 13 tree that test-wine10 makes and keeps), PYTEST_ARGS,
# CONFORMANCE_ARGS (--only ntdll,kernel32/file), MATRIX_ARGS (--only nginx,mysql --windows win10),
# BENCH_ARGS (--rounds 5 services --only nginx).

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build

VENV := .venv
STAMP := $(VENV)/.installed
NATIVE := src/winesilo/_native
PART := $(MAKE) -s --no-print-directory -j$(shell nproc) -C
PYTEST_ARGS ?=
CONFORMANCE_ARGS ?=
MATRIX_ARGS ?=
BENCH_ARGS ?=

.PHONY: help build demo test unit lint bench test-wine10 conformance conformance-wine10 matrix matrix-wine10 clean deps deps-demo natives guest-tests deps-test wine32

help:
	@echo 'make build        the command, at .venv/bin/silo'
	@echo 'make demo         two MySQL servers for Windows in two silos, end to end'
	@echo 'make test         linters, unit tests and tests on the real Wine'
	@echo 'make test-wine10  the same integration tests on Wine 10, in a Debian 13 tree'
	@echo 'make bench        measurements, as ratios'
	@echo 'make conformance  Wine'"'"'s own tests, in a silo and on the host: where a silo does worse'
	@echo 'make conformance-wine10  the same on Wine 10'
	@echo 'make matrix       real Windows services in two silos at once; writes docs/services.md'
	@echo 'make matrix-wine10  the same on Wine 10'
	@echo 'make lint         ruff, mypy, import-linter'
	@echo 'make clean        remove everything that make built (no silo, no host)'

deps:
	@scripts/system-deps.sh build

deps-test:
	@scripts/system-deps.sh build test

# Wine's DLLs for 32-bit programs; tests that need them are skipped without.
wine32:
	@scripts/wine32.sh || echo 'winesilo: without i386 DLLs the tests of 32-bit programs are skipped' >&2

deps-demo:
	@scripts/system-deps.sh build demo

# The virtual environment; `pip install -e` compiles the native parts too (scripts/build_backend.py).
$(STAMP): pyproject.toml scripts/make-venv.sh scripts/build_backend.py | deps
	@scripts/make-venv.sh $(VENV)
	@touch $@

natives: deps
	@$(PART) src/interposer
	@$(PART) src/guest
	@$(PART) services
	@$(PART) src/guest/scm
	@$(PART) src/guest/svchost
	@$(PART) src/guest/api
	@$(PART) src/guest/dllhost

build: $(STAMP) natives

demo: deps-demo build
	@$(VENV)/bin/silo demo

guest-tests: deps-test
	@if [ -f tests/guest/Makefile ]; then $(PART) tests/guest; fi

lint: $(STAMP)
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache

unit: build
	@$(VENV)/bin/python -m pytest tests/unit $(PYTEST_ARGS)

test: deps-demo build lint guest-tests wine32
	@if [ -f tests/fuzz/Makefile ]; then $(PART) tests/fuzz check; fi
	@$(VENV)/bin/python -m pytest -n auto --dist worksteal $(PYTEST_ARGS)

test-wine10: build guest-tests
	@scripts/test-wine10.sh $(PYTEST_ARGS)

conformance: build
	@PYTHONPATH=tests/matrix $(VENV)/bin/python tests/conformance/run.py $(CONFORMANCE_ARGS)

conformance-wine10: build
	@scripts/debian13.sh tests/conformance/run.py $(CONFORMANCE_ARGS)

matrix: deps-demo build guest-tests
	@$(VENV)/bin/python tests/matrix/matrix.py $(MATRIX_ARGS)

matrix-wine10: deps-demo build guest-tests
	@scripts/matrix-wine10.sh $(MATRIX_ARGS)

bench: build guest-tests
	@scripts/system-deps.sh demo bench
	@PYTHONPATH=tests/matrix $(VENV)/bin/python bench/run.py $(BENCH_ARGS)

clean:
	@for part in src/interposer src/guest src/guest/scm src/guest/svchost src/guest/api src/guest/dllhost services tests/guest tests/fuzz; do \
	  if [ -f $$part/Makefile ]; then $(PART) $$part clean; fi; done
	rm -rf $(VENV) $(NATIVE) build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
