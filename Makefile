# Each target sets up what it needs: a virtual environment with the locked dependencies.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test test-slow test-exhaustive lint types imports check lock clean

demo: $(READY)  ## Run a small study on real images, end to end, on the CPU
	$(BIN)/study demo

test: $(READY)  ## The default tests
	$(BIN)/pytest -m "not slow and not exhaustive" -n auto --dist worksteal

# Those of a file in one process: what they share, Ray or a browser or two ranks that train, is started but once. In the
# order of the files: xdist would begin with those of many tests, and end with the few that take longest.
test-slow: $(READY)  ## The tests that take longer
	$(BIN)/pytest -m "slow and not exhaustive" -n auto --dist loadfile --no-loadscope-reorder --durations=15

test-exhaustive: $(READY)  ## Every row of every table, and more of the same
	$(BIN)/pytest -m exhaustive -n auto

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

imports: $(READY)  ## The rooms import only what they may
	$(BIN)/lint-imports

check: lint types imports

lock: .venv/bin/uv  ## Resolve the dependencies anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--group dev pyproject.toml -o requirements.lock --upgrade

# Hash mode refuses editable installs: the lock first, then the project alone. Compiled once here, not in each process
# of each trial where nothing may be written beside the sources: importing all of it then takes twice as long.
$(READY): requirements.lock pyproject.toml .venv/bin/uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

.venv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
