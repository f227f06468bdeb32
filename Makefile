# The commands of this project. `make` alone lists them.
#
# One build profile serves them all (docs/decisions/0001-one-build-profile.md), so what one of them has
# compiled the others do not compile again.

CARGO ?= cargo
PYTHON ?= python3
# Where the tests look for other people's programs.
CLIENTS := $(or $(CARGO_TARGET_DIR),target)/clients
VENV := $(CLIENTS)/venv
FUZZER := $(abspath $(CLIENTS))/fuzz
CARGO_FUZZ := 0.13.2
FUZZ = PATH="$(FUZZER)/bin:$$PATH" CARGO_TARGET_DIR=$(FUZZER)/target $(CARGO) fuzz
FUZZ_BUILD := --fuzz-dir crates/fuzz --sanitizer none --codegen-units 16
# What `make demo` hands on: make demo ARGS="--servers 2 --clients 100".
ARGS ?=
# What `make chaos` draws its chaos from.
SEEDS ?= 1 2 3 4 5
# How often `make kills` kills the daemon.
KILLS ?= 200

# Where the simulation's fresh seeds begin: elsewhere for each commit, and the same for each run of one.
SEGUE_SIM_FROM ?= $(shell printf '%d' 0x$$({ git rev-parse HEAD 2>/dev/null || date +%s; } | cut -c1-8))

# What `make fuzz` feeds, and for how many seconds each.
FUZZ_TARGETS := api config contract duration prometheus record
FUZZ_S ?= 10

# $(call debian,PACKAGES): installs Debian packages that are missing; only root can. Of an index that is too old a
# package cannot be had: then it is brought up to date. The one place that changes the machine.
debian = { echo "installing $(1)" && { apt-get install --yes --no-install-recommends $(1) \
	|| { apt-get update && apt-get install --yes --no-install-recommends $(1); }; } >/dev/null 2>&1 \
	|| { echo "missing, and only root can install it: apt-get install $(1), then try again" >&2; exit 1; }; }

.DEFAULT_GOAL := help
.PHONY: help demo chaos kills test check fuzz clients faketime page-tools postgresql tools

help: ## list these commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST)

demo: tools ## build, then release version 2 under a thousand users; ARGS="--help" shows its options
	@echo "building segue: minutes the first time, seconds after that"
	@$(CARGO) build --locked --package segue-cli
	@echo "starting segue demo $(ARGS)"
	@$(CARGO) run --quiet --locked --package segue-cli -- demo $(ARGS)

chaos: tools ## build, then release five times while everything is killed, one seed after the other
	@$(CARGO) build --locked --package segue-cli
	@report=$$(mktemp); released=0; all=0; \
	for seed in $(SEEDS); do \
		echo "== seed $$seed"; \
		$(CARGO) run --quiet --locked --package segue-cli -- \
			demo --chaos --seed $$seed --report $$report $(ARGS) || { rm -f $$report; exit 1; }; \
		all=$$((all + 1)); \
		if grep -q '"verdict": "released"' $$report; then released=$$((released + 1)); fi; \
	done; \
	rm -f $$report; \
	echo "== $$released of $$all were released, the others went all the way back"; \
	test $$((released * 5)) -ge $$((all * 3)) || { echo "fewer than three in five"; exit 1; }

kills: tools ## build, then kill the daemon 200 times in steps and at moments that are drawn, ten in each demo; KILLS=20 for fewer
	@$(CARGO) build --locked --package segue-cli
	@report=$$(mktemp); steps=$$(mktemp); trap 'rm -f $$report $$steps' EXIT; killed=0; seed=0; \
	while [ $$killed -lt $(KILLS) ]; do \
		seed=$$((seed + 1)); \
		$(CARGO) run --quiet --locked --package segue-cli -- demo --kills 10 --decides-within 1s --seed $$seed --report $$report \
			--servers 2 --boards 40 --clients 200 $(ARGS) || exit 1; \
		killed=$$((killed + $$(sed -n 's/.*"killed": \([0-9]*\).*/\1/p' $$report))); \
		sed -n '/"by_step"/,/}/s/^ *"\(.*\)": \([0-9]*\),*$$/\2 \1/p' $$report >>$$steps; \
		echo "== seed $$seed: $$killed of $(KILLS) kills"; \
	done; \
	echo "== by step:"; awk '{ times = $$1; sub(/^[0-9]+ /, ""); all[$$0] += times } END { for (step in all) print all[step], step }' $$steps | sort -rn

test: check clients ## everything that has to hold: check, then all tests, then a short run of the fuzzer
	@echo "the simulation's fresh seeds begin at $(SEGUE_SIM_FROM)"
	SEGUE_SIM_FROM=$(SEGUE_SIM_FROM) $(CARGO) test --workspace --locked
	@$(MAKE) --no-print-directory fuzz

check: tools ## format, lints and documents, without running a test
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path crates/fuzz/Cargo.toml --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

