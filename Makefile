# `make help` lists what there is. Everything happens in .venv; nothing outside this folder changes,
# but for the browser that `make test` installs where it may.

PYTHON ?= python3
BIN := .venv/bin
BENCHMARKS := benchmarks/patchmatch.py benchmarks/inference.py benchmarks/startup.py

# Built-in rules would only slow make down, and one tool must not see another's environment.
MAKEFLAGS += --no-builtin-rules
unexport PYTHONPATH PYTHONHOME
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help venv demo test test-slow lint format bench docs gallery package licenses audit constraints hooks clean
.DEFAULT_GOAL := help

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

venv: .venv/.created ## make .venv, and install nothing yet

demo: .venv/.installed ## set up, and fill the photo in examples/
	@mkdir -p out/demo
	@echo
	$(BIN)/gatefill inpaint examples/marsh.jpg examples/marsh_mask.png -o out/demo/marsh.jpg
	@$(BIN)/python scripts/demo_hints.py

test: lint ## set up, check the code, and run the tests
	@if [ -f scripts/install_chromium.sh ]; then sh scripts/install_chromium.sh || \
		echo "no browser could be installed: its tests will be skipped"; fi
	@$(BIN)/gatefill fetch selection || \
		echo "the networks that find objects, people and text did not come: their tests will be skipped"
	@[ -d examples/browser/vendor ] || $(BIN)/python examples/browser/prepare.py > /dev/null || \
		echo "onnxruntime-web did not come: the tests of examples/browser will be skipped"
	$(BIN)/pytest -m "not slow"

test-slow: .venv/.installed ## run the heavy tests that `make test` leaves out
	$(BIN)/pytest -m slow --timeout 1800

lint: .venv/.installed ## check style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.installed ## put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.bench ## measure what README claims, and print its tables
	@for script in $(BENCHMARKS); do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

docs: .venv/.docs ## build the documentation site into site/
	$(BIN)/python scripts/site.py

gallery: .venv/.installed ## run the examples of the gallery, and take their pictures into docs/
	$(BIN)/python scripts/gallery.py

package: .venv/.release ## build sdist and wheel into dist/, check them, and run the wheel
	$(BIN)/python scripts/check_package.py --try

licenses: .venv/.release ## list the licenses of all packages that gatefill installs
	@$(BIN)/python scripts/licenses.py --check

audit: .venv/.release ## look for known vulnerabilities of the tested versions
	$(BIN)/pip-audit --strict --requirement constraints.txt --no-deps --disable-pip

constraints: .venv/.bench .venv/.docs .venv/.release ## write constraints.txt from what is installed in .venv
	$(BIN)/pip freeze --all --exclude-editable | sed 's/+[a-z0-9.]*$$//' | \
		grep -v -e '^pip==' -e '^gatefill==' > constraints.tmp
	mv constraints.tmp constraints.txt
	touch .venv/.installed .venv/.bench .venv/.docs .venv/.release

hooks: .venv/.installed ## check every commit before it is made
	$(BIN)/pre-commit install

clean: ## remove what make made; runs/ and your own files in out/ stay
	rm -rf .venv site out/demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is newer than what it was installed from: a second call installs nothing.
.venv/.installed: pyproject.toml constraints.txt | .venv/.created
	$(BIN)/python -m pip install --upgrade --quiet pip
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[all]' --group dev
	@touch $@

.venv/.bench: .venv/.installed
	$(BIN)/python -m pip install --constraint constraints.txt --group bench
	@touch $@

.venv/.docs: .venv/.installed
	$(BIN)/python -m pip install --constraint constraints.txt --group docs
	@touch $@

.venv/.release: .venv/.installed
	$(BIN)/python -m pip install --constraint constraints.txt --group release
	@touch $@

.venv/.created:
	@sh scripts/make_venv.sh "$(PYTHON)"
	@touch $@
