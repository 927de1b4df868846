# make demo                  the decision tree of the five-minute example, from training to a scored request
# make demo MODEL=cifar10    the same for a small Keras CNN
# make test                  every test, with a Docker engine and Azure's own inference server set up for them
# make check                 lint, format, strict types
# make sbom                  what the image is made of, as CycloneDX, in out/sbom; IMAGE=NAME: of a built image
# make audit                 known vulnerabilities in the releases that are pinned, by pip-audit
# make bench                 the speed of ours, of Azure's own inference server and of MLServer, side by side (25 minutes)
#
# Needs python3 (3.11 to 3.13), make and git. Each target installs what it needs into .venv, once.
# Some tests of deployments want kubectl (1.27 or newer), Node.js with npm, and podman, which they install on Debian; where
# they are not there the tests are skipped, on CI that is a failure.

MODEL ?= breast_cancer
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)

VENV := .venv
PY := $(VENV)/bin/python
JUDGE := .cache/judge
AZURE := .cache/azure
AZUREML := .cache/azureml
KSERVE := .cache/kserve
AZURITE := .cache/azurite
DASK_KUBERNETES := .cache/dask-kubernetes
PLAIN := .cache/plain
MLSERVER := .cache/mlserver
SERVE := .cache/serve
SUPPLY := .cache/supply
PINS := constraints/dev.txt
# pip names each package index that it passes over; only what fails is worth a line.
INSTALL := -m pip install -qq --disable-pip-version-check

MODELS := breast_cancer cifar10
ifeq ($(filter $(MODEL),$(MODELS)),)
$(error There is no example MODEL=$(MODEL); there are: $(MODELS))
endif
DEMO_NEEDS := $(if $(filter cifar10,$(MODEL)),$(VENV)/.with-keras,$(VENV)/.with-sklearn)

.PHONY: demo test check sbom audit bench docs screenshots dashboard clean
.DELETE_ON_ERROR:

demo: $(DEMO_NEEDS)
	@$(PY) examples/$(MODEL).py

# A file's tests share servers, so they stay in one process; the container tests share an engine, so they run by themselves.
# Without an engine the container tests are skipped and say so; on CI that is a failure.
test: $(VENV)/.with-dev $(JUDGE)/.done $(AZURE)/.done $(AZUREML)/.done $(PLAIN)/.done $(KSERVE)/.done \
		$(AZURITE)/.done $(DASK_KUBERNETES)/.done $(SUPPLY)/.done
	@tests/docker/engine.sh || test -z "$$CI"
	@$(PY) -m pytest -n auto --maxprocesses 4 --dist loadfile --ignore tests/docker --ignore tests/deploy/azureml
	@$(AZUREML)/bin/python -m pytest -n auto --maxprocesses 2 --dist loadfile tests/deploy/azureml
	@$(PY) -m pytest tests/docker

check: $(VENV)/.with-dev
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

# Of the pins that every image's service is installed by; with IMAGE, of all that is installed in that image, its bundle's
# requirements too.
SBOM := out/sbom
IMAGE ?=
AS_SBOM := $(SUPPLY)/bin/cyclonedx-py requirements --of JSON --spec-version 1.6 --output-reproducible
LISTED := from importlib.metadata import distributions as d; \
	print(*sorted({x.name.lower() + "==" + x.version for x in d()}), sep="\n")
sbom: $(SUPPLY)/.done
	@mkdir -p $(SBOM)
	@$(AS_SBOM) -o $(SBOM)/service.cdx.json scorewright/build/constraints.txt
	@$(AS_SBOM) -o $(SBOM)/batch.cdx.json scorewright/build/constraints-batch.txt
	@if [ -n "$(IMAGE)" ]; then \
	    docker run --rm --network none --entrypoint python "$(IMAGE)" -c '$(LISTED)' >$(SBOM)/image.txt && \
	    $(AS_SBOM) -o $(SBOM)/image.cdx.json $(SBOM)/image.txt; fi
	@ls $(SBOM)/*.cdx.json

# A release that pip-audit has no data of counts as a failure: by itself it would end well, having looked at nothing.
AUDITED ?= $(wildcard scorewright/build/constraints*.txt) constraints/dev.txt
audit: $(SUPPLY)/.done
	@unclean=; for pins in $(AUDITED); do \
	    echo "auditing $$pins"; \
	    $(SUPPLY)/bin/pip-audit --strict --disable-pip --no-deps --progress-spinner off -r $$pins || unclean="$$unclean $$pins"; \
	done; \
	if [ -n "$$unclean" ]; then \
	    echo "Not found clean:$$unclean. What pip-audit found stands above; if it says that something could not be" \
	        "audited, its data (PyPI's JSON API) cannot be reached from here, and nothing is known of these releases." >&2; \
	    exit 1; fi

# Needs wrk (on Debian: apt-get install wrk). Everything else on the machine should be at rest.
bench: $(VENV)/.with-dev $(JUDGE)/.done $(MLSERVER)/.done $(SERVE)/.done
	@$(PY) -m benchmarks --out docs/benchmarks

# The docs' pictures of a load test's report; REPORT is its folder. Needs Chromium (on Debian: apt-get install chromium).
screenshots: $(VENV)/.with-dev
	@$(PY) -m benchmarks.screenshots $(REPORT)

# The docs' picture of the dashboard under a load test, without Grafana (4 minutes). Needs Prometheus (on Debian: apt-get
# install prometheus).
dashboard: $(VENV)/.with-dev
	@$(PY) -m benchmarks.dashboard

# docs/cli.md, from the commands' own help; a test holds it against them.
docs: $(VENV)/.with-dev
	$(PY) -m typer scorewright.cli utils docs --name scorewright --output docs/cli.md

# What users of Azure ML have installed beside us: flask and azureml-core, which ask for older releases than our tests.
$(AZURE)/.done: $(VENV)/.made constraints/azure.txt pyproject.toml
	@echo "installing scorewright beside azureml-core into $(AZURE)"
	@$(PYTHON) -m venv --clear $(AZURE)
	@$(AZURE)/bin/python $(INSTALL) -r constraints/azure.txt -e .
	@touch $@

# The same without flask, which Locust brings into $(VENV), and with what the tests' scripts import.
$(PLAIN)/.done: $(VENV)/.made $(PINS) pyproject.toml
	@echo "installing scorewright, without flask, into $(PLAIN)"
	@$(PYTHON) -m venv --clear $(PLAIN)
	@$(PLAIN)/bin/python $(INSTALL) -c $(PINS) -e . inference-schema pandas

# Azure ML's SDKs ask for older releases of what our tests have; their tests run beside them.
$(AZUREML)/.done: $(VENV)/.made constraints/azureml.txt pyproject.toml
	@echo "installing Azure ML's SDKs into $(AZUREML) (some minutes)"
	@$(PYTHON) -m venv --clear $(AZUREML)
	@$(AZUREML)/bin/python $(INSTALL) -c constraints/azureml.txt -e '.[azureml,azureml-v1,docker]' \
		hypothesis pytest pytest-timeout pytest-xdist
	@touch $@

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis dist

$(VENV)/.made:
	@if [ -z "$(PYTHON)" ]; then \
	    echo "Python 3.11, 3.12 or 3.13 is needed, and none is on the PATH: name one with make PYTHON=..." >&2; exit 1; fi
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments: install its venv (on Debian: apt-get install python3-venv)." >&2; \
	    exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.with-sklearn: $(VENV)/.made pyproject.toml $(PINS)
	@echo "installing scorewright and scikit-learn into $(VENV)"
	@$(PY) $(INSTALL) -c $(PINS) -e '.[sklearn]'
	@touch $@

$(VENV)/.with-keras: $(VENV)/.made pyproject.toml $(PINS)
	@echo "installing scorewright, scikit-learn, Keras and TensorFlow into $(VENV) (some minutes)"
	@$(PY) $(INSTALL) -c $(PINS) -e '.[sklearn,keras]'
	@touch $@ $(VENV)/.with-sklearn

$(VENV)/.with-dev: $(VENV)/.made pyproject.toml $(PINS)
	@echo "installing scorewright, its tests' needs, Keras and TensorFlow into $(VENV) (some minutes)"
	@$(PY) $(INSTALL) -c $(PINS) -e '.[dev,keras]'
	@touch $@ $(VENV)/.with-sklearn $(VENV)/.with-keras

# Azure's server needs releases that scorewright does not: it judges from an environment of its own.
$(JUDGE)/.done: $(VENV)/.made constraints/judge.txt
	@echo "installing Azure's inference server into $(JUDGE) (some minutes)"
	@$(PYTHON) -m venv --clear $(JUDGE)
	@$(JUDGE)/bin/python $(INSTALL) -r constraints/judge.txt
	@touch $@

# kserve's client, too, brings releases of its own.
$(KSERVE)/.done: $(VENV)/.made constraints/kserve.txt
	@echo "installing kserve's client into $(KSERVE) (some minutes)"
	@$(PYTHON) -m venv --clear $(KSERVE)
	@$(KSERVE)/bin/python $(INSTALL) -r constraints/kserve.txt
	@touch $@

# Stands in for Azure Blob Storage. Without npm the tests that need it are skipped and say so; on CI that is a failure.
# A release that does not yet ask for Node.js 22.
$(AZURITE)/.done:
	@if command -v npm >/dev/null; then \
	    echo "installing Azurite into $(AZURITE)"; \
	    npm install --silent --no-audit --no-fund --prefix $(AZURITE) azurite@3.35.0 && touch $@; \
	else echo "npm is not installed: the tests on Azure Blob Storage are skipped" >&2; test -z "$$CI"; fi

# Only for the schema of its DaskCluster: what its operator imports is not installed.
$(DASK_KUBERNETES)/.done: $(VENV)/.made constraints/dask-kubernetes.txt
	@$(PY) $(INSTALL) --no-deps --upgrade --target $(DASK_KUBERNETES) -r constraints/dask-kubernetes.txt
	@touch $@

# What an image has that serves a plain scikit-learn model or an ONNX one: no pandas, no TensorFlow.
$(SERVE)/.done: $(VENV)/.made $(PINS) pyproject.toml
	@echo "installing scorewright, scikit-learn and onnxruntime into $(SERVE)"
	@$(PYTHON) -m venv --clear $(SERVE)
	@$(SERVE)/bin/python $(INSTALL) -c $(PINS) -e . joblib scikit-learn onnxruntime
	@touch $@

$(SUPPLY)/.done: $(VENV)/.made constraints/supply.txt
	@echo "installing what makes the bill of materials into $(SUPPLY)"
	@$(PYTHON) -m venv --clear $(SUPPLY)
	@$(SUPPLY)/bin/python $(INSTALL) -r constraints/supply.txt
	@touch $@

# MLServer asks for an older FastAPI than ours.
$(MLSERVER)/.done: $(VENV)/.made constraints/mlserver.txt
	@echo "installing MLServer into $(MLSERVER) (some minutes)"
	@$(PYTHON) -m venv --clear $(MLSERVER)
	@$(MLSERVER)/bin/python $(INSTALL) -r constraints/mlserver.txt
	@touch $@
