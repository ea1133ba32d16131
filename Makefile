# Everything starts here: `make demo` and `make test` need Python 3.11 or newer, and nothing else.

VENV := .venv
BIN := $(VENV)/bin
OUT ?= demo
SLICE ?=
DATA ?=
RESULT := benchmarks/results/benchmark.json

# The first Python that is new enough and can make a virtual environment; override with PYTHON=...
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)

# Where there is a driver the gpu extra comes along.
DRIVER := $(wildcard /proc/driver/nvidia/version)$(shell command -v nvidia-smi 2>/dev/null)
RUN_EXTRAS := $(if $(DRIVER),[gpu])
DEV_EXTRAS := $(if $(DRIVER),[dev$(,)gpu],[dev])

# Stamps: installed once, and again when the list of packages changes.
RUN := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
BENCH := $(VENV)/.installed-bench

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.PHONY: help demo test lint types evidence audit bench clean

help:  ## show this list
	@awk -F ':.*## +' '/^[a-z]+:.*##/ {printf "  make %-9s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(RUN)  ## install, then the whole chain on synthetic exams, into ./demo (OUT=folder)
	$(BIN)/mammo demo $(OUT)

test: lint types  ## install, then lint, types and the fast tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile \
		--cov=dali_pipelines --cov-report= --cov-fail-under=85

lint: $(DEV)  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)  ## mypy, strict
	$(BIN)/mypy

evidence: $(DEV)  ## the slow tests, then README's figures (SLICE=ci: a seeded slice alone)
	MAMMO_EVIDENCE=$(or $(SLICE),full) $(BIN)/python -m pytest -q -m slow
	$(if $(SLICE),,$(BIN)/python -m benchmarks.readme)

audit: $(DEV)  ## known advisories of what is installed, where a database can be asked
	.ci/audit

bench: $(BENCH)  ## measure start-up, each part, us against others (DATA=files): benchmarks/results
	$(BIN)/python -m benchmarks.startup
	$(BIN)/mammo benchmark all --json $(DATA:%=--data %) > $(RESULT).part
	mv $(RESULT).part $(RESULT)
	$(BIN)/python -m benchmarks.peers $(DATA:%=--data %)
	$(BIN)/python -m benchmarks.reduced_decode $(DATA:%=--data %)
	$(BIN)/python -m benchmarks.train_overhead
	$(BIN)/python -m benchmarks.multi_recipe
	$(BIN)/python -m benchmarks.readme

$(BENCH): $(RUN)
	$(BIN)/pip install -qq --editable '.[bench]'
	@touch $@

clean:  ## remove what the targets above made, but .venv
	rm -rf build dist demo *.egg-info .mypy_cache .pytest_cache .ruff_cache .coverage
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(BIN)/pip:
	@test -n "$(PYTHON)" || { echo "no Python >= 3.11 with ensurepip found;" \
		"install one (Debian: python3-venv) or set PYTHON=path" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUN): setup.cfg pyproject.toml | $(BIN)/pip
	@echo "installing into $(VENV); the first time takes a minute or two"
	$(BIN)/pip install -qq --editable '.$(RUN_EXTRAS)'
	@touch $@

$(DEV): setup.cfg pyproject.toml | $(BIN)/pip
	@echo "installing into $(VENV); the first time takes a minute or two"
	$(BIN)/pip install -qq --editable '.$(DEV_EXTRAS)'
	@touch $(RUN) $@
