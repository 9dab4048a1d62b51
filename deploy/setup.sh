#!/usr/bin/env bash
# Sets up what the build, the demo and the tests need. Installs what it may; says what it may not.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
for tool in cc make m4; do
    command -v "$tool" >/dev/null || missing+=("$tool")
done

if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "setup: installing gcc, make and m4, which build GMP"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq gcc libc6-dev make m4 >/dev/null
    else
        echo "setup: ${missing[*]} missing. GMP is built from source and needs a C compiler, make and m4." >&2
        echo "setup: install them, for example: sudo apt-get install gcc libc6-dev make m4" >&2
        exit 1
    fi
fi

if ! command -v "${CVC5:-cvc5}" >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "setup: installing cvc5, the solver that proves policies"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq cvc5 >/dev/null
    else
        echo "setup: cvc5 is missing. \`tercet policy prove\` and its tests call it to analyse policies." >&2
        echo "setup: install it, for example: sudo apt-get install cvc5; or name the program in CVC5" >&2
        exit 1
    fi
fi

command -v cargo >/dev/null || {
    echo "setup: cargo is missing. Install Rust with rustup, then run this again." >&2
    exit 1
}
command -v npm >/dev/null || {
    echo "setup: npm is missing. The test chains and the official x402 and MPP peers come from npm; install Node.js 20 or later." >&2
    exit 1
}

stamp=tests/peers/node_modules/.tercet-lock
if ! cmp -s tests/peers/package-lock.json "$stamp" 2>/dev/null; then
    echo "setup: installing the test chains and the official x402 and MPP peers"
    npm ci --prefix tests/peers --no-audit --no-fund --loglevel=error
    cp tests/peers/package-lock.json "$stamp"
fi
(cd tests/peers && node build.mjs)
