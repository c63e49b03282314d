#!/bin/sh
# Fuzzes the named targets with libFuzzer in build-fuzz/, FUZZ_SECONDS each, after the canary; then a
# server built the same way with messages.py and sqlsmith.sh. What breaks lies in build-fuzz/crashes
# and is shown with the command that replays it.
set -u
seconds=${FUZZ_SECONDS:-60}
packages="clang libclang-rt-14-dev"
build=$PWD/build-fuzz
failed=

if ! dpkg -s $packages >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then apt-get install -y -qq $packages >/dev/null
    else sudo -n apt-get install -y -qq $packages >/dev/null; fi ||
        { echo "needs: apt-get install $packages"; exit 2; }
fi
# --wipe would throw the corpus away, so an old folder is used as it is.
[ -f $build/build.ninja ] ||
    CC=clang meson setup $build --buildtype=debugoptimized -Dtests=false -Dfuzz=true \
        -Db_sanitize=address,undefined -Db_lundef=false \
        "-Dc_args=-fsanitize=fuzzer-no-link -fno-sanitize-recover=undefined" >/dev/null || exit 2
ninja -C $build || exit 2
export UBSAN_OPTIONS=print_stacktrace=1

one() {
    target=$1 time=$2
    corpus=$build/corpus/$target crashes=$build/crashes/$target
    mkdir -p "$corpus" "$crashes" "$build/tmp"
    kept=tests/fuzz/corpus/$target
    dict=
    case $target in sql|pg_session) dict=-dict=$build/tests/fuzz/sql.dict ;; esac
    [ -d "$kept" ] || kept=
    TMPDIR=$build/tmp $build/tests/fuzz/fuzz_"$target" $dict -max_total_time="$time" -timeout=20 \
        -rss_limit_mb=4096 -artifact_prefix="$crashes/" -print_final_stats=1 \
        "$corpus" $build/tests/fuzz/seeds/"$target" $kept >"$build/$target.log" 2>&1
}

# The harness itself: a target that must be found to break.
mkdir -p $build/tests/fuzz/seeds/canary
cp tests/fuzz/corpus/canary/seed $build/tests/fuzz/seeds/canary/
if one canary 60; then echo "the canary was not caught: fuzzing proves nothing here"; exit 1; fi
grep -q "deadly signal" $build/canary.log || { tail -20 $build/canary.log; exit 1; }
echo "canary: caught"

for target; do
    if one "$target" "$seconds"; then
        grep -o "stat::number_of_executed_units: *[0-9]*" "$build/$target.log" |
            sed "s/.*: */$target: runs /"
    else
        failed="$failed $target"
        tail -60 "$build/$target.log"
        sed -n "s|.*Test unit written to \(.*\)|replay: $build/tests/fuzz/fuzz_$target \1|p" \
            "$build/$target.log"
    fi
done

export ASAN_OPTIONS=detect_leaks=1
/usr/bin/python3 tests/fuzz/messages.py $build/src/bin/heliosd "${FUZZ_MESSAGES:-50000}" ||
    failed="$failed messages"
sh tests/fuzz/sqlsmith.sh $build/src/bin/heliosd "$seconds" || failed="$failed sqlsmith"
[ -z "$failed" ] || { echo "failed:$failed"; exit 1; }
