# `make demo` and `make test` do all the set-up on a fresh machine; they need Python 3.11 or newer and nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test lint image site docs schema optimizer-defaults clean

demo: $(VENV)/installed
	$(BIN)/bench data fetch fashion_mnist
	$(BIN)/bench run suites/quick.yaml
	$(BIN)/bench report suites/quick.yaml --html --out reports/local

test: $(VENV)/installed-dev
	$(BIN)/bench data fetch fashion_mnist
	$(MAKE) lint
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 30

lint: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH" lint-imports --no-logo
	$(BIN)/hadolint Dockerfile

# The README's image, from the page that `make demo` wrote; needs chromium.
image:
	chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1280,1400 \
	  --user-data-dir=$$(mktemp -d) --virtual-time-budget=5000 --screenshot=docs/quick.png file://$(CURDIR)/reports/local/quick.html

# The documentation as a site, in build/docs; opens from the folder, without a network.
docs: $(VENV)/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

# A leaderboard of Fashion-MNIST as a site: trains what the ledger lacks of these suites, and publishes all that it holds.
SITE_SUITES ?= quick labs/regularization
site: $(VENV)/installed
	$(BIN)/bench data fetch fashion_mnist
	$(BIN)/bench run $(SITE_SUITES)
	mkdir -p reports/local
	$(BIN)/bench verify results --write reports/local/verified.json
	$(BIN)/bench publish results --to site --verified reports/local/verified.json --title "Fashion-MNIST and others"

schema: $(VENV)/installed
	$(BIN)/bench schema > docs/suite.schema.json

# Where torch or timm have a new version.
optimizer-defaults: $(VENV)/installed
	$(BIN)/python -c 'from bench.training.optimizer_factory import write_defaults; write_defaults()'

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "bench needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV)
