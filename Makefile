# run: try Guerdon here. test, lint, bench: for those who change it. All of it stays in .venv and var.

# The distribution's Python first: it is built for speed, and one that was compiled on the spot, as
# pyenv does, is by default not; that costs a fifth of the votes a second. One that can make a .venv
# as it is goes before one that needs a package for that.
IS_FIT = import sys; sys.exit(sys.version_info < (3, 11))
find_python = $(shell for p in /usr/bin/python3 python3 python3.13 python3.12 python3.11; do \
	$$p -c '$(1)$(IS_FIT)' 2>/dev/null && echo $$p && break; done)
PYTHON ?= $(or $(call find_python,import ensurepip; ),$(call find_python,))
PIP = .venv/bin/python -m pip install --quiet --disable-pip-version-check

# Debian packages that the tests need and that are not here.
MISSING = $(strip \
	$(if $(shell command -v mariadbd 2>/dev/null),,mariadb-server) \
	$(if $(wildcard /usr/lib/galera/libgalera_smm.so),,galera-4) \
	$(if $(shell command -v rsync 2>/dev/null),,rsync) \
	$(if $(wildcard /usr/sbin/nginx),,nginx-light) \
	$(if $(shell command -v caddy 2>/dev/null),,caddy) \
	$(if $(shell command -v systemd-analyze 2>/dev/null),,systemd) \
	$(if $(shell command -v promtool 2>/dev/null),,prometheus) \
	$(if $(shell command -v chromium 2>/dev/null),,chromium) \
	$(if $(shell command -v chromedriver 2>/dev/null),,chromium-driver))

