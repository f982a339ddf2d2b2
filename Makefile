# Everything runs from .venv, which is made from the pinned, hashed requirements when it is missing.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test interop check lint types format bench requirements clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "acuse needs Python 3.11 or newer")'
	@echo "installing the pinned requirements into $(VENV) (once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: $(STAMP) ## simulated operators, real daemon, one sealed proof, checked
	@$(BIN)/acuse demo

test: $(STAMP) ## every test that needs only Python, on all processors
	@$(BIN)/python -m pytest -n auto --dist loadfile

interop: $(STAMP) ## our SMPP and proofs against programs nobody here wrote; installs them
	@$(BIN)/python -m tests.interop.install
	@$(BIN)/python -m pytest tests/interop

check: lint types test ## lint, strict types, tests

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP)
	@$(BIN)/mypy

format: $(STAMP) ## let ruff fix what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(STAMP) ## certified messages per second, at window 10, 100 and 1,000
	@$(BIN)/python -m tests.bench

requirements: ## renew the pins (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --no-emit-index-url --upgrade pyproject.toml -o requirements.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --no-emit-index-url --upgrade pyproject.toml --group dev -o requirements-dev.txt

clean: ## remove what make made
	rm -rf $(VENV) .interop build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
