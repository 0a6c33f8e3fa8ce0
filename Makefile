# Two commands on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test lint clean

demo: $(VENV)/.runtime  ## upscale a real photo x2 and x4 with the default model
	$(BIN)/hyperacuity upscale examples/astronaut.png --scale 2 --output examples/results/astronaut-x2.png --force
	$(BIN)/hyperacuity upscale examples/astronaut.png --scale 4 --output examples/results/astronaut-x4.png --force
	@echo "The results lie in examples/results."

test: lint  ## all checks and tests, as CI runs them
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow and not gpu" -n logical --maxprocesses 4 --dist worksteal

lint: $(VENV)/.development
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml constraints.txt | $(BIN)/python
	test -e $(VENV)/.development || $(PIP) install --constraint constraints.txt --editable .
	touch $@

$(VENV)/.development: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --constraint constraints.txt torch==2.13.0
	$(PIP) install --constraint constraints.txt --editable '.[dev]'
	touch $@ $(VENV)/.runtime

clean:
	rm -rf $(VENV) examples/results build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
