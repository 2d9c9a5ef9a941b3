# `make` lists what there is to run. Two commands matter: `make book` and `make test`.
# Everything built goes under _build/, the environment to .venv/; git ignores both.

PYTHON ?= python3
PRESET ?= ci
SEED   ?= 0
ENGINE ?= auto
TABLE  ?= 1
RECIPE ?=
UV     ?= uv

VENV   := .venv
BIN    := $(VENV)/bin
SETUP  := _build/setup.log

# The environment is made once for one state of the lock, of pyproject.toml and of the
# folder it stands in (a virtual environment cannot be moved), whatever the files' times say.
STATE  := $(shell { pwd; cat requirements.lock pyproject.toml; } | cksum | tr ' ' '-')
READY  := $(VENV)/ready-$(STATE)

# Tests of the real PySR need Julia; without one they are left out.
JULIA  := $(shell command -v julia || command -v juliaup)
NO_JULIA := $(if $(JULIA),, and not julia)

.DEFAULT_GOAL := help
.PHONY: help setup book execute render test test-quick test-julia witness grid lint agree pairs hooks lock clean distclean

help: ## list the targets
	@echo "usage: make TARGET [PRESET=ci|laptop|paper] [SEED=0] [ENGINE=auto|operon|pysr] [PYTHON=python3]"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## make the environment .venv from requirements.lock

$(READY): # made again when requirements.lock or pyproject.toml change
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "symlib needs Python 3.11 or newer, and '$(PYTHON)' is" \
			"$$($(PYTHON) --version 2>/dev/null || echo 'not there')." >&2; \
		echo "Name a newer one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@mkdir -p _build
	@echo "setting up $(VENV): $$(grep -c == requirements.lock) pinned packages, a minute or more" \
		"(what pip says goes to $(SETUP))"
	@start=$$(date +%s); { \
		$(PYTHON) -m venv --clear $(VENV) && \
		$(BIN)/python -m pip install --disable-pip-version-check -r requirements.lock && \
		$(BIN)/python -m pip install --disable-pip-version-check \
			--no-deps --no-build-isolation --editable . && \
		$(BIN)/python -m pip check; \
	} > $(SETUP) 2>&1 || { tail -n 20 $(SETUP) >&2; \
		echo "setting up $(VENV) failed; the whole log is $(SETUP)" >&2; exit 1; }; \
	echo "$(VENV) is ready after $$(( $$(date +%s) - start )) s"
	@touch $@

book: execute ## execute every chapter at PRESET and render the book to _build/html
	@$(BIN)/python -m symlib.book render

execute: $(READY)
	@$(BIN)/python -m symlib.book execute --preset $(PRESET) --seed $(SEED) --engine $(ENGINE)

render: $(READY) ## render again from the chapters executed last
	@$(BIN)/python -m symlib.book render

# Stopped or killed, it goes on where it was. PRESET=ci is two rows and few steps, a test. RECIPE is
# reference, plain or fast; without it, the preset's own.
grid: $(READY) ## run TABLE=1, 3, 5, pruned or all at PRESET by RECIPE; RETRY=1 for what failed
	@$(BIN)/python -m symlib.cli grid --table $(TABLE) --preset $(PRESET) --engine $(ENGINE) \
		$(if $(RECIPE),--recipe $(RECIPE)) $(if $(RETRY),--retry) $(if $(JOBS),--jobs $(JOBS)) $(if $(DRY),--dry-run)

# Two processes share the unit tests, with a thread each; the chapters, and the browser that looks
# at them, come after one another.
test: $(READY) ## every test, the chapters' regression at the ci preset included
	@failed=0; \
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not notebook$(NO_JULIA)" \
		|| failed=1; \
	$(BIN)/python -m pytest -m notebook || failed=1; \
	exit $$failed

test-quick: $(READY) ## the unit tests alone, in under two minutes
	$(BIN)/python -m pytest -n 2 -m "not slow and not notebook and not julia"

test-julia: $(READY) ## the tests of the real PySR; needs Julia
	$(BIN)/python -m pytest -m julia

witness: $(READY) ## write anew what each stage gives, after its version was raised
	PYTHONPATH=tests $(BIN)/python tests/test_witness.py

lint: $(READY) ## ruff, its formatter, who imports whom, types, and the notebook pairs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy
	@$(MAKE) --no-print-directory agree

# No .ipynb holds outputs, and each .py is what jupytext makes of its .ipynb.
agree: $(READY)
	@{ $(BIN)/nbstripout --verify --keep-id notebooks/*.ipynb && for half in notebooks/*.py; do \
		$(BIN)/jupytext --quiet $${half%.py}.ipynb --pipe-fmt py:percent \
			--check "diff --unified=0 $$half -" || exit 1; \
	done; } || { echo "run 'make pairs' if the .py is the half that you edited," \
		"'make pairs FROM=ipynb' if it is the .ipynb" >&2; exit 1; }

pairs: $(READY) ## write the halves of every chapter anew: FROM=py (default) or FROM=ipynb
	@$(BIN)/jupytext --quiet $(if $(filter ipynb,$(FROM)),--to py:percent notebooks/*.ipynb,\
		--to ipynb --update notebooks/*.py)
	@$(BIN)/nbstripout --keep-id notebooks/*.ipynb

hooks: $(READY) ## run lint's checks before every commit
	@$(BIN)/pre-commit install

# Keeps the pins that still fit; UPGRADE=1 takes the newest of everything. The CUDA packages
# are left to torch, whose Linux wheels pin exactly those that they need and whose other
# builds need none.
lock: ## write requirements.lock anew from pyproject.toml (needs uv; UPGRADE=1 for new releases)
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	@mkdir -p _build
	@grep == requirements.lock > _build/lock.out || true
	@grep -o '"setuptools>=[^"]*"' pyproject.toml | tr -d '"' > _build/build.in
	@$(UV) pip compile pyproject.toml _build/build.in --extra book --extra grid --extra test \
		--universal --python-version 3.11 --fork-strategy fewest \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		$(if $(UPGRADE),--upgrade) --quiet --output-file _build/lock.out
	@{ grep '^#' requirements.lock; grep -Ev '^(nvidia|cuda|triton)' _build/lock.out; } > _build/lock.new
	@mv _build/lock.new requirements.lock
	@echo "requirements.lock: $$(grep -c == requirements.lock) packages"

clean: ## remove what was built, keep the environment
	@rm -rf _build .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean ## remove the environment too
	@rm -rf $(VENV) *.egg-info
