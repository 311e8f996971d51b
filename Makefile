# Two commands to know: `make demo` runs the product, `make test` tests it. Both start from nothing but Python.
.DEFAULT_GOAL := help
.PHONY: help demo serve test chaos bench check lock format install chromium

PORT ?= 8000
BENCH ?=
SIZE ?=
TESTS ?=
PY := .venv/bin/python
CODE := salesops playbooks prospects approvals manage.py

help:
	@echo "make demo    the product with a demo in it, on http://127.0.0.1:8000 (PORT=…)"
	@echo "make test    all tests (TESTS='tests/prospects -k funnel' for some)"
	@echo "make chaos   ten rounds of kill -9 while approved messages go out"
	@echo "make bench   measurements (BENCH=name for one, SIZE=100000 for scale)"
	@echo "make check   lint, format, types, import contracts, missing migrations"
	@echo "make format  put the code into shape"
	@echo "make lock    pin the dependencies anew"

demo: install
	@$(PY) manage.py serve --demo --port $(PORT)

serve: install
	@$(PY) manage.py serve --port $(PORT)

test: install chromium
	@$(PY) -m pytest -n auto --dist loadgroup $(TESTS)

# Ten rounds of 200 approved sends under kill -9 (the ordinary suite runs a short one), and agents whose queue is flushed.
chaos: install
	@CHAOS_ROUNDS=10 CHAOS_PROSPECTS=2000 $(PY) -m pytest -s tests/approvals/test_chaos.py tests/runtime/test_through_workers.py tests/runtime/test_crash_at_every_stage.py tests/runtime/test_triggers_through_workers.py

bench: install
	@$(PY) manage.py bench $(BENCH) $(if $(SIZE),--size $(SIZE))

check: install
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy $(CODE)
	@.venv/bin/lint-imports
	@$(PY) manage.py makemigrations --check --dry-run

format: install
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

# No registry's address gets into the file, whatever this machine is set up to use.
lock: install
	@.venv/bin/uv pip compile pyproject.toml --group dev --universal --generate-hashes --upgrade --quiet \
		--no-header --no-emit-index-url --no-emit-find-links -o requirements.lock

install:
	@.ci/install

chromium:
	@.ci/chromium