# No sanitizer: the toolchain is the stable one, and the code has no `unsafe` of its own.
fuzz: $(FUZZER)/bin/cargo-fuzz ## feed the readers of other people's bytes with nonsense, ten seconds each; FUZZ_S=3600 for a long run
	@$(CARGO) tree --quiet --locked --manifest-path crates/fuzz/Cargo.toml >/dev/null || { \
		echo "the fuzzer's lock file does not fit: cp Cargo.lock crates/fuzz/, run cargo tree --manifest-path crates/fuzz/Cargo.toml, and commit it" >&2; exit 1; }
	@mkdir -p $(foreach target,$(FUZZ_TARGETS),$(FUZZER)/corpus/$(target))
	@cp deploy/segue.example.toml $(FUZZER)/corpus/config/
	@cat crates/journal/tests/corpus/*.jsonl | sed -n 's/^{"hash":"[^"]*","record":\(.*\)}$$/\1/p' \
		| split --lines 1 --suffix-length 4 - $(FUZZER)/corpus/record/seed-
	@echo "building the fuzzer: minutes the first time"
	@$(FUZZ) build $(FUZZ_BUILD) >$(FUZZER)/build.log 2>&1 || { cat $(FUZZER)/build.log; exit 1; }
	@for target in $(FUZZ_TARGETS); do \
		echo "fuzzing $$target for $(FUZZ_S) s"; \
		seeds=crates/fuzz/seeds/$$target; test -d $$seeds || seeds=; \
		log=$(FUZZER)/$$target.log; \
		$(FUZZ) run $(FUZZ_BUILD) $$target $(FUZZER)/corpus/$$target $$seeds -- \
			-max_total_time=$(FUZZ_S) -max_len=16384 -timeout=10 -artifact_prefix=$(FUZZER)/$$target- >$$log 2>&1 \
			|| { tail -40 $$log; exit 1; }; \
		grep "^Done" $$log; \
	done

$(FUZZER)/bin/cargo-fuzz:
	@echo "installing cargo-fuzz into $(FUZZER)"
	@command -v c++ >/dev/null || $(call debian,g++)
	@CARGO_TARGET_DIR=$(FUZZER)/install $(CARGO) install cargo-fuzz --version $(CARGO_FUZZ) --locked --quiet --root $(FUZZER) || { \
		echo "cargo-fuzz could not be installed: see whether crates.io can be reached" >&2; exit 1; }
	@rm -rf $(FUZZER)/install

clients: $(VENV)/installed $(CLIENTS)/prometheus faketime page-tools postgresql ## install what the tests use of other people's: boto3, the AWS CLI, moto, Prometheus, PostgreSQL, faketime, curl, jq

$(VENV)/installed: tests/clients/requirements.txt
	@echo "installing other people's clients into $(VENV)"
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { $(call debian,python3 python3-venv) && $(PYTHON) -m venv $(VENV); }
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $< || { \
		echo "PyPI could not be reached: the tests need the packages of $<" >&2; exit 1; }
	@touch $@

# The installed one, or the Debian package unpacked: it is neither installed nor started.
$(CLIENTS)/prometheus:
	@echo "getting Prometheus into $(CLIENTS)"
	@mkdir -p $(CLIENTS)/debian
	@if command -v prometheus >/dev/null; then ln -sf "$$(command -v prometheus)" $@; else \
		cd $(CLIENTS)/debian && { apt-get download prometheus || { apt-get update && apt-get download prometheus; }; } >/dev/null 2>&1 \
		&& dpkg-deb --extract prometheus_*.deb . && ln -sf debian/usr/bin/prometheus ../prometheus; fi || { \
		echo "prometheus is missing: install it from https://prometheus.io/download, then try again" >&2; exit 1; }

# docs/sandbox.md is run as it stands, and its commands call curl and jq; tests send signals by `kill`, which is not the
# shell's own one.
page-tools:
	@test -x /bin/kill || $(call debian,procps)
	@command -v curl >/dev/null || $(call debian,curl)
	@command -v jq >/dev/null || $(call debian,jq)

# Sets the clock of one process.
faketime:
	@ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || $(call debian,libfaketime)

# The server's programs alone: a test makes its own server and ends it. Debian would make one that runs for ever, unless
# this file of ours says otherwise, which is there for so long.
NO_CLUSTER := /etc/postgresql-common/createcluster.d/segue-tests.conf
postgresql:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb pg_config >/dev/null || { \
		trap 'rm -f $(NO_CLUSTER)' EXIT; \
		{ mkdir -p $(dir $(NO_CLUSTER)) && echo "create_main_cluster = false" >$(NO_CLUSTER); } 2>/dev/null; \
		$(call debian,postgresql); }

tools:
	@command -v $(CARGO) >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs, then try again" >&2; exit 1; }
	@for tool in fmt clippy; do \
		$(CARGO) $$tool --version >/dev/null 2>&1 || rustup component add rustfmt clippy || { \
			echo "cargo $$tool is missing: install the components rustfmt and clippy of the toolchain in rust-toolchain.toml" >&2; exit 1; }; \
	done
