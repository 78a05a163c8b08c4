# Everything lives in .venv; the first target that needs it makes it.
VENV := .venv
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.installed
PRODUCT := broker workers client soak
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test check bench nightly docs clean

help: ## show these lines
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

$(STAMP): pyproject.toml .ci/preflight
	@python=$$(sh .ci/preflight) && \
	echo "setting up $(VENV) with $$python" && \
	"$$python" -m venv $(VENV) && \
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(STAMP) ## run real programs in lanes, in under a minute, and leave nothing behind
	@$(PYTHON) docs/demo.py $(ARGS)

test: $(STAMP) ## run the tests with coverage; ARGS="tests/unit -k name" for some, without it
	@PYTHONPATH=tests $(PYTHON) -m $(if $(ARGS),pytest $(ARGS),kit.measured)

check: $(STAMP) ## run the gates: ruff, mypy, bandit, the rules of the house
	$(VENV)/bin/ruff check --quiet .
	$(VENV)/bin/ruff format --quiet --check .
	$(VENV)/bin/mypy --no-error-summary
	$(VENV)/bin/bandit --quiet --configfile pyproject.toml --recursive $(PRODUCT)
	PYTHONPATH=tests $(PYTHON) -m kit.house

bench: $(STAMP) ## measure this machine; ARGS="--json" for programs
	@$(VENV)/bin/lane bench $(ARGS)

nightly: $(STAMP) ## run the long suite and write docs/reports/nightly.md
	@PYTHONPATH=tests $(PYTHON) -m kit.nightly $(ARGS)

docs: $(STAMP) ## run every command of the README and the quickstart, and compare its output
	@$(PYTHON) -m pytest tests/docs $(ARGS)

clean: ## remove .venv and everything that tools made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* \
		htmlcov build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
