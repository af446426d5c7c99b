# make demo    set everything up and run the walkthrough of the README
# make test    set everything up and run the tests (under five minutes)
# make lint types bench corpus fuzz-run fuzz-asm fuzz-link fuzz-load clean
# make conformance-as conformance-ld conformance-torture conformance-projects conformance-libc
# make conformance-run

PYTHON = python3
VENV = .venv
BIN = $(VENV)/bin
SOURCES := pyproject.toml $(shell find pyldso cli -name '*.py')

demo: $(VENV)/installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/csapp/walkthrough.sh

test: $(VENV)/tools
	$(BIN)/pytest -n auto

lint: $(VENV)/tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/tools
	$(BIN)/mypy

# By hand: what the tests make a sample of, in full.
fuzz-run: $(VENV)/tools
	PYLDSO_RANDOM_CALLS=200000 $(BIN)/pytest -q tests/kernel/test_random_syscalls.py

fuzz-asm: $(VENV)/tools
	PYLDSO_MUTANTS=20000 $(BIN)/pytest -q tests/asm/test_mutants.py

fuzz-link: $(VENV)/tools
	PYLDSO_LINK_MUTANTS=20000 $(BIN)/pytest -q tests/linker/test_mutants.py

fuzz-load: $(VENV)/tools
	PYLDSO_LOAD_MUTANTS=5000 $(BIN)/pytest -q -n 2 tests/ldso/test_mutants.py

# By hand: whole processes measured side by side; TABLE=assembler prints one of the tables.
# What it measures of other programs' sources `make corpus` fetches.
bench: $(VENV)/installed
	CORPUS="$(CORPUS)" $(BIN)/python -m bench $(TABLE)

# By hand: the sources of gcc's tests, zlib, lua, bzip2 and sqlite, from Debian.
CORPUS = $(VENV)/corpus
corpus:
	sh conformance/fetch.sh $(CORPUS)

# By hand: compiles these sources, and compares every object with GNU as's (an hour).
conformance-as: $(VENV)/installed corpus
	$(BIN)/python -m conformance.gnu_as $(CORPUS) --report $(CORPUS)/report.md

# Every linker that is installed beside ours, one small source for each feature (two minutes).
conformance-ld: $(VENV)/installed
	$(BIN)/python -m conformance.gnu_ld

# By hand: gcc's own execution tests, built and run by pyldso in three ways (five minutes).
conformance-torture: $(VENV)/installed corpus
	$(BIN)/python -m conformance.torture $(CORPUS)

# By hand: builds and tests whole projects from Debian with pyldso as gcc's assembler and linker
# (hours; PROJECTS="--only lua,bzip2" takes minutes). Wants cmake and tcl-dev for some of them.
PROJECTS =
conformance-projects: $(VENV)/installed
	sh conformance/fetch.sh $(CORPUS) \
	  $$($(BIN)/python -m conformance.projects $(CORPUS) $(PROJECTS) --sources)
	$(BIN)/python -m conformance.projects $(CORPUS) $(PROJECTS)

# By hand: hundreds of commands of the machine's programs, natively and by pyldso (half an hour); what
# is missing is installed where one is root, else its group is skipped.
conformance-run: $(VENV)/installed
	-apt-get -qq -y install --no-install-recommends $$(sed -n 's/^\[.*\] //p' conformance/programs.txt)
	$(BIN)/python -m conformance.programs

# By hand, as root: unpacks systems with other C libraries from Debian, and runs programs under each.
conformance-libc: $(VENV)/installed
	sh conformance/sysroots.sh $(VENV)/systems
	sh conformance/fetch.sh $(CORPUS) bash lua sqlite
	$(BIN)/python -m conformance.libc_matrix $(VENV)/systems $(CORPUS)

# An ordinary installation, as a user gets it: `pip install -e .` adds milliseconds to every start.
$(VENV)/installed: $(VENV)/created $(SOURCES)
	rm -rf build
	$(BIN)/pip install --quiet --disable-pip-version-check .
	@touch $@

$(VENV)/tools: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check '.[dev]'
	@touch $@

$(VENV)/created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'pyldso needs Python 3.11 or later: make PYTHON=python3.12 ...' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

clean:
	rm -rf $(VENV) build pyldso.egg-info
	$(MAKE) -C examples/csapp clean

.PHONY: demo test lint types bench corpus conformance-as conformance-ld conformance-torture \
  conformance-libc conformance-projects conformance-run fuzz-run fuzz-asm fuzz-link fuzz-load clean
