# make bench   set up, then erase one style and one object with ESD and run the smoke evaluation
# make test    set up, then run every test, JOBS at a time (2)
# make check   set up, then lint, type-check and hold the layers
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
JOBS   ?= 2
READY  := $(VENV)/.ready
SUDO   := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# The allocator settings keep glibc from returning memory between steps: a third of the page faults stay.
export MALLOC_TRIM_THRESHOLD_ := 1000000000
export MALLOC_MMAP_THRESHOLD_ := 1000000000
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: bench test check browser clean

bench: $(READY)
	$(BIN)/python -m unlearncanvas.bench --eraser esd --tier smoke

test: $(READY) browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile

# The report is tested in a real browser, Debian's.
browser:
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || \
	{ $(SUDO) apt-get update -qq && \
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver; } || \
	echo "no chromium here: the report is not tested in a browser"

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) build dist

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "unlearncanvas needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
