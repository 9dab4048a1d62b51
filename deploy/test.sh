#!/usr/bin/env bash
# Runs every test and closes with one line: N passed, N failed.
set -uo pipefail
cd "$(dirname "$0")/.."

# A test waits for chains and timers most of its time.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((2 * $(nproc)))}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cargo test --workspace --locked --no-fail-fast 2>&1 | tee "$log"
status=${PIPESTATUS[0]}
# Apart from the rest, so that no program that ships is built with what these use.
cargo test --workspace --locked --no-fail-fast \
    --features tercet-tests/insecure-dealer,tercet-signer/insecure-dealer \
    --test load --test dealt 2>&1 | tee -a "$log"
status=$((status | PIPESTATUS[0]))
awk '/^test result:/ { passed += $4; failed += $6 } END { printf "%d passed, %d failed\n", passed, failed }' "$log"
exit "$status"
