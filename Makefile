# Works with GNU make 3.81 (the one macOS brings). Everything happens inside this directory: .venv, build, data.
#
#   make run                 start the gateway (PORT=…, CONFIG=…, PYTHON=…)
#   make test                run the whole suite (REQUIRE_ALL=1: what cannot run is a failure; PYTEST_ARGS=…)
#   make bench               measure
#   make chaos               play every fault of the store against the product and write docs/chaos.md
#   make faults              kill and break everything, judge the ledger, rewrite docs/faults.md (FAULTS=--quick: shorter)
#   make fuzz                look for inputs that break a parser (FUZZ_ARGS="chat --seconds 600"; without: each for 20 s)
#   make clients             install popular clients and drive them against a demo gateway (CLIENTS="langchain …")
#   make lint                ruff, mypy and bandit
#   make lock                make requirements.lock anew
#   make clean               remove what make made; never data/

SHELL = /bin/sh
ENVIRONMENT = python=`PYTHON='$(PYTHON)' sh scripts/find-python.sh` && "$$python" scripts/environment.py

.PHONY: help run test bench chaos faults fuzz clients lint lock clean

help:
	@sed -n 's/^#   //p' Makefile

run:
	@$(ENVIRONMENT) run
	@exec .venv/bin/gateway serve --quickstart $(if $(PORT),--port '$(PORT)') $(if $(CONFIG),--config '$(CONFIG)')

test:
	@$(ENVIRONMENT) test
	@.venv/bin/python scripts/run_tests.py

bench:
	@$(ENVIRONMENT) test
	@.venv/bin/python -m benchmarks $(BENCH_ARGS)

faults:
	@$(ENVIRONMENT) test
	@PYTHONPATH=tests:. .venv/bin/python -m faults.run $(FAULTS)

fuzz:
	@$(ENVIRONMENT) test
	@PYTHONPATH=tests:. .venv/bin/python -m support.fuzzing $(FUZZ_ARGS)

chaos:
	@$(ENVIRONMENT) test
	@PYTHONPATH=tests .venv/bin/python -m support.chaos docs/chaos.md
clients:
	@$(ENVIRONMENT) test
	@.venv/bin/python scripts/try_clients.py $(CLIENTS)

lint:
	@$(ENVIRONMENT) test
	@status=0; \
	for check in "ruff check ." "ruff format --check ." "mypy" "bandit -q -r gateway -c pyproject.toml"; do echo "$$check"; .venv/bin/$$check || status=1; done; \
	exit $$status

lock:
	@$(ENVIRONMENT) test
	@.venv/bin/python scripts/lock.py

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage tests/e2e/node/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
