# The README's commands. Everything happens in .venv, made anew when the package's metadata change.
PYTHON ?= python3
BIN := .venv/bin

HEAD := --shrink-to zero --range 0 1 --strengths 1e3 1e6 --half-precision

.PHONY: demo test slow preset nano lint wheel clean

demo: .venv/installed
	$(BIN)/reiqa score tests/photos

test: .venv/tested
	$(BIN)/pytest -n 2 --dist loadfile

# The last file takes up to 14 GiB of memory: beside nothing else.
PAIRS := tests/export/test_resnet50_pairs.py

slow: .venv/tested
	$(BIN)/pytest -n 2 --dist loadfile -m slow --ignore $(PAIRS)
	$(BIN)/pytest -m slow $(PAIRS)

# The default preset from scores.csv of BIQ2021, in a few hours of two cores, and its experts with a
# head as the paper has it: make preset SCORES=biq2021/scores.csv OUT=made
preset: .venv/tested
	$(BIN)/reiqa pretrain $(SCORES) --config quality_lite0_biq2021 --out $(OUT)/run
	$(BIN)/reiqa fit $(SCORES) $(HEAD) --content content_lite0_biq2021 --quality $(OUT)/run/preset \
		--ladders 600 --weigh-parts --out $(OUT)/reiqa_lite0_biq2021
	$(BIN)/reiqa fit $(SCORES) $(HEAD) --content content_lite0_biq2021 --quality $(OUT)/run/preset \
		--out $(OUT)/reiqa_lite0_protocol_biq2021
	$(BIN)/reiqa fit-diagnosis $(SCORES) --preset $(OUT)/reiqa_lite0_biq2021

# The preset for phones: the default's quality expert at one size, with a head of its own. Half an hour
# of two cores: make nano SCORES=biq2021/scores.csv OUT=made
nano: .venv/tested
	$(BIN)/python -c "import reiqa_tf; from reiqa_tf.distillation import config, student; \
		student.new_student(config.load_config('nano_lite0').student, \
		reiqa_tf.load_preset('reiqa_lite0_biq2021'), 0).save_to_preset('$(OUT)/encoder')"
	$(BIN)/reiqa fit $(SCORES) --shrink-to zero --range 0 1 --half-precision --preset $(OUT)/encoder \
		--ladders 600 --weigh-parts --out $(OUT)/reiqa_nano_biq2021

lint:
	.ci/run lint types

wheel:
	.ci/run wheel

clean:
	rm -rf .venv build dist *.egg-info

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/tested: .venv/installed
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@
