# make run    opens the app            make test   passes the tests
# make run MODEL=smollm2               opens it on that model, fetched first where it is not there
# Both create the environment they need; both may be repeated at will.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8501
MODEL ?=

# OpenMP threads that wait must sleep, or the pages starve while a model runs.
export OMP_WAIT_POLICY = PASSIVE

.PHONY: run fetch test lint types check audit docs docs-serve pictures benchmark clean

run: $(VENV)/.run-ready
	$(if $(MODEL),$(BIN)/python -m tokenscope_core fetch $(MODEL))
	$(if $(MODEL),TOKENSCOPE_MODEL='$(MODEL)') $(BIN)/python -m streamlit run app.py --server.port $(PORT)

fetch: $(VENV)/.run-ready
	$(BIN)/python -m tokenscope_core fetch $(MODEL)

test: $(VENV)/.test-ready
	$(BIN)/python -m pytest -m "not browser" -n logical --maxprocesses 4 --dist loadfile
	# Browser, server and model share the cores: what fails once is tried again, and reported.
	$(BIN)/python -m pytest -m browser --reruns 1

lint: $(VENV)/.test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test-ready
	$(BIN)/mypy

check: lint types test

audit: $(VENV)/.test-ready
	$(BIN)/python .ci/audit.py

# Warnings are errors: a link or a reference that leads nowhere.
# Not with every build: what docs/dependencies.md says of the theme's end.
docs docs-serve: export NO_MKDOCS_2_WARNING = 1
docs: $(VENV)/.test-ready
	$(BIN)/python -m mkdocs build --strict --quiet
	@echo "Open build/docs/index.html"

docs-serve: $(VENV)/.test-ready
	$(BIN)/python -m mkdocs serve

pictures: $(VENV)/.test-ready
	$(BIN)/python -m docs_tools.pictures
	$(BIN)/python -m docs_tools.animation

benchmark: $(VENV)/.test-ready
	$(BIN)/python -m benchmarks.engine

clean:
	rm -rf $(VENV)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "TokenScope needs Python 3.11 or newer; '$(PYTHON)' is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run-ready: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

$(VENV)/.test-ready: requirements-dev.txt requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	@touch $@ $(VENV)/.run-ready
