# `make demo` and `make test` work on a fresh clone: both create .venv and build.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SOURCES := setup.py pyproject.toml $(shell find csrc pystruct_ext -name '*.hpp' -o -name '*.h' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.cpp')

# One process for each core; a failing test is found again with plain `pytest tests/...`.
WORKERS ?= -n auto --dist worksteal

.PHONY: demo test test-all test-asan test-wheel fuzz lint dev bench clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip

# Editable install; the stamp says which extras are there and that the build is fresh.
$(VENV)/.installed-demo: $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[demo]'
	@touch $@

$(VENV)/.installed-test: $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@ $(VENV)/.installed-demo

demo: $(VENV)/.installed-demo
	$(BIN)/pystruct-ext demo

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m "not slow" $(WORKERS)

test-all: $(VENV)/.installed-test
	$(BIN)/python -m pytest $(WORKERS)

# The native unit tests of the headers, and the core suite, under AddressSanitizer and UBSan.
test-asan: $(VENV)/.installed-test
	bash csrc/tests/run_sanitized.sh $(BIN)/python

# The wheel is built from the sdist and tested outside the tree.
test-wheel: $(VENV)/.installed-test
	bash tests/wheel_from_sdist.sh $(BIN)/python

# Mutated inputs over all readers, verbs and models: 15 to 20 minutes on two cores.
FUZZ_CASES ?= 10000
fuzz: $(VENV)/.installed-test
	$(BIN)/python tests/fuzz/run.py --cases $(FUZZ_CASES)

lint: dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

dev: $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'setuptools>=77' 'cython>=3.1' 'numpy>=2'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e '.[dev]'

bench: $(VENV)/.installed-test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(BIN)/python benchmarks/sequence.py
	$(BIN)/python benchmarks/solvers.py
	$(BIN)/python benchmarks/averaging.py
	$(BIN)/python benchmarks/path.py
	$(BIN)/python benchmarks/auto_c.py --quick
	$(BIN)/python benchmarks/multiclass.py
	$(BIN)/python benchmarks/ranking.py
	$(BIN)/python benchmarks/diversity.py
	$(BIN)/python benchmarks/parsing.py
	$(BIN)/python benchmarks/tagging.py
	$(BIN)/python benchmarks/folding.py
	$(BIN)/python benchmarks/queries.py
	$(BIN)/python benchmarks/python_space.py
	$(BIN)/python benchmarks/workloads.py
	$(BIN)/python benchmarks/structures.py

clean:
	rm -rf build dist *.egg-info .venv
	find pystruct_ext -name '*.so' -delete
