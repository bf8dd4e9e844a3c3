# Every target works on a bare machine: Python 3.11+ with venv, a package registry, GNU make.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
UV_VERSION := 0.13.8
VENV := .venv
BIN := $(VENV)/bin
STACK := $(BIN)/python -m include.local_stack

# The registry's certificate is the system's, or the one that pip was told to use.
UV := env UV_SYSTEM_CERTS=1 UV_NO_PROGRESS=1 $${PIP_CERT:+SSL_CERT_FILE="$$PIP_CERT"} \
      $${PIP_INDEX_URL:+UV_DEFAULT_INDEX="$$PIP_INDEX_URL"} $(BIN)/uv
INSTALL := $(UV) pip install --quiet --python $(BIN)/python --require-hashes
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url

# Debian packages of the tests, each with the program it must bring.
TEST_PACKAGES := clickhouse-server:clickhouse-server pgbouncer:pgbouncer chromium:chromium chromium-driver:chromedriver redis-server:redis-server prometheus:promtool zookeeper:/usr/share/zookeeper/bin/zkServer.sh

# GitHub's GraphQL schema, of the npm package that GitHub's own client uses; the tests' stand-in executes it.
SCHEMA := $(VENV)/github.graphql
SCHEMA_VERSION := 15.26.1
SCHEMA_SHA256 := 3c62d0526d133cee53221c89de9b455ade24db78b9e7ad56d642c4c15bce2654

# Apache Kafka, as the tests' broker; Java runs it.
KAFKA := $(VENV)/kafka
KAFKA_POM := tests/servers/kafka.pom.xml

.PHONY: help run up down quick test test-faults test-engines fuzz try-airflow lint style audit bench lock env clean test-packages test-schema test-wheels test-kafka

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12
	@echo
	@echo 'make up takes MONITORING=1: with Prometheus, where it is installed'
	@echo 'make run takes: GITHUB_API=URL GITHUB_TOKEN=... GITHUB_DATA=DIR TOP=1..100000 (the sample has 300) DAY=YYYY-MM-DD RPS=10 CONCURRENCY=5 ONLY=github|phrases|api|shop|events'

run: $(VENV)/embedded.stamp ## all jobs on an embedded stack, or ONLY one; shows progress and what was stored
	@$(STACK) run

up: $(VENV)/embedded.stamp ## start the same stack with the UI and leave it running
	@$(STACK) up

down: ## stop what `make up` started
	@if [ -e $(VENV)/embedded.stamp ]; then $(STACK) down; else echo 'Nothing is running'; fi

# What a change breaks it breaks here most of the time. Nothing has to be installed beside the Python packages. Two files
# that take half a minute are left to `make test`.
QUICK := tests/unit tests/dags tests/integration/http tests/integration/github tests/integration/github_stand_in \
  --ignore tests/dags/test_adding_a_source.py --ignore tests/integration/github/test_long_ranking.py
quick: style ## style, types and the tests that need no server of their own: minutes, for while you work
	@$(BIN)/pytest --numprocesses 2 --dist loadfile -m 'not slow and not server' $(QUICK)

# Tests wait for servers and schedulers; three at once were no faster, and fell over limits of time. The tests of a file share
# servers, so one worker runs them; so do those of a folder that share a stack or a cluster (tests/distribution.py). Files go
# out by name, as those that take minutes come first then; xdist itself would leave them, which have few tests, for the end.
test: style test-packages test-schema test-wheels test-kafka ## all checks of the code and all tests, with the servers they need
	@$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 30 --durations-min 5

test-faults: $(VENV)/dev.stamp test-packages test-schema test-kafka ## all that goes wrong, with what takes minutes: a backfill of thirty days
	@$(BIN)/pytest tests/faults tests/cluster tests/e2e/test_scheduler_faults.py tests/e2e/test_cleared_tasks.py \
	  tests/compose/test_killed_worker.py -m ''

