# make backtest and make test work on a fresh machine that has Python 3.11 to 3.13 with its venv module.
# Another interpreter: make test PYTHON=python3.12. A virtual environment elsewhere: make test VENV=/path.

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= auto
BIN := $(VENV)/bin
# For the oldest supported versions: make test CONSTRAINTS=constraints-floor.txt VENV=.venv-floor
CONSTRAINTS ?=
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(CONSTRAINTS),-c $(CONSTRAINTS))

.DEFAULT_GOAL := help
.PHONY: help backtest test test-stat test-two-years test-nojit test-ib-async test-interleavings campaign bench bench-fetch bench-live bench-database lint types secrets clean

help:
	@echo "make backtest    run the default configuration, print a table, write a report"
	@echo "make test        the whole test suite but the statistical tests"
	@echo "make test-stat   statistical tests over many seeds (minutes)"
	@echo "make test-two-years  two years of real sessions: backtest, bridge, simulated, shadow (ARES7_DATA; half an hour)"
	@echo "make test-nojit  both engines agree, the compiled kernels run as plain Python"
	@echo "make test-ib-async  the tests of the IB connection with ib_async, in an environment of its own"
	@echo "make test-interleavings  2,000 random interleavings of orders, drops and fills on the IB bridge (minutes)"
	@echo "make campaign    1,000 decisions of a live runner under kills, faults, resets and halts: figures (a quarter of an hour)"
	@echo "make bench       this project beside other engines: a table (minutes; docs/performance.md)"
	@echo "make bench-fetch one more day of 500 symbols from a server on this machine"
	@echo "make bench-live  the IB bridge against the gateway double: 500 symbols, latency, idle CPU"
	@echo "make bench-database  market data in PostgreSQL against Parquet, and what Redis costs (DATA=DIR; a minute)"
	@echo "make lint        ruff: rules and formatting"
	@echo "make types       mypy, strict"
	@echo "make secrets     look for secrets in the tracked files"
	@echo "make clean       remove caches and build files; keeps runs/ and the virtual environment"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "$(PYTHON) is not Python 3.11, 3.12 or 3.13; name one: make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

# One stamp for each set of requirements; made again when pyproject.toml or the constraints change.
$(VENV)/.report: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	$(INSTALL) -e ".[report,search]"
	@touch $@

$(VENV)/.dev: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	$(INSTALL) -e ".[report,search,cluster,dev]"
	@touch $@ $(VENV)/.report

backtest: $(VENV)/.report
	$(BIN)/python run.py backtest

test: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n $(WORKERS) -m "not stat"

test-stat: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n $(WORKERS) -m stat

test-two-years: $(VENV)/.dev
	ARES7_TWO_YEARS=1 $(BIN)/python -m pytest -q -m stat tests/bridge/test_ensemble.py tests/simulated

test-nojit: $(VENV)/.dev
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -q -n $(WORKERS) -m "not real_data" tests/parity

# ib_async and ib_insync cannot share an environment: their event packages write the same module.
IB_ASYNC := .cache/ib_async
IB_ASYNC_NEEDS := tests/client/requirements-ib_async.txt
$(IB_ASYNC)/.installed: $(IB_ASYNC_NEEDS) | $(BIN)/python
	$(BIN)/python -m venv --clear $(IB_ASYNC)
	$(IB_ASYNC)/bin/python -m pip install --quiet --disable-pip-version-check -r $(IB_ASYNC_NEEDS)
	@touch $@

test-ib-async: $(IB_ASYNC)/.installed
	$(IB_ASYNC)/bin/python -m pytest -q tests/client

test-interleavings: $(VENV)/.dev
	ARES7_INTERLEAVINGS=2000 $(BIN)/python -m pytest -q -n $(WORKERS) tests/bridge/test_random_interleavings.py

# A seed of your own: make campaign CAMPAIGN="--seed 7"
CAMPAIGN ?= --seed 1 --rebalances 1000
campaign: $(VENV)/.dev
	$(BIN)/python -m tests.campaign $(CAMPAIGN)

# Measures this project beside other engines, which live in environments of their own under .cache/bench.
# Only what is quick: make bench BENCH=--quick
BENCH ?=
bench: $(VENV)/.report
	sh bench/environments.sh $(BIN)/python .cache/bench
	$(BIN)/python -m bench $(BENCH)

bench-fetch: $(VENV)/.report
	$(BIN)/python -m bench.fetch_bench

bench-live: $(VENV)/.report
	$(BIN)/python -m bench.live_bench

# DATA=DIR measures a folder instead of a million random bars.
DATA ?=
bench-database: $(VENV)/.dev
	$(BIN)/python -m bench.database_bench $(DATA)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

secrets: $(VENV)/.dev
	git ls-files -z | xargs -0 $(BIN)/detect-secrets-hook --exclude-lines '^ *- uses: actions/'

clean:
	rm -rf .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build ares7.egg-info
	find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +
