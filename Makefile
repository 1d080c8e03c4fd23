# What people run. `make demo` and `make test` set up all they need, on a machine that has only Python >= 3.11,
# make and a network; a second call installs nothing. PYTHON picks the interpreter, ARGS is handed to pytest, which
# shares its tests among WORKERS processes, by default one for each core.
PYTHON ?= python3
ARGS ?=
WORKERS ?= auto
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo demo-airflow demo-aws test lint style types imports format bench docs footprint env lock clean

help:  ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo:  ## Run the flights example, mend a line on a branch, and see what that does to the data
	@$(PYTHON) tools/bootstrap.py local
	@sh tools/demo.sh

demo-airflow: env  ## Deploy the flights example to a real Airflow on this machine, and run it there
	@$(PYTHON) tools/bootstrap.py airflow
	@sh tools/demo_airflow.sh

demo-aws: env  ## Deploy the flights example to an AWS that this machine emulates, run it there, and branch it
	@$(PYTHON) tools/bootstrap.py emulators
	@sh tools/demo_aws.sh

env:  ## Make .venv, with all that developing anabranch needs
	@$(PYTHON) tools/bootstrap.py dev

test: env  ## Install what the tests need, and run all of them, with coverage
	@$(PYTHON) tools/bootstrap.py dbt
	@$(PYTHON) tools/bootstrap.py emulators
	@$(PYTHON) tools/bootstrap.py airflow
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder --cov --cov-report=term $(ARGS)

lint: style types imports  ## Check style, types and the direction of imports; `make -k lint` shows all at once

style: env
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: env
	@$(BIN)/mypy
	@$(BIN)/basedpyright

imports: env
	@$(BIN)/lint-imports

format: env  ## Format the code, and mend what ruff can mend
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

bench: env  ## Measure speed beside the peers, each figure as a ratio
	@$(PYTHON) tools/bootstrap.py bench
	@$(PYTHON) tools/bootstrap.py emulators
	@$(PYTHON) tools/bootstrap.py airflow
	@ANABRANCH_BENCH_PYTHON=.venv-bench/bin/python $(BIN)/python benchmarks/run.py $(ARGS)

docs:  ## Build the documentation into site/
	@$(PYTHON) tools/bootstrap.py docs
	@.venv-docs/bin/zensical build --strict --clean

footprint: env  ## Count the packages and megabytes of the base install
	@$(BIN)/python tools/footprint.py

lock: env  ## Pin the newest releases that pyproject.toml allows
	@UV="$$(command -v uv || echo $(BIN)/uv)" sh tools/lock.sh

clean:  ## Remove environments, caches and what was built
	rm -rf .venv .venv-* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf .coverage .coverage.* htmlcov site dist
