#!/usr/bin/env bash
# Run all tests and checks: ./t.sh, or some of the tests: ./t.sh tests.chat
set -eu
EXTRAS=test
source "$(dirname "${BASH_SOURCE[0]}")/.venv.sh"
cd "$TOP"
if [ $# -eq 0 ]; then
    echo "ruff, mypy ..."
    "$PYTHON" -m ruff check --quiet .
    "$PYTHON" -m ruff format --quiet --check .
    "$PYTHON" -m mypy --no-error-summary
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ $# -eq 0 ]; then
    # gtchat/chat needs no socket: its own tests have to cover every branch of it.
    export COVERAGE_FILE=$work/coverage
    "$PYTHON" -m coverage run --source=gtchat/chat -m twisted.trial \
        --temp-directory="$work/trial" tests.chat > "$work/out" 2>&1 || true
    "$PYTHON" -m coverage report --show-missing --skip-covered --fail-under=100 > "$work/report" || {
        cat "$work/report"
        echo "Some of gtchat/chat is not tested by tests/chat."
        exit 1
    }
    echo "tests ..."
fi
"$PYTHON" -m twisted.trial --reporter=bwverbose --temp-directory="$work/trial" "${@:-tests}" \
    > "$work/out" 2>&1 && verdict=0 || verdict=$?
if [ "$verdict" -ne 0 ]; then
    cat "$work/out"
fi
"$PYTHON" tests/verdict.py "$work/out"
exit "$verdict"
