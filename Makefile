# What one can do with this checkout. `make` alone lists it. Everything that runs is written below .venv/, node_modules/,
# static/dist/ and var/; the system is never changed.

SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || echo python3)
BIN := .venv/bin
TEST_STATE ?= $(CURDIR)/var/test
BENCH_STATE ?= $(CURDIR)/var/bench
CRASH_STATE ?= $(CURDIR)/var/crash
CONTROLS_STATE ?= $(CURDIR)/var/controls
PAGES_STATE ?= $(CURDIR)/var/pages
SIMULATE_STATE ?= $(CURDIR)/var/simulate
# Twice the cores of a small machine: many tests wait for real processes, and half the time nothing would run.
TEST_WORKERS ?= 4
PYTEST ?=
PURE := exchange/core exchange/ledger/journal.py trading/engine custody/policy.py custody/signers wallets/chains \
  $(addprefix kyc/screening/,countries.py entries.py keys.py likeness.py matching.py names.py publications.py sdn_csv.py sdn_xml.py)

# Embedded services that a target started end with it, also when it is interrupted.
define ending_services
trap 'BOURSE_STATE=$(1) $(BIN)/python -m config.embedded stop' EXIT
endef

export PORT
export BOURSE_STATE
# Some machines forbid Python to keep what it compiled. Every process started here would then compile five hundred files of ours
# again, and every test worker rewrite the assertions of all tests: a quarter of a start, and a minute of a test run.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z%-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## the whole exchange on this machine, with real nodes on private chains; Ctrl-C ends it (PORT=8000)
	@$(PYTHON) -m deploy.setup demo
	@exec $(BIN)/python -m deploy.demo

.PHONY: stop
stop: ## end a demo that runs in another terminal
	@$(BIN)/python -m deploy.demo stop

.PHONY: pay
pay: ## send coins from outside while the demo runs: make pay TO=<deposit address> AMOUNT=0.1 [ASSET=USDT]
	@$(BIN)/python -m deploy.demo pay "$(TO)" "$(AMOUNT)" $(if $(ASSET),--asset $(ASSET))

.PHONY: mail
mail: ## print the demo's newest mails, which hold the links that sign-up and withdrawals ask for
	@$(BIN)/python -m deploy.demo mail

.PHONY: code
code: ## print what the authenticator apps of the demo's customer and staff member show now
	@$(BIN)/python -m deploy.demo code

.PHONY: journey
journey: setup ## one customer's way on real nodes, from sign-up to withdrawal, without a browser
	@$(BIN)/python -m deploy.journey

.PHONY: setup
setup: ## fetch and build what running needs
	@$(PYTHON) -m deploy.setup run

.PHONY: setup-test
setup-test: ## what tests need beyond that
	@$(PYTHON) -m deploy.setup test

.PHONY: setup-browser
setup-browser: ## a Chromium for tests, where the machine has none
	@$(PYTHON) -m deploy.setup browser

# In a fresh clone every worker would compile all tests by itself, at the same time: one does it before them, beside the lint. What
# is wrong with a test is said by the run itself.
.PHONY: test
test: setup-test ## lint, then every test
	@$(call ending_services,$(TEST_STATE)); \
	set -e; \
	BOURSE_STATE=$(TEST_STATE) $(BIN)/pytest --collect-only -q $(PYTEST) >/dev/null 2>&1 & compiling=$$!; \
	$(MAKE) --no-print-directory lint-only || { kill $$compiling; exit 1; }; \
	wait $$compiling || true; \
	BOURSE_STATE=$(TEST_STATE) $(BIN)/pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST)

.PHONY: lint
lint: setup-test ## ruff, mypy on the pure rooms, the contracts between rooms, migrations
	@$(call ending_services,$(TEST_STATE)); \
	$(MAKE) --no-print-directory lint-only

.PHONY: lint-only
lint-only:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PURE)
	$(BIN)/mypy --strict --follow-imports=silent deploy/setup deploy/demo config/regtest
	$(BIN)/lint-imports
	BOURSE_STATE=$(TEST_STATE) $(BIN)/python manage.py makemigrations --check --dry-run

.PHONY: languages
languages: ## gather what pages say into locale/, tell what has no translation, compile the rest
	@$(BIN)/python -m deploy.languages extract; $(BIN)/python -m deploy.languages compile

.PHONY: format
format: ## lay out the Python code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: check-deploy
check-deploy: setup ## Django's deployment check on the production settings, with dummy secrets
	@deploy/check-deploy

.PHONY: compile
compile: ## compile the engine's core, where this machine has a C compiler; without one it runs from its source
	@$(PYTHON) -m deploy.setup compile

