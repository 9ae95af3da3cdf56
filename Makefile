# Every target creates the virtual environment .venv on first use, and installs into it again only
# when pyproject.toml or constraints.txt has changed.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
EXTRAS := browser,dashboard,joblib,packaging,postgres,ray,slurm
FUZZ_SECONDS ?= 60
KILLS ?= 50

.PHONY: train test test-heavy test-all check format fuzz faults audit clean

train: $(STAMP)
	$(BIN)/python train.py

test: $(STAMP)
	$(BIN)/python -m pytest -m "not heavy" --numprocesses auto --dist loadfile

# The long tests, and those that need servers, Slurm, Ray or a browser. On Debian, .ci/packages
# installs what they need.
test-heavy: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[$(EXTRAS)]"
	$(BIN)/python -m pytest -m heavy --numprocesses 2 --dist loadfile

test-all: test test-heavy

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file tests/mypy.ini
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry src

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

fuzz: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[fuzz]"
	$(BIN)/python tests/fuzz/run.py --seconds $(FUZZ_SECONDS)

faults: $(STAMP)
	PYTHONPATH=tests $(BIN)/python -m faults --kills $(KILLS)

# Packages that the vulnerability database does not know are listed and do not count as failures.
audit: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[audit]"
	$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip --progress-spinner off

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $(STAMP)

clean:
	rm -rf .venv build dist
