# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: default setup check test-fast test test-deep mutate demo docs findings bench bench-peers clean
default: check test-fast

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(PIP) --editable '.[dev]'
	touch $@

setup: .venv/installed-dev

demo: .venv/installed            ## train, dump and ask: which neuron counts?
	$(BIN)/unrolled run counting --root ./lake

check: setup                     ## format, lint, types, import floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy

# tests/scheduling.py says which test runs where: two workers for two cores, and a third while those of Ray wait.
PYTEST := $(BIN)/pytest -q --dist loadgroup

test-fast: setup                 ## without Ray and long runs
	$(PYTEST) -n 2 -m 'not slow and not ray'

test: check                      ## every kind of test; what CI runs
	$(PYTEST) -n 3

test-deep: check                 ## every test at its full depth: every seed, size and benchmark
	$(PYTEST) -n 3 --deep

mutate: setup                    ## does a test fail for each small change to the files in [tool.mutmut]? an hour or more
	$(PIP) --editable '.[dev,mutation]'
	OMP_NUM_THREADS=1 $(BIN)/python -m mutmut run
	$(BIN)/python -m mutmut results

docs: setup                      ## regenerate the generated pages
	$(BIN)/python -m tests.regenerate

findings: setup                  ## docs/findings.md: do the article's claims hold, over eight seeds? ten minutes
	$(BIN)/python -m tests.findings

PAGES := capture corpora faults layouts main-path precision quality sql-on-s3 storage training

bench: setup                     ## the pages of docs/benchmarks, but for the peers'; hours
	for page in $(PAGES); do $(BIN)/python -m tests.benchmarks --page $$page || exit; done

bench-peers: setup               ## what people use today beside ours: installs it into .venv
	$(PIP) --editable '.[dev,peers]'
	$(PIP) --no-deps --requirement tests/benchmarks/peers.txt
	$(BIN)/python -m tests.benchmarks --page peers

clean:
	rm -rf .venv build mutants *.egg-info