bench-matching: bench-peers

.PHONY: bench-peers
bench-peers:
	@$(PYTHON) -m deploy.setup bench

bench-%: setup ## one benchmark: make bench-ledger, make bench-engine
	@$(call ending_services,$(BENCH_STATE)); \
	BOURSE_STATE=$(BENCH_STATE) $(BIN)/python -m benchmarks.$*

.PHONY: a11y
a11y: setup-test ## axe-core over every page in four variants: it finds nothing (make a11y ONLY=wallet)
	@$(call ending_services,$(PAGES_STATE)); \
	BOURSE_STATE=$(PAGES_STATE) $(BIN)/python -m tests.pages.look a11y $(if $(ONLY),--only "$(ONLY)")

.PHONY: screenshots
screenshots: setup-test ## every page, light and dark, desk and phone: var/screenshots/index.html (make screenshots ONLY=wallet)
	@$(call ending_services,$(PAGES_STATE)); \
	BOURSE_STATE=$(PAGES_STATE) $(BIN)/python -m tests.pages.look screenshots $(if $(ONLY),--only "$(ONLY)")

.PHONY: lighthouse
lighthouse: setup-test ## Lighthouse on home, markets and wallet: performance and accessibility at least 95
	@$(call ending_services,$(PAGES_STATE)); \
	PATH=$(CURDIR)/$(BIN):$$PATH BOURSE_STATE=$(PAGES_STATE) $(BIN)/python -m tests.pages.lighthouse

.PHONY: simulate
simulate: setup-test ## seeded runs of the whole engine with crashes everywhere: make simulate SEEDS=1000, or one again: SEED=7
	@$(call ending_services,$(SIMULATE_STATE)); \
	BOURSE_STATE=$(SIMULATE_STATE) $(BIN)/python -m tests.simulation.simulate $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),1000))

.PHONY: crash
crash: setup-test crash-coins ## SIGKILL under load, nothing acknowledged lost: of engine and PostgreSQL (make crash ROUNDS=100), and wherever coins move (COINS=3)
	@$(call ending_services,$(CRASH_STATE)); \
	BOURSE_STATE=$(CRASH_STATE) $(BIN)/python -m tests.simulation.crash --rounds $(or $(ROUNDS),100)

.PHONY: crash-coins
crash-coins: setup-test ## the part of it on real nodes: so many kills at each boundary of deposit, sweep and withdrawal
	@$(BIN)/python -m tests.simulation.coins --control --rounds $(or $(COINS),3) $(if $(SEED),--seed $(SEED))

.PHONY: controls
controls: setup-test ## switch each control off in turn: its test must turn red (make controls CONTROL=text)
	@$(call ending_services,$(CONTROLS_STATE)); \
	BOURSE_STATE=$(CONTROLS_STATE) $(BIN)/pytest -q -p tests.controls.switching --no-header $(if $(CONTROL),--control "$(CONTROL)")

.PHONY: requirements
requirements: ## pin the packages of requirements*.in anew, with hashes
	CUSTOM_COMPILE_COMMAND="make requirements" $(BIN)/pip-compile $(PIN) --output-file=requirements.txt requirements.in
	CUSTOM_COMPILE_COMMAND="make requirements" $(BIN)/pip-compile $(PIN) --output-file=requirements-dev.txt requirements-dev.in
	CUSTOM_COMPILE_COMMAND="make requirements" $(BIN)/pip-compile $(PIN) --output-file=requirements-compile.txt requirements-compile.in
	CUSTOM_COMPILE_COMMAND="make requirements" $(BIN)/pip-compile $(PIN) --output-file=requirements-bench.txt requirements-bench.in

PIN := --quiet --allow-unsafe --generate-hashes --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

.PHONY: clean
clean: ## forget what ran (databases, chains, keystore) and what was built; downloads stay
	@if [ -x $(BIN)/python ] && [ -e $${BOURSE_STATE:-var/dev}/demo.lock ]; then $(BIN)/python -m deploy.demo stop; fi
	@for state in var/dev var/test var/bench var/pages var/journey var/crash var/crash-coins var/simulate var/test/crash; do \
	  if [ -d $$state ] && [ -x $(BIN)/python ]; then BOURSE_STATE=$(CURDIR)/$$state $(BIN)/python -m config.embedded stop; fi; \
	  rm -rf $$state; \
	done
	rm -rf static/dist var/screenshots var/lighthouse var/contracts var/staticfiles var/log .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.PHONY: distclean
distclean: clean ## back to a fresh clone
	rm -rf .venv node_modules var
