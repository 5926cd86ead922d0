# `make demo` and `make test` are all that a newcomer needs; each makes .venv first when it is missing.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# Named by what was installed and where, so that a changed lock or Python or a moved checkout installs again.
STAMP := $(VENV)/.ready-$(shell (pwd; $(PYTHON) -V; cat requirements.lock pyproject.toml) 2>&1 | cksum | tr ' ' '-')

.PHONY: setup demo test lint format bench clean

setup: $(STAMP)
	@:

# Debian's Python comes without venv's other half: a system pip can stand in for it, or, for root, apt.
$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: Python 3.11 or newer is needed; on Debian: apt install python3 python3-venv" >&2; exit 5; }
	@mkdir -p $(VENV)  # says so where nothing can be written
	@$(PIP) --version >/dev/null 2>&1 || $(MAKE_VENV) || $(BORROW_PIP) || { $(APT_VENV) && $(MAKE_VENV); } || \
	  { rm -rf $(VENV); \
	    echo "error: this Python can make no virtual environment; on Debian: apt install python3-venv" >&2; exit 5; }
	@echo "Installing what requirements.lock names into $(VENV): about 6 GB, a few minutes."
	$(PIP) install --quiet -r requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@$(HAS_GL) || $(APT_GL) || echo "No OpenGL here: worlds in 3D cannot be drawn; on Debian: apt install $(GL)"
	@rm -f $(VENV)/.ready-*
	@touch $@

MAKE_VENV = { rm -rf $(VENV); $(PYTHON) -m venv $(VENV) >/dev/null 2>&1; }
BORROW_PIP = { rm -rf $(VENV); $(PYTHON) -m venv --without-pip $(VENV) && \
  $(PYTHON) -m pip --python $(VENV) install --quiet pip >/dev/null 2>&1; }
APT_VENV = { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
  echo "Installing Debian's python3-venv." && apt-get -qq update && apt-get -qq install -y python3-venv >/dev/null; }

# What draws in 3D, on a GPU or without. 2D worlds need none of it.
GL := libegl1 libgl1-mesa-dri
HAS_GL = $(PYTHON) -c 'import sys; from ctypes.util import find_library as f; sys.exit(not f("EGL"))'
APT_GL = { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
  echo "Installing Debian's $(GL)." && apt-get -qq update && apt-get -qq install -y $(GL) >/dev/null; }

demo: setup
	rm -rf out/demo
	$(BIN)/python -m datagen demo --out out/demo

# Each worker holds torch: more of them would ask for more memory than they save time.
test: setup
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python -m pytest -q -s tests/benchmarks/bench_*.py

clean:
	rm -rf out build dist .pytest_cache .ruff_cache .hypothesis
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +
