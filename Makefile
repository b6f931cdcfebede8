# The commands of daily work; `make` alone lists them.
#
# Reads pyproject.toml and constraints.txt; writes .venv, and what the commands write. Everything runs in .venv, which
# is made on first use and again only when one of the two files changes. SCALE=demo or SCALE=paper picks an overlay.

PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
STAMP := .venv/.installed
WHEELS ?= wheels
TARGET ?= 3.12
# A file of tests stays in one process, since its tests share what they prepare; the longest files are collected first.
SIDE_BY_SIDE := --numprocesses 2 --dist loadfile --no-loadscope-reorder
FIRST := examples_7 mean_change
# Where the CPU build of PyTorch comes from with CPU=1, which leaves out 4 GB of libraries for GPUs (Linux).
CPU_WHEELS ?= https://download.pytorch.org/whl/cpu
CPU_BUILD = $(if $(CPU),--extra-index-url $(CPU_WHEELS) $(shell sed -n 's/^  "\(torch\(vision\)\{0,1\}==[^"]*\)".*/\1+cpu/p' pyproject.toml))
NO_CPU_BUILD = If pip found no CPU build of PyTorch, name an index that has the versions of pyproject.toml \
  (make install CPU=1 CPU_WHEELS=ADDRESS), or leave out CPU=1.
OVERLAY = $(if $(SCALE),--configfile scales/$(SCALE).yaml)

.DEFAULT_GOAL := help
.PHONY: help install comparators first-look demo fetch test test-fast test-slurm test-all lint format targets study \
  snakemake-report docs overlay publish bench bench-training bench-scale wheels paper-on-gpu clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | awk -F '\t' '{ printf "  make %-16s %s\n", $$1, $$2 }'

install: $(STAMP) ## make .venv with everything that is needed (CPU=1: without libraries for GPUs; CPU_WHEELS=)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or newer is needed, but '$(PYTHON)' is older or missing: name one, as in make PYTHON=python3.13"; \
	  exit 1; }
	@$(PYTHON) -m venv .venv || { \
	  echo "'$(PYTHON) -m venv' failed: on Debian and Ubuntu, install the package python3-venv"; exit 1; }
	$(BIN)/pip install -q --constraint constraints.txt '.[dev]' $(CPU_BUILD)$(if $(CPU), || { echo "$(NO_CPU_BUILD)"; exit 1; })
	@touch $@

comparators: $(STAMP) ## add the library of scales/comparators.yaml, whose attacks ours are compared with
	$(BIN)/pip install -q --no-deps adv-lib==0.2.8

first-look: $(STAMP) ## two figures in about a minute, of hardly trained networks: what comes out
	$(BIN)/snakemake --cores $(CORES) $(FIRST:%=results/first-look/mnist/figures/%.png) \
	  --configfile scales/demo.yaml scales/first-look.yaml

demo: $(STAMP) ## the whole experiment in small; needs no network once installed
	$(BIN)/snakemake --cores $(CORES) --configfile scales/demo.yaml

fetch: $(STAMP) ## download and verify what needs a network (SCALE=paper for that scale)
	$(BIN)/snakemake --cores 1 fetch $(OVERLAY)

test: $(STAMP) ## all tests but those of make test-slurm, on two cores
	$(BIN)/python -m pytest -m "not slurm" $(SIDE_BY_SIDE)

test-fast: $(STAMP) ## in seconds: the unit tests without PyTorch, figures and child processes
	$(BIN)/python -m pytest --fast --numprocesses 2

test-all: test test-slurm ## all tests

test-slurm: $(STAMP) ## the workflow and its failures on a small Slurm, which is installed and started (Debian, as root)
	$(BIN)/python -m pytest -m slurm -rs

lint: $(STAMP) ## style, formatting, types and the workflow's own rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy
	$(BIN)/snakemake --lint

format: $(STAMP) ## format the code
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

targets: $(STAMP) ## list what can be asked for by name (SCALE=demo for the demo's)
	@$(BIN)/snakemake --list-target-rules $(OVERLAY)

study: $(STAMP) ## the study as one page, study.html in the folder of results (SCALE=demo for the demo's)
	$(BIN)/snakemake --cores $(CORES) write_study_page $(OVERLAY)
	@echo "Open results/$(if $(SCALE),$(SCALE)/)study.html"

snakemake-report: $(STAMP) ## Snakemake's own page, snakemake-report.html: results, captions, run times (SCALE= likewise)
	$(BIN)/snakemake $(OVERLAY) --report snakemake-report.html

docs: $(STAMP) ## write docs/configuration.md, from the schema, and docs/packages.svg, from the code
	$(BIN)/python docs/write_configuration.py
	$(BIN)/python docs/draw_packages.py

overlay: $(STAMP) ## write NAME.yaml, a study of your own IMAGES, or of a DATASET of torchvision (FACTORY=, WEIGHTS=: your network)
	@$(BIN)/python tools/write_overlay.py "$(NAME)" "$(IMAGES)" $(if $(DATASET),--dataset "$(DATASET)") \
	  $(if $(SPLIT),--split "$(SPLIT)") $(if $(SIZE),--size "$(SIZE)") \
	  $(if $(FACTORY),--factory "$(FACTORY)") $(if $(WEIGHTS),--weights "$(WEIGHTS)")

publish: $(STAMP) ## copy a finished study into docs/results/NAME (RESULTS=its folder, OVERLAYS=its --configfile)
	$(BIN)/snakemake --cores $(CORES) $(RESULTS)/run_time $(if $(OVERLAYS),--configfile $(OVERLAYS))
	$(BIN)/python docs/publish.py $(NAME) $(RESULTS) $(OVERLAYS)

bench: $(STAMP) ## time the demo, a dry-run, the start of a job, and the attack (results/bench)
	$(BIN)/python benchmarks/workflow.py
	$(BIN)/snakemake --cores $(CORES) results/bench/mnist/speed \
	  --configfile scales/demo.yaml --config results=results/bench

bench-training: $(STAMP) ## images per second that each network trains on, and the share of the device's peak
	$(BIN)/python benchmarks/training.py $(OVERLAY)

bench-scale: $(STAMP) ## what the workflow adds to its jobs, and a second node brings: 15 minutes (Debian, as root)
	$(BIN)/python benchmarks/scale.py

wheels: $(STAMP) ## fill WHEELS with what paper-on-gpu installs, for Python TARGET, without the packages in HAS
	$(BIN)/python tools/collect_wheels.py $(WHEELS) --python $(TARGET) --without $(HAS)

paper-on-gpu: ## the paper scale on a GPU machine without a network, which has PyTorch (WHEELS=, MIRROR=, CIFAR=, OUTPUT=)
	PYTHON=$(PYTHON) tools/paper_scale.sh --wheels "$(WHEELS)" --mirror "$(MIRROR)" --cifar "$(CIFAR)" --output "$(OUTPUT)"

clean: ## remove caches; never results
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
	find scripts tests -name __pycache__ -type d -exec rm -rf {} +
