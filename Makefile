# Every target makes .venv from the lock file by itself; nothing but Python >= 3.11, make and pip is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint bench docs wheel lock clean

help:
	@echo "make demo      discover two mechanisms from data shipped here, and write the report"
	@echo "make test      the tests (make test-all adds the slow ones)"
	@echo "make lint      ruff, pyright and the import floors"
	@echo "make bench     the measured figures of docs/reproduction.md"
	@echo "make docs      check that every documented example runs"
	@echo "make wheel     build the wheel into dist/"

$(READY): requirements.lock pyproject.toml
	@sh tools/venv.sh "$(PYTHON)" "$(VENV)" && touch $@

demo: $(READY)
	$(BIN)/guldberg demo discover

test: $(READY)
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-all: $(READY)
	$(BIN)/python -m pytest -n 2

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python -m benchmarks

docs: $(READY)
	$(BIN)/python -m pytest tests/test_docs.py

wheel: $(READY)
	$(BIN)/python -m hatchling build -t wheel

clean:
	rm -rf $(VENV) dist build