MISSING_FOR_BENCH = $(strip \
	$(if $(wildcard /usr/sbin/nginx),,nginx-light) \
	$(if $(wildcard /usr/sbin/php-fpm*),,php-fpm) \
	$(if $(wildcard /usr/lib/php/*/pdo_mysql.so),,php-mysql) \
	$(if $(shell command -v wrk 2>/dev/null),,wrk))
install = $(if $(1),test $$(id -u) != 0 || { apt-get update -qq && \
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(1); })

# What the locks hold, each file by its hash; LOCK makes them, for Python 3.11 and later.
install_locked = $(PIP) --require-hashes -r requirements/$(1).txt \
	&& $(PIP) --no-deps --no-build-isolation -e .
LOCK = .venv/bin/python -m tests.laws.requirements build | .venv/bin/uv pip compile --quiet --universal \
	--python-version 3.11 --generate-hashes --custom-compile-command 'make lock' $(ARGS) setup.cfg -

MEETS_STRANGERS = tests/network $(addprefix tests/web/test_,bodies.py webhooks.py openapi.py \
	game_api.py) tests/serving/test_hostile.py tests/porch/test_signatures.py tests/plugins
PAYS = $(addprefix tests/database/test_,database.py transactions.py migrating.py lost_connections.py) \
	tests/paying/test_ledger.py tests/paying/test_settling.py tests/reporting/test_sending.py \
	tests/stories/test_under_fire.py tests/serving/test_logs.py tests/config/test_config.py tests/cli

.PHONY: run test test-mysql test-lowest mutants lint lock translations bench bench-growth bench-rules bench-reports bench-pages \
	bench-watched bench-sources bench-uneven \
	debian debian-bench mysql clean

run: .venv/.for-run
	@.venv/bin/guerdon run

test: .venv/.for-test debian mysql
	.venv/bin/pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

# All that is run on MariaDB, on MySQL.
test-mysql: .venv/.for-test debian mysql
	.venv/bin/pytest --mysql -n 3 --dist loadfile $(ARGS)

# With the lowest versions that setup.cfg allows: what meets strangers, and what pays, on each database.
test-lowest: .venv/.for-test debian mysql
	@rm -rf .venv-lowest && $(PYTHON) -m venv .venv-lowest
	@.venv/bin/python -m tests.laws.requirements lowest > .venv-lowest/lowest.txt
	@.venv-lowest/bin/pip install --quiet --disable-pip-version-check \
		-c .venv-lowest/lowest.txt -e '.[mysql,test]' \
		$$(.venv/bin/python -m tests.laws.requirements build)
	.venv-lowest/bin/pytest -n 3 --dist loadfile $(or $(ARGS),$(MEETS_STRANGERS) $(PAYS))

# Whether a test notices each of the dangerous changes that tests/mutants lists; ARGS: words of some.
mutants: .venv/.for-test debian
	.venv/bin/python -m tests.mutants $(ARGS)

lint: .venv/.for-test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache

# Sentences that pages have now, into the catalogues; what is new there waits for its Chinese. Run it again
# when that is written: it compiles too.
TRANSLATED = app/dashboard app/playground app/spoken
translations: .venv/.for-test
	@mkdir -p build
	@for chapter in $(TRANSLATED); do \
		.venv/bin/pybabel -q extract -F babel.cfg -k _l --add-location=file --sort-by-file --no-wrap \
			--project=guerdon -o build/messages.pot $$chapter \
		&& .venv/bin/pybabel -q update -l zh -i build/messages.pot -d $$chapter/translations --no-wrap \
			--no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date \
		&& .venv/bin/pybabel -q compile -d $$chapter/translations || exit 1; \
	done

# BENCH_PHP=FILE names the document with the PHP sample; without it Guerdon is measured alone.
bench: .venv/.for-test debian debian-bench
	BENCH_PHP='$(BENCH_PHP)' .venv/bin/python -m bench $(ARGS)
	$(if $(ARGS),,.venv/bin/python -m bench.rules)

bench-growth: .venv/.for-test debian debian-bench
	.venv/bin/python -m bench.growth $(ARGS)
	$(if $(ARGS),,.venv/bin/python -m bench.rules --votes 2000000)

# Ten typical rules beside gold alone; ARGS='--votes 2000000' also with years of votes in the tables.
# The two above measure it too where they measure all.
bench-rules: .venv/.for-test debian debian-bench
	.venv/bin/python -m bench.rules $(ARGS)

bench-reports: .venv/.for-test debian
	.venv/bin/python -m bench.reports $(ARGS)

# Every page of the dashboard at 2,000,000 votes; ARGS='--sides sqlite --folder DIR' fills a file once.
bench-pages: .venv/.for-test debian
	.venv/bin/python -m bench.pages $(ARGS)

# What an open dashboard, a scrape, and counting at all cost votes.
bench-watched: .venv/.for-test debian debian-bench
	.venv/bin/python -m bench.watched $(ARGS)

# What a vote that cannot be paid costs the others, and two hosts beside one.
bench-uneven: .venv/.for-test debian debian-bench
	.venv/bin/python -m bench.uneven $(ARGS)

# Votes a second by each source, and deliveries a second by RCON.
bench-sources: .venv/.for-test debian debian-bench
	.venv/bin/python -m bench.sources $(ARGS)
	$(if $(ARGS),,.venv/bin/python -m bench.consoles)

# A stamp is as old as the last install; setup.cfg says what to install.
.venv/.for-run: setup.cfg requirements/run.txt | .venv
	@echo "installing Guerdon into .venv (once, about a minute)"
	@$(call install_locked,run)
	@touch $@

.venv/.for-test: setup.cfg requirements/test.txt | .venv
	@echo "installing Guerdon and its tools into .venv (once, about a minute)"
	@$(call install_locked,test)
	@touch $@

# After a change in setup.cfg; ARGS=--upgrade takes the newest of everything.
lock: | .venv
	@$(PIP) packaging 'uv>=0.13'
	$(LOCK) --extra mysql -o requirements/run.txt
	$(LOCK) --extra mysql --extra test --extra dev -c requirements/run.txt -o requirements/test.txt

.venv:
	@test -n "$(PYTHON)" || { echo "Guerdon needs Python 3.11 or later" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || test $$(id -u) != 0 \
		|| { apt-get update -qq && apt-get install -qq -y --no-install-recommends python3-venv; }
	@$(PYTHON) -m venv .venv

# Without root, tests that need what is missing are skipped.
debian:
	$(call install,$(MISSING))

# Where it cannot be had, this says so, and its tests are skipped.
mysql: .venv/.for-test
	@.venv/bin/python -m app.testing.mysql

# What stays missing is named, and its side left out.
debian-bench:
	-$(call install,$(MISSING_FOR_BENCH))

clean:  # var stays: it holds what was paid
	rm -rf .venv .venv-lowest build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
