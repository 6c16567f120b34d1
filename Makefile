# Centralino. `make run` serves, `make test` checks; both first build what is missing.
PYTHON ?= python3
VENV := .venv/bin
SETUP = @command -v $(PYTHON) >/dev/null || { echo "set-up: $(PYTHON) is missing: install it with \`apt install python3 python3-venv\`" >&2; exit 1; }; \
	$(PYTHON) -m tools.setup
REPORT := .setup/junit.xml

.DEFAULT_GOAL := help
.PHONY: help setup run test lint check bench lock test-bare clean

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
	@rm -f $(REPORT)
	$(SETUP) --tests
	@$(MAKE) --no-print-directory check
	$(VENV)/python -m pytest --junitxml=$(REPORT) $(if $(CI),-m "bare or not bare") $(TESTS)

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
	$(VENV)/python -m pytest -m bare tests/e2e/test_bare_debian.py

clean:
	rm -rf .venv .venv-rasa .setup build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
