# Every target creates the virtual environment .venv on first use, and installs into it again only
# when pyproject.toml or constraints.txt has changed.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
EXTRAS := browser,dashboard,export,joblib,notebook,packaging,postgres,ray,slurm,system-metrics,tensorboard,wandb
# One more than there are cores, because some tests wait for other processes or for a time to pass.
PROCESSES ?= $(shell $(PYTHON) -c "import os; print(1 + os.cpu_count())")
BY_FILE := --dist loadfile --no-loadscope-reorder
FUZZ_SECONDS ?= 60
KILLS ?= 50
TRIALS ?= 2000
MINUTES ?= 60
SEED ?= 0
DEVICE ?= cuda
GPU_OPTIONS ?=

.PHONY: train test test-heavy test-all test-oldest test-newest check format fuzz faults soak \
	audit lock gpu gpu-configs clean

train: $(STAMP)
	$(BIN)/python train.py

# In the order of the folders, because the slowest files are in e2e and the fastest in unit:
# pytest-xdist's own order by numbers of tests ends with slow files, while a process idles.
test: $(STAMP)
	$(BIN)/python -m pytest -m "not heavy" --numprocesses $(PROCESSES) $(BY_FILE)

# The long tests, and those that need servers, Slurm, Ray or a browser. On Debian, .ci/packages
# installs what they need. Much of their time they wait for servers, so three share two cores.
test-heavy: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[$(EXTRAS)]"
	$(BIN)/python -m pytest -m heavy --numprocesses 3 $(BY_FILE)

test-all: test test-heavy

# The tests' core with the oldest and the newest versions that pyproject.toml allows, each in a
# virtual environment of its own. Both download another torch.
test-oldest: RESOLUTION := lowest-direct
test-newest: RESOLUTION := highest
test-oldest test-newest: $(STAMP)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-$@
	$(BIN)/uv pip compile --quiet --resolution $(RESOLUTION) --prerelease allow \
		$(UV_FLAGS) --python .venv-$@/bin/python pyproject.toml --output-file .venv-$@/versions.txt
	$(BIN)/uv pip install --quiet $(UV_FLAGS) --python .venv-$@/bin/python \
		--requirement .venv-$@/versions.txt \
		pytest pytest-xdist hypothesis jsonschema scikit-learn
	$(BIN)/uv pip install --quiet --no-deps --python .venv-$@/bin/python --editable .
	.venv-$@/bin/python -m pytest -m "not heavy" --numprocesses 2 --dist loadfile \
		tests/unit tests/integration

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

# With RECORD=FILE, each killed run and sweep is noted there when it has ended, and the same command
# continues from there.
faults: $(STAMP)
	PYTHONPATH=tests $(BIN)/python -m faults --kills $(KILLS) --trials $(TRIALS) \
		$(if $(RECORD),--record $(RECORD))

# A storm of faults over sweeps and runs; python -m faults.soak says what it needs.
soak: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[postgres]"
	PYTHONPATH=tests $(BIN)/python -m faults.soak --minutes $(MINUTES) --seed $(SEED)

# The hashes of the versions in constraints.txt, and a bill of materials for the release.
lock: $(STAMP)
	$(BIN)/python -m pip install --quiet --dry-run --ignore-installed --no-deps \
		--requirement constraints.txt --report .venv/report.json
	$(BIN)/python .ci/lock.py .venv/report.json hashes.txt sbom.json

# Exits with 3 if nothing was audited, as without a network; OSV is then a copy of the database.
audit: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[audit]"
	$(BIN)/python .ci/audit.py constraints.txt $(if $(OSV),--osv $(OSV))

# GPU machines often have no network, so nothing is installed where PYTHON has what this needs.
# With $(MAKE) instead of make, --dry-run would run the whole recipe.
gpu:
	@python=$(PYTHON); \
	$$python -c "import numba, numpy, safetensors, scipy, torch" 2>/dev/null || \
	{ make --no-print-directory $(STAMP) && python=$(BIN)/python; } && \
	PYTHONPATH=src $$python -m framesweep.bench.gpu --device $(DEVICE) $(GPU_OPTIONS)

gpu-configs: $(STAMP)
	$(BIN)/python -m framesweep.bench.gpu.compose_configs

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $(STAMP)

clean:
	rm -rf .venv build dist
