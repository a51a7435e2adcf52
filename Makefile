# Every target makes .venv from the lock file by itself; nothing but Python >= 3.11, make and pip is needed.
PYTHON ?= python3
VENV ?= .venv
DIST ?= dist
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint bench docs wheel clean

help:
	@echo "make demo      discover two mechanisms from data that come with guldberg, and write their reports"
	@echo "make test      the tests (make test-all adds the slow ones)"
	@echo "make lint      ruff, pyright and the import floors"
	@echo "make bench     the measured figures of docs/reproduction.md"
	@echo "make docs      run every example of the README, of docs/ and of examples/; draw the README's picture; the site"
	@echo "make wheel     build the wheel into $(DIST)/"
	@echo
	@echo "PYTHON=/path/to/python3.12 picks the interpreter, VENV=.venv-3.12 the folder of the environment."

$(READY): requirements.lock pyproject.toml tools/venv.sh
	@sh tools/venv.sh "$(PYTHON)" "$(VENV)" && touch $@

demo: $(READY)
	$(BIN)/guldberg demo discover

# Two workers on small matrices: more threads would only wait for each other.
test test-all: export OPENBLAS_NUM_THREADS := 1

test: $(READY)
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-all: $(READY)
	$(BIN)/python -m pytest -n 2

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-cache

bench: $(READY)
	$(BIN)/python -m benchmarks

docs: $(READY)
	$(BIN)/python -m pytest tests/test_docs.py tests/test_examples.py
	$(BIN)/python examples/pictures.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

wheel: $(READY)
	$(BIN)/python -m hatchling build -t wheel -d "$(DIST)"

clean:
	rm -rf $(VENV) $(DIST) build
