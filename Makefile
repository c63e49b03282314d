# A thin front to meson and ninja. `make run` starts the server with demo data, `make test` runs
# everything that must hold. Both install what is missing (tools/deps.sh has the list).
BUILD ?= build
DATA ?= helios-data
PREFIX ?= /usr/local
MESON_FLAGS ?= --buildtype=debugoptimized

.PHONY: all deps run install test lint drivers asan tsan torture mutants bench clean fuzz random

all: deps $(BUILD)/build.ninja
	@ninja -C $(BUILD)

deps:
	@sh tools/deps.sh

$(BUILD)/build.ninja:
	@meson setup $(BUILD) $(MESON_FLAGS) >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log

# The server in the foreground, on 127.0.0.1:5432, with a small shop to look at.
run: all
	@$(BUILD)/src/bin/heliosd --data $(DATA) --demo $(ARGS)

# heliosd, helios, and the library (docs/library.md), under PREFIX; DESTDIR is honoured.
install: all
	@meson configure $(BUILD) -Dprefix=$(PREFIX) -Dlibdir=lib
	@ninja -C $(BUILD) >/dev/null
	@meson install -C $(BUILD) --no-rebuild --quiet
	@test -n "$(DESTDIR)" || ldconfig 2>/dev/null || true

# The layers, and whether each planted bug still fits the sources.
lint:
	@python3 tools/check_layers.py
	@/usr/bin/python3 tests/mutants/run.py --list >/dev/null

test: all lint
	@meson test -C $(BUILD) --print-errorlogs --no-rebuild

# Every driver's test, with what it wants: tests/driver/README.md. Some: make drivers DRIVERS="jdbc node"
DRIVERS ?=
drivers: all
	@sh tests/driver/run.sh $(BUILD) $(DRIVERS)

# The whole suite under the sanitizers, each in a build folder of its own.
asan: deps
	@test -f build-asan/build.ninja || meson setup build-asan -Db_sanitize=address,undefined \
		-Db_lundef=false --buildtype=debugoptimized >/dev/null
	@ninja -C build-asan
	@UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 LSAN_OPTIONS=suppressions=$(CURDIR)/tests/lsan.supp \
		meson test -C build-asan --print-errorlogs --no-rebuild --timeout-multiplier 5

tsan: deps
	@test -f build-tsan/build.ninja || meson setup build-tsan -Db_sanitize=thread \
		-Db_lundef=false --buildtype=debugoptimized >/dev/null
	@ninja -C build-tsan
	@meson test -C build-tsan --print-errorlogs --no-rebuild --timeout-multiplier 10

# libFuzzer on every decoder, FUZZ_SECONDS each, then mutated messages and sqlsmith on a server. The
# corpus grows in build-fuzz/corpus. One target alone: make fuzz FUZZ_TARGETS=sql
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= backup column column_segment config copy json parquet pattern pg_session pg_start segment sql store types
fuzz: deps
	@FUZZ_SECONDS=$(FUZZ_SECONDS) sh tests/fuzz/run.sh $(FUZZ_TARGETS)

# Hours of misfortune in minutes, each part also alone. On the simulated disk: 600 power losses of the store, 2,000 of the
# whole database, POWER_LOSSES with branches, DDL, merges, garbage collection, foreign keys and prepared transactions in the
# mix, 10,000 flipped bits, each write and sync failing in turn. Of the real server: KILLS under load, as many of
# prepared transactions, and as many with all of that in the mix. And histories of TRANSACTIONS from CLIENTS at each isolation
# level (or LEVEL="serializable"), with HISTORY_KILLS, searched for the cycles that the level forbids.
POWER_LOSSES ?= 10000
KILLS ?= 200
TRANSACTIONS ?= 100000
CLIENTS ?= 16
HISTORY_KILLS ?= 20
LEVEL ?=
.PHONY: torture-store torture-power torture-power-mix torture-disk torture-kill torture-kill-mix torture-isolation
torture: torture-store torture-power torture-power-mix torture-disk torture-kill torture-kill-mix torture-isolation

torture-store: all
	@for seed in 1000 1040 1080; do SEED=$$seed $(BUILD)/tests/unit/core/test_core_store || exit 1; done

torture-power: all
	@SEED=$${SEED:-1000} SEEDS=100 ROUNDS=20 $(BUILD)/tests/unit/db/test_db_power_loss

torture-power-mix: all
	@SEED=$${SEED:-1000} SEEDS=$$(($(POWER_LOSSES) / 20)) ROUNDS=20 $(BUILD)/tests/unit/db/test_db_power_mix

torture-disk: all
	@$(BUILD)/tests/unit/db/test_db_disk_faults
	@SEED=$${SEED:-1} FLIPS=10000 $(BUILD)/tests/unit/db/test_db_bit_rot

