# Needs Python 3.11-3.13 and make; everything else goes into .venv.
.DEFAULT_GOAL := help
.PHONY: help setup spark lock uplift reproduce viz check test e2e docs figures card bench clean

PYTHON ?= $(shell for c in python3 python3.12 python3.11 python3.13 python; do \
	$$c -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1 && { echo $$c; break; }; done)
UV_VERSION := 0.13.9
BIN := .venv/bin
INSTALLED := .venv/.installed
SPARK := .venv/.spark

export KEDRO_DISABLE_TELEMETRY := 1
export MLFLOW_DISABLE_TELEMETRY := true
export UV_PYTHON_DOWNLOADS := never

help: ## show this list
	@awk -F':.*## ' '/^[a-z0-9]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## build .venv from requirements.lock

$(INSTALLED): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 found: install one, or name it: make setup PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes --compile-bytecode -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

spark: $(SPARK) ## add Spark to .venv, to score in it (needs Java at run time)

$(SPARK): spark.lock $(INSTALLED)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r spark.lock
	@touch $@

LOCK := --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet

lock: ## resolve both locks anew (needs uv in .venv)
	$(BIN)/uv pip compile pyproject.toml --extra dev $(LOCK) -o requirements.lock
	$(BIN)/uv pip compile --group spark $(LOCK) -o spark.lock

uplift: $(INSTALLED) ## the main job on real data: raw tables to verdict, MLflow run, model, targeting list
	$(BIN)/kedro run --pipelines uplift

reproduce: $(INSTALLED) ## run a tracked run again and compare every figure (RUN=its id)
	$(BIN)/promo-uplift reproduce $(RUN) $(if $(CURRENT_CODE),--current-code)

viz: $(INSTALLED) ## open the pipelines in a browser
	$(BIN)/kedro viz run

check: $(INSTALLED) ## style, types, imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check $(SPARK) ## every check and test, end to end at test size included
	$(BIN)/pytest -m "not e2e" --numprocesses=logical --maxprocesses=4 --dist=loadfile
	$(BIN)/pytest -m e2e

e2e: $(INSTALLED) ## only the end-to-end tests
	$(BIN)/pytest -m e2e

docs: $(INSTALLED) ## build the documentation into site/
	$(BIN)/mkdocs build --strict

figures: $(INSTALLED) ## take the newest runs' profit curve and forest plot into the documentation
	$(BIN)/python -c "from PIL import Image; \
		Image.open('data/08_reporting/profit_curve.png').convert('P', palette=1, colors=64) \
		.save('docs/figures/profit_curve.png', optimize=True)"
	$(BIN)/python -c "from PIL import Image; \
		i = Image.open('data/08_reporting/campaign_figures/lenses.png').convert('RGB'); \
		i.resize((720, 720 * i.height // i.width)).convert('P', palette=1, colors=32) \
		.save('docs/figures/lenses.png', optimize=True)"

card: $(INSTALLED) ## measure every estimator where the truth is known (ROOT=folder of outside sets)
	$(BIN)/kedro run --pipelines simulation --to-outputs world_profile
	$(BIN)/kedro run --env table --pipelines outside_sets $(if $(ROOT),--params benchmark.root=$(ROOT))
	$(if $(ROOT),$(BIN)/python -m benchmarks.outside_page)
	$(BIN)/kedro run --pipelines benchmark
	cp data/08_reporting/benchmark/trust-card.md docs/trust-card.md

bench: $(INSTALLED) ## measure speed and error against the alternatives, side by side
	$(BIN)/python -m benchmarks.trials
	$(BIN)/python -m benchmarks.simulation
	$(BIN)/python -m benchmarks.ranking
	$(BIN)/python -m benchmarks.ranking --size
	$(BIN)/python -m benchmarks.run
	$(BIN)/python -m benchmarks.learners
	$(BIN)/python -m benchmarks.learners --forest --scaling
	$(BIN)/python -m benchmarks.champion
	$(BIN)/python -m benchmarks.policy_profit
	$(BIN)/python -m benchmarks.allocation

clean: ## remove the environment and every result
	rm -rf .venv site mlartifacts mlflow.db
	find data -type f ! -name .gitkeep ! -name README.md -delete
