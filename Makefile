# The README's commands. Everything happens in .venv, made anew when the package's metadata change.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test slow lint clean

demo: .venv/installed
	$(BIN)/reiqa score tests/photos

test: .venv/tested
	$(BIN)/pytest

slow: .venv/tested
	$(BIN)/pytest -m slow

lint: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf .venv build *.egg-info

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[onnx]'
	touch $@

.venv/tested: .venv/installed
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@