torture-kill: all
	@/usr/bin/python3 tests/crash/kill.py $(BUILD)/src/bin/heliosd $(KILLS)
	@/usr/bin/python3 tests/crash/prepared.py $(BUILD)/src/bin/heliosd $(KILLS)

torture-kill-mix: all
	@/usr/bin/python3 tests/crash/kill_mix.py $(BUILD)/src/bin/heliosd $(KILLS) $$SEED

torture-isolation: all
	@/usr/bin/python3 tests/isolation/list_append.py $(BUILD)/src/bin/heliosd --transactions $(TRANSACTIONS) \
		--clients $(CLIENTS) --crashes $(HISTORY_KILLS) $(if $(LEVEL),--level "$(LEVEL)") $${SEED:+--seed $$SEED}

# Random queries and writes on random tables, here and on PostgreSQL 15 (installed when it is missing):
# what differs is made small and printed. SEED=7 for others than the first; then on ours alone.
SEED ?= 1
ROUNDS ?= 25
random: all
	@/usr/bin/python3 tests/random/campaign.py $(BUILD)/src/bin/heliosd --seed $(SEED) --rounds $(ROUNDS)
	@/usr/bin/python3 tests/random/alone.py $(BUILD)/src/bin/heliosd --seed $(SEED) --rounds $(ROUNDS)
	@/usr/bin/python3 tests/random/storage.py $(BUILD)/src/bin/heliosd --seed $(SEED) --encodings all --queries 80 --rows 10000

# Are the tests any good? Some 100 planted bugs, one at a time: fails when less than 95 % are noticed.
mutants: deps
	@/usr/bin/python3 tests/mutants/run.py --jobs $${JOBS:-2} $(ARGS)

# All benchmarks on an optimised build, on a machine that does nothing else: an hour and a half, and
# docs/benchmarks.md is written. `make bench QUICK=1` takes minutes and writes into the build folder;
# `make bench-pgbench` runs one. What fails is shown as such in the page, and fails the whole.
BENCH ?= build-bench
QUICK ?=
BENCHES = $(patsubst bench/%.py,%,$(filter-out bench/report.py bench/qerror.py,$(wildcard bench/*.py)))
BENCH_PAGE = $(if $(QUICK),$(BENCH)/benchmarks.md,docs/benchmarks.md)
bench_pgbench = --socket tcp,unix $(if $(QUICK),--rounds 1 --seconds 2 --scale 5 --shared-buffers 1GB)
bench_mixed = $(if $(QUICK),--rounds 1 --seconds 4 --analysts 1 --scale 0.05 --shared-buffers 1GB)
bench_serializable = $(if $(QUICK),--rounds 1 --seconds 3 --scale 5 --shared-buffers 1GB)
bench_connections = $(if $(QUICK),--rounds 1 --seconds 2)
bench_ddl = $(if $(QUICK),--rows 100000 --cycles 3 --seconds 1 --shared-buffers 1GB)
bench_engine = $(if $(QUICK),--rounds 1 --keys 200000 --writers 16 --sync-seconds 1)
subject_engine = $(BENCH)/bench/bench_engine
bench_kernels = $(if $(QUICK),--rounds 1 --rows 500000 --ms 30)
subject_kernels = $(BENCH)/bench/bench_kernels
bench_history = $(if $(QUICK),--scale 100 --hours 4 --keys 50000 --updates 500000)
subject_history = $(BENCH)/bench/bench_history
bench_branches = $(if $(QUICK),--rows 1000 --creates 10 --reads 20000 --rounds 2 --no-postgres)
bench_tpch = $(if $(QUICK),--rounds 2 --scale 0.1 --shared-buffers 1GB)
bench_clickbench = $(if $(QUICK),--rounds 2 --rows 200000)
bench_copy = $(if $(QUICK),--rounds 1 --scale 0.1 --shared-buffers 1GB)

$(BENCH)/build.ninja:
	@meson setup $(BENCH) --buildtype=release -Dbench=true -Dtests=false -Dpoints=false >/dev/null

bench: deps $(BENCH)/build.ninja
	@failed=; for b in $(BENCHES); do \
		$(MAKE) --no-print-directory bench-$$b || failed="$$failed $$b"; \
	done; \
	/usr/bin/python3 bench/report.py --build $(BENCH) --out $(BENCH_PAGE) \
		$(BENCHES:%=$(BENCH)/%.json) || exit 1; \
	echo "Wrote $(BENCH_PAGE)"; \
	[ -z "$$failed" ] || { echo "Failed:$$failed" >&2; exit 1; }

bench-%: $(BENCH)/build.ninja
	@ninja -C $(BENCH) >/dev/null
	@rm -f $(BENCH)/$*.json
	@/usr/bin/python3 bench/$*.py $(or $(subject_$*),$(BENCH)/src/bin/heliosd) \
		$(bench_$*) --json $(BENCH)/$*.json
clean:
	@rm -rf build build-asan build-tsan build-mutants build-bench build-fuzz
