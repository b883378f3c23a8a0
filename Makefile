# Understudy: every command a developer needs. `make` alone teaches them.
#
# Two of them matter: `make demo` shows the product, `make test` says whether it works. Both install what is missing
# (as root) or say exactly what to install, and both tell what they do while they do it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The plugins are built for WebAssembly: a folder of their own keeps the two builds from undoing each other.
export CARGO_TARGET_DIR ?= $(CURDIR)/target
export PLUGINS_TARGET_DIR ?= $(CURDIR)/plugins/target
DEMO_FOLDER ?= $(CURDIR)/.demo
BIN := $(CARGO_TARGET_DIR)/debug

.PHONY: help
help: ## Say what there is
	@echo "Understudy: every server can have an understudy."
	@echo
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'
	@echo
	@echo "  ONCE=1 make demo   the same, but end after the story: 0 only if nothing was lost and nothing failed"
	@echo "  make test ONLY=…   one part of the tests; 'make test ONLY=list' names them"
	@echo
	@echo "New here? Run 'make demo', open the address it prints, then read README.md."

.PHONY: demo
demo: ## Two hosts, real servers under load, a fault, a takeover, a giveback: live, with a page to look at
	@tests/need demo
	@$(MAKE) build
	@$(BIN)/demo run --folder "$(DEMO_FOLDER)" --programs "$(BIN)" --plugins plugins/dist $(if $(ONCE),--once)

.PHONY: test
test: ## Everything: build, style, licences, all tests with real servers, plugins, page, browser
	@tests/need $(if $(ONLY),demo,test)
	@tests/run $(ONLY)

.PHONY: simulate
simulate: ## Whole clusters with every kind of fault: SEEDS=1000000 runs so many, SEED=17 replays one with its trace
	@$(if $(SEED),SEED=$(SEED)) $(if $(SEEDS),SEEDS=$(SEEDS)) $(if $(FROM),FROM=$(FROM)) \
	  cargo test -p understudy --lib simulation::run::seeds -- --nocapture

.PHONY: build
build: plugins web ## The daemon, the demo, the plugins, the page
	@echo "build: the daemon and the demo (the first time takes five minutes or so)"
	@cargo build --workspace --bins

.PHONY: plugins
plugins: ## The plugins, as WebAssembly components, into plugins/dist
	@CARGO_TARGET_DIR="$(PLUGINS_TARGET_DIR)" plugins/build

.PHONY: web
web: ## The page, into the folder from which the daemon embeds it
	@web/build

.PHONY: fmt
fmt: ## Lay all Rust code out as rustfmt.toml says
	@cargo fmt --all && cargo fmt --all --manifest-path plugins/Cargo.toml

.PHONY: kill-steps
kill-steps: ## As root: strike a host at every step of the protocol, with every kind of fault (an hour; STORY= for one story)
	@cargo build --workspace --bins
	@UNDERSTUDY_KILL_ALL=1 $(if $(STORY),UNDERSTUDY_KILL_STORY="$(STORY)") cargo test --workspace --test kill_steps -- --nocapture

.PHONY: faults
faults: ## As root: the same, and write docs/faults.md from what was seen
	@cargo build --workspace --bins
	@UNDERSTUDY_KILL_ALL=1 UNDERSTUDY_FAULTS_PAGE="$(CURDIR)/docs/faults.md" cargo test --workspace --test kill_steps -- --nocapture

.PHONY: bench-probe
bench-probe: ## Measure the CPU time of a probe beside a check script's (ARGS=--help for more; docs/benchmarks.md)
	@tests/need demo
	@$(MAKE) plugins
	@echo "bench-probe: building for speed (the first time takes ten minutes or so)"
	@cargo build --release -p understudy-tests --bin bench-probe
	@"$(CARGO_TARGET_DIR)/release/bench-probe" --plugins plugins/dist $(ARGS)

ROUNDS ?= 5
.PHONY: bench-address
bench-address: ## As root: what clients notice when an address moves, beside keepalived (ROUNDS=5; docs/benchmarks.md)
	@tests/need address
	@$(MAKE) plugins
	@echo "bench-address: building for speed (the first time takes ten minutes or so)"
	@cargo build --release -p understudy -p understudy-tests --bins
	@"$(CARGO_TARGET_DIR)/release/bench-address" --programs "$(CARGO_TARGET_DIR)/release" --plugins plugins/dist \
	  --rounds $(ROUNDS) $(ARGS)

.PHONY: model
model: ## Prove the protocol: explore the machine that runs (ONLY= HOSTS= TROUBLES= TICKS= DEPTH= CALM=; docs/proof.md)
	@cargo run --quiet --profile proof -p understudy-model --bin model

.PHONY: fuzz
fuzz: ## Feed every decoder what no peer and no disk should say, and see that it holds (SECONDS=20 each, TARGET=; docs/proof.md)
	@tests/need fuzz
	@$(if $(SECONDS),SECONDS_EACH=$(SECONDS)) tests/fuzz/run $(TARGET)

.PHONY: mutants
mutants: ## Break the machine on purpose, in a copy, and see that each way is caught (ONLY= QUICK=1; docs/proof.md)
	@cargo run --quiet -p understudy-model --bin mutants

.PHONY: fresh
fresh: ## As root: both commands on a fresh Debian 12 of their own (debootstrap), as a new machine would run them
	@tests/fresh

.PHONY: clean-demo
clean-demo: ## End everything that a demo left running, and remove its folder
	@if [[ -x "$(BIN)/demo" ]]; then "$(BIN)/demo" clean "$(DEMO_FOLDER)"; \
	elif [[ -e "$(DEMO_FOLDER)" ]]; then echo "clean-demo: build it first: make build" >&2; exit 1; fi
