# On a fresh machine: `make demo`, `make test` and `make docs`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
QUICK := -m "not slow and not gpu and not long"
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test test-long lint docs wheel clean

demo: $(VENV)/.runtime  ## upscale a real photo x2 and x4 with the default model
	$(BIN)/hyperacuity upscale examples/astronaut.png --scale 2 --output examples/results/astronaut-x2.png --force
	$(BIN)/hyperacuity upscale examples/astronaut.png --scale 4 --output examples/results/astronaut-x4.png --force
	@echo "The results lie in examples/results."

# What fails is tried once more, alone: a program that a test starts can be late on a busy machine.
test: lint docs  ## all checks and tests, as CI runs them
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(QUICK) -n logical --maxprocesses 4 --dist worksteal \
	    || OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(QUICK) -n 0 --last-failed --last-failed-no-failures none

test-long: $(VENV)/.development  ## the server and clusters under kills, load and slow clients; takes minutes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m long tests/server tests/cluster

lint: $(VENV)/.development
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.development  ## the site, into build/site; needs no network; a warning is an error
	rm -rf build/site docs/generated
	OMP_NUM_THREADS=1 PYTHONPATH=src $(BIN)/python -m sphinx --builder html --quiet --fail-on-warning --keep-going \
	    --fresh-env docs build/site
	@echo "The site lies in build/site; open build/site/index.html."

wheel: $(VENV)/.development  ## the wheel and the source archive, into dist
	rm -rf dist
	$(BIN)/python -m hatchling build

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
	rm -rf $(VENV) examples/results docs/generated build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