# By chance, so no part of `make test`: a commit is not red for what an older one does wrong.
fuzz: $(VENV)/dev.stamp test-packages ## the tests of random values, by chance and 20 times as long (SEED=N: as that run did)
	@seed=$${SEED:-$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}; echo "By chance: make fuzz SEED=$$seed searches the same"; \
	code=0; $(BIN)/pytest --numprocesses 2 --dist loadfile -m hypothesis --hypothesis-profile chance --hypothesis-seed "$$seed" || code=$$?; \
	case $$code in \
	  0) echo "Nothing was found by SEED=$$seed" ;; \
	  1) echo 'Found: commit each "Failing test case" as an @example of its test, with what mends it. To see one again:' >&2; \
	     echo "the @reproduce_failure that is printed, or make fuzz SEED=$$seed" >&2 ;; \
	esac; exit $$code

test-engines: $(VENV)/dev.stamp ## what touches ClickHouse, on engines 24.8, 25.8 and 26.3: by older chDB wheels
	@.ci/test-engines

try-airflow: $(VENV)/uv.stamp ## the tests of the DAGs on another Airflow: make try-airflow AIRFLOW=3.4.0b2
	@.ci/try-airflow "$(AIRFLOW)"

lint: style audit ## style, types, the direction of imports, known vulnerabilities of what is pinned

style: $(VENV)/dev.stamp
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@PYTHONPATH=.:plugins $(BIN)/lint-imports

# Not part of `make test`: an advisory of tonight makes no commit of yesterday wrong. The largest lock holds
# the others. Two hundred packages are asked for one by one, so a green answer is good for a day.
audit: $(VENV)/dev.stamp
	@[ -n "$$(find $(VENV)/audit.stamp -newer requirements-dev.lock -newer .ci/audit -mmin -1440 2>/dev/null)" ] || \
	  .ci/audit requirements-dev.lock $(VENV)/audit.stamp

bench: $(VENV)/dev.stamp test-schema test-kafka ## the benchmarks, one table; ONLY=load runs one of them
	@PYTHONPATH=.:plugins $(BIN)/python -m tests.bench $(ONLY)

lock: $(VENV)/uv.stamp ## resolve requirements*.txt anew into the lock files
	@$(LOCK) requirements.txt -o requirements.lock
	@$(LOCK) requirements-embedded.txt -o requirements-embedded.lock
	@$(LOCK) requirements-dev.txt -o requirements-dev.lock

env: ## write .env with random secrets for docker compose
	@umask 077; set -o noclobber; \
	random() { head -c 32 /dev/urandom | base64 | tr '+/' '-_'; }; plain() { random | tr -d '=\n'; }; \
	sed -e "s|^POSTGRES_PASSWORD=.*|POSTGRES_PASSWORD=$$(plain)|" \
	    -e "s|^CLICKHOUSE_PASSWORD=.*|CLICKHOUSE_PASSWORD=$$(plain)|" \
	    -e "s|^REDIS_PASSWORD=.*|REDIS_PASSWORD=$$(plain)|" \
	    -e "s|^ADMIN_PASSWORD=.*|ADMIN_PASSWORD=$$(plain)|" \
	    -e "s|^METRICS_TOKEN=.*|METRICS_TOKEN=$$(plain)|" \
	    -e "s|^GRAFANA_PASSWORD=.*|GRAFANA_PASSWORD=$$(plain)|" \
	    -e "s|^FERNET_KEY=.*|FERNET_KEY=$$(random)|" \
	    -e "s|^API_SECRET_KEY=.*|API_SECRET_KEY=$$(plain)|" \
	    -e "s|^JWT_SECRET=.*|JWT_SECRET=$$(plain)$$(plain)|" .env.example > .env \
	|| { echo 'make env: .env is there already; its secrets are in use, so remove it yourself if you mean it' >&2; exit 1; }
	@echo 'Wrote .env; add GITHUB_TOKEN there if you have one'

clean: ## stop the stack; remove the virtual environment, all caches and everything the stack has kept
	@$(MAKE) down
	@rm -rf $(VENV) .stagehouse .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# dev holds all of embedded, in the same versions: whoever has it needs no second install for `make run`.
