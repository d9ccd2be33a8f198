# The front door. `make` alone says what there is.
#
# It needs Python, pip, cargo and make. Everything else goes into .venv, at the versions and hashes of
# requirements/*.txt; nothing is installed outside this folder. Stamp files in .venv remember what is done.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help tools setup build lint test test-slow bench demo check fmt pins clean

# rustup puts cargo there, and a shell that was open before does not know it.
export PATH := $(PATH):$(HOME)/.cargo/bin
# pyo3 and maturin look for an interpreter: always the same one, or each change of it rebuilds all.
export PYO3_PYTHON := $(CURDIR)/.venv/bin/python

BIN := .venv/bin
PINS := $(wildcard requirements/*.txt)
RUST := $(shell find rust) Cargo.toml Cargo.lock pyproject.toml
RUST_MIN := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11,\
  $(shell $(p) -c '$(NEW_ENOUGH)' 2>/dev/null && echo $(p))) no-python-found)

help: ## this list
	@echo "allocator: decides which stock serves which demand, says why, and never loses count."
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1~\2/p' Makefile | column -t -s '~'
	@echo
	@echo "Start with 'make demo' (builds, allocates real order lines) or 'make test'."

setup: .venv/.synced ## make .venv with every pinned dependency

build: .venv/.built ## compile the Rust core (release) and install the package in .venv

demo: build ## allocate over a million real order lines and show what was done
	@$(BIN)/allocator demo

test: build ## run the tests: Rust core, then Python
	@cargo test --quiet --package allocator-core
	@$(BIN)/pytest --numprocesses auto --dist loadfile

test-slow: build ## run the tests that take minutes
	@$(BIN)/pytest -m slow

lint: build ## ruff, mypy, rustfmt and clippy; changes nothing
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@cargo fmt --check
	@cargo clippy --quiet --workspace --all-targets -- --deny warnings

check: lint test ## what must pass before a change lands

bench: build ## measure stages, kernel and whole runs (peers: benches/compare.py)
	@$(BIN)/pytest benches --benchmark-only

fmt: setup ## format Python and Rust, and mend what ruff can mend
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format
	@cargo fmt

pins: setup ## resolve the newest dependencies again and write requirements/*.txt
	@mkdir -p build
	$(RESOLVE) --upgrade $(foreach e,$(EXTRAS),--extra $(e)) pyproject.toml requirements/*.in --output-file build/pins.txt
	$(RESOLVE) $(HASHES) requirements/uv.in --output-file requirements/uv.txt
	$(RESOLVE) $(HASHES) pyproject.toml --output-file requirements/run.txt
	$(foreach e,$(EXTRAS),$(RESOLVE) $(HASHES) --extra $(e) pyproject.toml --output-file requirements/$(e).txt &&) true
	$(RESOLVE) $(HASHES) requirements/dev.in --output-file requirements/dev.txt
	$(RESOLVE) $(HASHES) requirements/bench.in --output-file requirements/bench.txt
	$(RESOLVE) $(HASHES) pyproject.toml tests/slow/pyspark.in --output-file tests/slow/pyspark.txt

clean: ## remove all that was built, .venv included
	rm -rf .venv target build dist demo-out .benchmarks .hypothesis .mypy_cache .ruff_cache .pytest_cache
	find python tests benches -name __pycache__ -prune -exec rm -rf {} +
	rm -f python/allocator/_core*.so

# The extras of pyproject.toml, each with pins of its own.
EXTRAS := demo documents excel ledger optimum plots spark studio

# One resolution of everything first (build/pins.txt), so that the files agree with each other.
RESOLVE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url
HASHES := --generate-hashes --constraint build/pins.txt --custom-compile-command 'make pins'

# One sentence for each thing that a machine can lack, before anything is downloaded.
tools:
	@$(if $(shell command -v cargo),,$(error cargo is missing: install Rust $(RUST_MIN) or newer \
	  (with rustup, or from your system's packages), then run make again))true
	@$(if $(shell cargo --version 2>/dev/null),,$(error cargo is there and cannot run: rustup wants a toolchain, \
	  as by 'rustup default stable'; then run make again))true
	@$(if $(shell printf '%s\n' $(RUST_MIN) "$$(cargo --version | cut -d' ' -f2)" | sort -VC && echo ok),,$(error \
	  $(shell cargo --version) is too old: install Rust $(RUST_MIN) or newer, then run make again))true

# A venv without pip, filled by the pip of the machine: Debian ships Python without ensurepip.
.venv/.uv: requirements/uv.txt | tools
	@$(if $(shell $(PYTHON) -c '$(NEW_ENOUGH)' 2>/dev/null && echo ok),,$(error Python 3.11 or newer is \
	  missing: install it, or name it as in 'make PYTHON=/path/to/python3', then run make again))true
	@$(if $(shell $(PYTHON) -m pip --version 2>/dev/null),,$(error pip is missing for $(PYTHON): \
	  install it (on Debian: apt install python3-pip), then run make again))true
	@$(PYTHON) -m venv --clear --without-pip .venv
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --require-hashes --requirement requirements/uv.txt
	@touch $@

.venv/.synced: .venv/.uv $(PINS) | tools
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes $(PINS)
	@touch $@

# The sync above removes what the pins do not name, the package itself included: built after it, always.
.venv/.built: .venv/.synced $(RUST) | tools
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/maturin develop --release --uv --quiet
	@touch $@
