#!/bin/sh
# The canary target must be found to break, by mutation alone, and leave an input that breaks it again.
exe=$1 seed=$2
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
"$exe" "$seed" >/dev/null 2>&1 || { echo "the seed alone must not break it"; exit 1; }
"$exe" --mutate 3000000 --seed 7 --save "$dir/input" "$seed" >"$dir/out" 2>&1 &&
    { echo "3 million mutations did not find the bug"; exit 1; }
grep -q '^seed 7;' "$dir/out" || { echo "the seed was not printed"; exit 1; }
"$exe" "$dir/input" >/dev/null 2>&1 && { echo "the input left behind does not reproduce"; exit 1; }
echo "found, reported, reproduced"