$(VENV)/dev.stamp: requirements-dev.lock | $(VENV)/uv.stamp
	@echo 'Installing development packages'
	@$(INSTALL) -r requirements-dev.lock
	@touch $(VENV)/embedded.stamp $@

$(VENV)/embedded.stamp: requirements-embedded.lock | $(VENV)/uv.stamp
	@echo 'Installing packages'
	@$(INSTALL) -r requirements-embedded.lock
	@touch $@

$(VENV)/uv.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo 'make: Python 3.11 or newer is needed as $(PYTHON) (or name another: make PYTHON=python3.12 ...)' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo 'make: $(PYTHON) has no venv: apt-get install python3-venv' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

test-packages:
	@missing=(); for pair in $(TEST_PACKAGES); do \
	  PATH="$$PATH:/usr/sbin" command -v "$${pair#*:}" >/dev/null || missing+=("$${pair%%:*}"); \
	done; \
	if [ $${#missing[@]} -eq 0 ]; then exit 0; fi; \
	if [ "$$(id -u)" -ne 0 ]; then echo "make test: missing; run: sudo apt-get install $${missing[*]}" >&2; exit 1; fi; \
	if ! command -v apt-get >/dev/null; then echo "make test: install first: $${missing[*]}" >&2; exit 1; fi; \
	echo "Installing $${missing[*]}"; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get -qq update && apt-get -qq -y install --no-install-recommends "$${missing[@]}" >/dev/null

# Never committed. Without it the tests of GraphQL are skipped, so a machine without npm has all others.
test-schema: $(VENV)/dev.stamp
	@if echo '$(SCHEMA_SHA256)  $(SCHEMA)' | sha256sum --status --check 2>/dev/null; then exit 0; fi; rm -f $(SCHEMA); \
	if ! command -v npm >/dev/null; then echo "make: no npm: GitHub's GraphQL schema is missing, its tests are skipped"; exit 0; fi; \
	unpacked=$$(mktemp -d); trap 'rm -rf "$$unpacked"' EXIT; \
	npm pack --silent --pack-destination "$$unpacked" @octokit/graphql-schema@$(SCHEMA_VERSION) >/dev/null || \
	  { echo "make: npm cannot get GitHub's GraphQL schema, its tests are skipped"; exit 0; }; \
	tar -xzf "$$unpacked"/*.tgz -C "$$unpacked" package/schema.graphql; \
	echo '$(SCHEMA_SHA256)  '"$$unpacked/package/schema.graphql" | sha256sum --quiet --check || \
	  { echo 'make: the schema is not the one that SCHEMA_SHA256 names: see to both in the Makefile' >&2; exit 1; }; \
	mv "$$unpacked/package/schema.graphql" $(SCHEMA)

# Kept until `make clean`. Without them the tests of older engines are skipped, so a machine that cannot get them has all
# others.
test-wheels: $(VENV)/dev.stamp
	@for engine in 24.8 25.8 26.3; do \
	  .ci/get-engine "$$engine" >/dev/null || echo "make: no wheel of engine $$engine, its tests are skipped"; \
	done

# Without it the tests of Kafka are skipped, so a machine without Maven or Java has all others. The pom, copied last,
# says which jars are there.
test-kafka: $(VENV)/dev.stamp
	@if cmp -s $(KAFKA_POM) $(KAFKA)/pom.xml; then exit 0; fi; rm -rf $(KAFKA); \
	for program in java mvn; do \
	  command -v $$program >/dev/null || { echo "make: no $$program: Apache Kafka is missing, its tests are skipped"; exit 0; }; \
	done; \
	mvn -B -q -f $(KAFKA_POM) dependency:copy-dependencies -DoutputDirectory="$$PWD/$(KAFKA)" -DincludeScope=runtime >/dev/null || \
	  { echo "make: Maven cannot get Apache Kafka, its tests are skipped"; exit 0; }; \
	cp $(KAFKA_POM) $(KAFKA)/pom.xml
