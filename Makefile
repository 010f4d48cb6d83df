# `make demo` and `make test` need Python 3.11 or later and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := --disable-pip-version-check --retries 2

.PHONY: demo test check format events lock bench soak clean

demo: $(READY)
	@$(BIN)/safebus demo $(ARGS)

test: $(READY)
	$(BIN)/python -m pytest -n auto -m "not soak" $(ARGS)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/safebus topics validate
	$(BIN)/python -m services.bus.contract --check

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The Python models in services/bus/events.py come from schemas/; never edit them by hand.
events: $(READY)
	$(BIN)/python -m services.bus.contract

bench: $(READY)
	$(BIN)/python -m tests.bench $(ARGS)

# The county for so many minutes, with faults all the while, then every long test. `make soak MINUTES=60 ARGS="--brokers 3"`
MINUTES ?= 10
soak: $(READY)
	$(BIN)/python -m tests.soak --minutes $(MINUTES) $(ARGS)
	$(BIN)/python -m pytest -m soak

# `make lock UPGRADE=` adds what pyproject.toml asks for and keeps the other versions.
UPGRADE ?= --upgrade
lock: $(READY)
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --all-extras --no-annotate --no-header \
		--quiet $(UPGRADE) pyproject.toml -o requirements.lock
	echo hatchling | $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--quiet -c requirements.lock --extra statistics --extra tracing pyproject.toml - -o docker/requirements.lock

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("safebus needs Python 3.11 or later, this is " + sys.version.split()[0] + "; try make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked packages into $(VENV) ..."
	@{ $(BIN)/python -m pip install -q $(PIP) --require-hashes -r requirements.lock && \
		$(BIN)/python -m pip install -q $(PIP) --no-deps --no-build-isolation -e .; } >$(VENV)/install.log 2>&1 || { \
		echo "the packages could not be installed: is the network there, and room on the disk? pip's own words are in $(VENV)/install.log" >&2; exit 1; }
	@touch $@

clean:
	rm -rf $(VENV)
