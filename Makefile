# Centralino. `make run` serves, `make test` checks; both first build what is missing.
PYTHON ?= python3
VENV := .venv/bin
SETUP = @command -v $(PYTHON) >/dev/null || { echo "set-up: $(PYTHON) is missing: install it with \`apt install python3 python3-venv\`" >&2; exit 1; }; \
	$(PYTHON) -m tools.setup
PYTEST := $(VENV)/python -m pytest $(if $(CI),-m "bare or not bare")
REPORTS := .setup/reports

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup run test test-some test-units test-e2e test-bare lint check bench lock clean

help:
	@echo "make run      build what is missing and serve (ARGS=\"--set sip.port=5062\" is handed on)"
	@echo "make test     build what is missing and run every check and test (TESTS=tests/dsp for some)"
	@echo "make setup    build what is missing, and look again for what was not found"
	@echo "make lint     the checks that run nothing"
	@echo "make bench    one figure: make bench NAME=kernels ARGS=--json"
	@echo "make lock     lock the dependencies again (ARGS=--upgrade takes newer versions)"
	@echo "make clean    remove both environments and everything built; the cache stays"

setup:
	$(SETUP) --retry

run:
	$(SETUP)
	@exec $(VENV)/centralino serve $(ARGS)

test:
	@rm -rf $(REPORTS)
	$(SETUP) --tests
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory --keep-going $(if $(TESTS),test-some,test-units test-e2e)

test-some:
	$(PYTEST) --junitxml=$(REPORTS)/some.xml $(TESTS)

# these keep a processor busy: two processes share them, file by file
test-units:
	$(PYTEST) --junitxml=$(REPORTS)/units.xml --numprocesses=2 --dist=loadfile --no-loadscope-reorder --ignore=tests/e2e

# these listen to calls in real time: one after the other, and with the machine to themselves
test-e2e:
	$(PYTEST) --junitxml=$(REPORTS)/e2e.xml tests/e2e

lint:
	$(SETUP) --tests
	@$(MAKE) --no-print-directory check

check:
	$(VENV)/ruff check --no-cache .
	$(VENV)/ruff format --check .
	$(VENV)/mypy
	$(VENV)/lint-imports
	$(VENV)/python -m tools.gate

bench:
	$(SETUP) --tests
	$(VENV)/python -m bench $(NAME) $(ARGS)

lock:
	$(SETUP) --tests
	@$(VENV)/python -m tools.lock $(ARGS)

# in a bare Debian root made with debootstrap: needs root and fetches everything, so `make test` does it in CI only
test-bare:
	$(SETUP) --tests
	$(VENV)/python -m pytest -m bare tests/tools/test_bare_debian.py

clean:
	rm -rf .venv .venv-rasa .setup build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
