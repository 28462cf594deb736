# Everything happens in .venv, which is made when it is missing or older than the package's metadata.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test slow lint clean

demo: .venv/installed
	$(BIN)/reiqa score tests/photos

test: .venv/tested
	$(BIN)/pytest

slow: .venv/tested
	$(BIN)/pytest -m "slow or not slow"

lint: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf .venv build *.egg-info

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/tested: .venv/installed
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@
