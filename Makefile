# Everything runs in .venv, which a target makes when it is missing and refreshes when
# requirements.txt or pyproject.toml has changed. Choose its Python with PYTHON=...

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
COLAB := .venv-colab

# The real data set may lie beside the project; a variable that is set already wins.
ifeq ($(origin FMNIST_DATA_DIR),undefined)
ifneq ($(wildcard ../shared/data/fashion-mnist),)
export FMNIST_DATA_DIR := $(abspath ../shared/data/fashion-mnist)
endif
endif
export TF_CPP_MIN_LOG_LEVEL ?= 3
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help book pdf test test-all test-site test-colab lint clean

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

book: $(READY) ## run every chapter and build the site
	@$(BIN)/fmnist book

pdf: book ## print the site as _build/book.pdf, where there is a Chromium
	@$(BIN)/python -m fmnist_utils.book.pdf

lint: $(READY) ## check style and types
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary

test: lint ## lint, quick tests, and every chapter against its stored output
	@$(call run_tests,-m "not slow")

test-all: lint ## the same with slow tests: killed processes, clusters, smoke runs
	@$(call run_tests)

test-site: book ## the built site in Chromium: search, accessibility, phones, weight, print
	@FMNIST_SITE=_build/html $(BIN)/pytest --quiet -rs tests/test_site.py

test-colab: $(READY) $(COLAB)/.ready ## every page as a reader in Colab runs it; needs a python3.12
	@FMNIST_COLAB=$(COLAB) $(BIN)/pytest --quiet -rs tests/test_colab.py

# One pytest run for tests and notebooks, so that its last line counts both. Each core takes whole
# files: a notebook needs one kernel from top to bottom. The notebooks come last, for the cores to
# end together.
define run_tests
what=(tests); \
if [ -e "$${FMNIST_DATA_DIR:-}/train-images-idx3-ubyte.gz" ]; then \
    what+=(--nbval --nbval-current-env --nbval-kernel-startup-timeout 600); \
    what+=($(wildcard index.ipynb chapters/*.ipynb)); \
else \
    echo "Chapters not checked: FMNIST_DATA_DIR names no folder with the Fashion-MNIST files."; \
fi; \
$(BIN)/pytest --quiet --numprocesses auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder \
    $(1) "$${what[@]}"
endef

clean: ## remove what make made; trained runs stay
	@rm -rf $(VENV) $(COLAB) _build build test-reports *.egg-info .*_cache .hypothesis
	@find . -name __pycache__ -prune -exec rm -rf {} +

# The stamp is written last: a half-made environment is made anew, an outdated one refreshed.
$(READY): requirements.txt pyproject.toml
	@python=$$(for candidate in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
	    "$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	        2>/dev/null && echo "$$candidate" && break; \
	done) || { echo "No Python 3.11 to 3.13 found: install one or name it with PYTHON=..." >&2; exit 1; }; \
	echo "Setting up $(VENV) with $$("$$python" --version) (some minutes the first time)"; \
	[ -e $@ ] || "$$python" -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -qq -r requirements.txt
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation -e .
	@touch $@

# Without our own package, which the tests install as a page does.
$(COLAB)/.ready: requirements-colab.txt
	@$(or $(COLAB_PYTHON),python3.12) -c "" 2>/dev/null || { \
	    echo "Colab has Python 3.12: install one or name it with COLAB_PYTHON=..." >&2; exit 2; }
	@$(or $(COLAB_PYTHON),python3.12) -m venv --clear $(COLAB)
	@$(COLAB)/bin/python -m pip install -qq -r requirements-colab.txt
	@touch $@
