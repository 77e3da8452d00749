# Each target sets up what it needs: a virtual environment in .venv, CPU torch, the package with its extras.
PYTHON ?= python3
BIN := .venv/bin
EXTRAS := dev,train
# Python compiles what it imports; pip would compile all there is, which takes longer than everything else here.
INSTALL := -m pip install --quiet --no-compile
OUT := out

.PHONY: demo test test-all lint types docs notebooks bench clean

# The whole path on a made-up corpus, with a Hub on this machine; four minutes on two quiet cores, of which tuning takes half.
demo: .venv/ready
	$(BIN)/python tests/demo.py --out $(OUT)/demo

test: .venv/ready
	$(BIN)/python -m pytest -m "not slow" $(PYTEST)

test-all: .venv/ready-all .venv-inspect/ready
	$(BIN)/python -m pytest $(PYTEST)

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready
	$(BIN)/mypy

# The site, in out/site; a page that the navigation lacks and a link that leads nowhere fail it.
docs: .venv/ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --site-dir $(OUT)/site

# Runs the notebooks and writes what their cells print into them.
notebooks: .venv/ready
	$(BIN)/python tests/notebooks.py docs/notebooks/*.ipynb

bench: .venv/ready
	$(BIN)/python benchmarks/build.py

clean:
	rm -rf .venv .venv-inspect $(OUT)

# torch comes first and pinned: its CPU build, where one is at hand, keeps the accelerator libraries away.
.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python $(INSTALL) --upgrade pip
	$(BIN)/python $(INSTALL) torch==2.13.0
	$(BIN)/python $(INSTALL) --editable ".[$(EXTRAS)]"
	touch .venv/ready

# Ray and Argilla are large: their tests run in test-all alone.
.venv/ready-all: .venv/ready
	$(BIN)/python $(INSTALL) --editable ".[$(EXTRAS),ray]" argilla
	touch .venv/ready-all

# Inspect wants other versions of some packages than datasets allows, so it has an environment of its own; what is not in
# it comes from .venv, torch among them.
.venv-inspect/ready: .venv/ready
	$(PYTHON) -m venv .venv-inspect
	echo "import site; site.addsitedir('$$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])')')" \
		> "$$(.venv-inspect/bin/python -c 'import site; print(site.getsitepackages()[0])')/base.pth"
	.venv-inspect/bin/python $(INSTALL) "inspect-ai>=0.3.250,<0.4"
	touch .venv-inspect/ready
