# Hedgerow. `make help` lists every task. Python 3.11 or newer and make are all it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.DEFAULT_GOAL := help
.PHONY: help setup run test check bench proto proto-baseline clean

help:  ## list every task
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# One environment, filled as far as a task needs it: `make run` does not wait for what only tests need.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else 1)' || \
	  { echo "Hedgerow needs Python 3.11 or newer, and '$(PYTHON)' is not. Give one: make PYTHON=python3.11 ..." >&2; exit 2; }
	@echo "making the environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.made pyproject.toml
	@echo "installing what running needs (a few minutes the first time)"
	@$(PIP) --editable '.[demo]'
	@touch $@

$(VENV)/.test: $(VENV)/.run
	@echo "installing what the tests and benchmarks need"
	@$(PIP) --editable '.[demo,test]'
	@touch $@

$(VENV)/.check: $(VENV)/.test
	@echo "installing what the checks need"
	@$(PIP) --editable '.[demo,test,check]'
	@touch $@

setup: $(VENV)/.check  ## make the environment and install everything

run: $(VENV)/.run  ## hedge the example book for about 90 s, then write the report
	@$(BIN)/hedgerow live

# Three at a time on two cores: about a fifth of the tests' time is waiting, for servers to start and for what was killed to come back.
test: $(VENV)/.test  ## run every test (under 15 minutes on 2 cores)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not system"
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m system

check: $(VENV)/.check  ## lint, types, schemas, generated code is current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd proto && ../$(BIN)/buf lint && ../$(BIN)/buf breaking --against baseline.binpb
	$(BIN)/python deploy/make_proto.py --check

bench: $(VENV)/.test  ## measure every figure the project claims
	@$(BIN)/hedgerow bench

proto: $(VENV)/.check  ## regenerate the stubs under common/gen
	$(BIN)/python deploy/make_proto.py

proto-baseline: $(VENV)/.check  ## make the schemas as they are the ones that must stay readable (at a release)
	cd proto && ../$(BIN)/buf build -o baseline.binpb

clean:  ## remove the environment and build leftovers
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
