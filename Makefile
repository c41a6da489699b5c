# `make demo` and `make test` each do all the set-up themselves: a virtual environment in .venv, then the package.
# Variables: PYTHON (interpreter, 3.11 or newer), TORCH (what pip installs when the environment holds no torch).

SHELL := /bin/bash
TORCH ?= torch==2.13.0
PROBE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c '$(PROBE)' 2>/dev/null && { echo "$$p"; break; }; done)
BIN := .venv/bin
STAMP := .venv/.installed

MINUTES ?= 10

# One thread a process: busy PyTorch threads of two processes on two cores stall each other.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile
HAVE_BROWSER := command -v chromium >/dev/null && command -v chromedriver >/dev/null

.PHONY: help install demo test test-all test-browser lint coverage fuzz docs dist clean

help:
	@echo 'make demo      encode and decode the example clip, write a side-by-side picture to demo/'
	@echo 'make test      lint, type check and the fast tests'
	@echo 'make test-all  the slow tests too'
	@echo 'make test-browser  the pages in headless Chromium; as root it installs Debian'\''s package when there is none'
	@echo 'make coverage  line coverage of the fast tests, with the floors that docs/reliability.md states'
	@echo 'make fuzz      fuzz the reader, verify and decode, MINUTES each (10)'
	@echo 'make docs      write docs/cli.md, the manual page and snapshots of tests again from the commands'
	@echo 'make dist      build the wheel and the source distribution in dist/'
	@echo 'make clean     remove the virtual environment and what was built'

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo 'no Python 3.11 or newer found: install one, or give PYTHON=/path/to/python' >&2; exit 1; }
	$(PYTHON) -m venv .venv

$(STAMP): pyproject.toml | $(BIN)/python
	$(BIN)/python -c 'import torch' 2>/dev/null || $(BIN)/python -m pip install '$(TORCH)'
	$(BIN)/python -m pip install -e '.[dev,bench,train]'
	@touch $@

install: $(STAMP)

demo: $(STAMP)
	$(BIN)/python examples/demo.py

test: $(STAMP) lint
	$(PYTEST) -m 'not slow and not gpu and not browser'

test-all: $(STAMP) lint
	$(PYTEST) -m 'not browser'

test-browser: $(STAMP)
	@$(HAVE_BROWSER) || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || \
		{ apt-get update -q && apt-get install -y -q chromium chromium-driver; }
	@$(HAVE_BROWSER) || { \
		echo 'chromium and chromedriver are not on PATH: install them (Debian: packages chromium and chromium-driver)' >&2; exit 1; }
	$(BIN)/python -m pytest -m browser tests/test_browser.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

coverage: $(STAMP)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -m 'not slow and not gpu and not browser' --deselect tests/test_faults.py # its signals hit coverage itself
	$(BIN)/coverage combine -q
	$(BIN)/coverage report --include='neurcodec/container/*,neurcodec/entropy/*' --fail-under=98
	$(BIN)/coverage report --omit='neurcodec/container/*,neurcodec/entropy/*' --fail-under=85

fuzz: $(STAMP)
	$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/python -m pip install atheris
	mkdir -p fuzz-corpus
	$(BIN)/python fuzz/fuzz_container.py -max_total_time=$$((60 * $(MINUTES))) -max_len=4096 -timeout=20 \
		-rss_limit_mb=512 -print_final_stats=1 fuzz-corpus fuzz/corpus/container tests/vectors/good tests/vectors/bad
	$(BIN)/python -m fuzz.fuzz_files verify --count 1000000000 --seconds $$((60 * $(MINUTES)))
	$(BIN)/python -m fuzz.fuzz_files decode --count 1000000000 --batch 500 --seconds $$((60 * $(MINUTES)))

docs: $(STAMP)
	$(BIN)/python -m tools.format.make_cli
	$(BIN)/python -m tools.format.make_man
	UPDATE_SNAPSHOTS=1 $(BIN)/python -m pytest tests/test_cli_snapshots.py

dist: $(STAMP)
	rm -rf dist
	$(BIN)/python -m build

clean:
	rm -rf .venv build dist demo .mypy_cache .ruff_cache .pytest_cache
