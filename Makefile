# make demo   sees the whole life on generated pictures        make test   runs the fast tests
# Each installs what it needs into .venv first; make setup does only that.

PYTHON ?= python3
# how many tests run side by side; each of the processes may start a Ray and a Prefect of its own
WORKERS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); [ $$n -gt 4 ] && n=4; echo $$n)
BIN := .venv/bin
SETUP := .venv/.setup-finished

.PHONY: setup demo test test-slow check bench constraints

setup: $(SETUP)

$(SETUP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Nightjar needs Python 3.11 or newer with its venv module; this is $$($(PYTHON) --version 2>&1)."; \
	  echo "Name another one: make PYTHON=python3.12 $(or $(MAKECMDGOALS),setup)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,export]'
	@touch $@

# a core each: threads of two tests that wait for each other's cores wait for long
test test-slow: export OMP_NUM_THREADS = 1

demo: setup
	$(BIN)/nightjar demo

test: setup
	$(BIN)/python -m pytest -n $(WORKERS)

test-slow: setup
	$(BIN)/python -m pytest -n $(WORKERS) -m slow

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m benchmarks

constraints:  # what pip resolves today, in an environment of its own
	rm -rf build/constraints
	$(PYTHON) -m venv build/constraints
	build/constraints/bin/python -m pip install --quiet --disable-pip-version-check -e '.[test,export]'
	build/constraints/bin/python .ci/constraints.py > build/constraints.txt
	mv build/constraints.txt constraints.txt
	rm -rf build/constraints
