# Hedgerow. `make help` lists every task.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup run test check bench proto clean

help:  ## list every task
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[demo,test,check]'
	touch $(STAMP)

setup: $(STAMP)  ## make the environment and install everything

run: $(STAMP)  ## hedge the example book for about 90 s, then write the report
	$(BIN)/hedgerow live

test: $(STAMP)  ## run every test (under 15 minutes on 2 cores)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest

check: $(STAMP)  ## lint, types, schemas, generated code is current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd proto && ../$(BIN)/buf lint
	$(BIN)/python deploy/make_proto.py --check

bench: $(STAMP)  ## measure every figure the project claims
	$(BIN)/hedgerow bench

proto: $(STAMP)  ## regenerate the stubs under common/gen
	$(BIN)/python deploy/make_proto.py

clean:  ## remove the environment and build leftovers
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
