# `make demo` and `make test` each do all the set-up themselves: a virtual environment in .venv, then the package.
# Variables: PYTHON (interpreter, 3.11 or newer), TORCH (what pip installs when the environment holds no torch).

SHELL := /bin/bash
TORCH ?= torch==2.13.0
PROBE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c '$(PROBE)' 2>/dev/null && { echo "$$p"; break; }; done)
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: help install demo test test-all lint docs clean

help:
	@echo 'make demo      encode and decode the example clip, write a side-by-side picture to demo/'
	@echo 'make test      lint, type check and the fast tests'
	@echo 'make test-all  the slow tests too'
	@echo 'make docs      write docs/cli.md and the snapshots of tests again from the commands'
	@echo 'make clean     remove the virtual environment and what was built'

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo 'no Python 3.11 or newer found: install one, or give PYTHON=/path/to/python' >&2; exit 1; }
	$(PYTHON) -m venv .venv

$(STAMP): pyproject.toml | $(BIN)/python
	$(BIN)/python -c 'import torch' 2>/dev/null || $(BIN)/python -m pip install '$(TORCH)'
	$(BIN)/python -m pip install -e '.[dev,bench]'
	@touch $@

install: $(STAMP)

demo: $(STAMP)
	$(BIN)/python examples/demo.py

test: $(STAMP) lint
	$(BIN)/python -m pytest -m 'not slow and not gpu'

test-all: $(STAMP) lint
	$(BIN)/python -m pytest

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(STAMP)
	$(BIN)/python docs/make_cli.py
	UPDATE_SNAPSHOTS=1 $(BIN)/python -m pytest tests/test_cli_snapshots.py

clean:
	rm -rf .venv build dist demo .mypy_cache .ruff_cache .pytest_cache
