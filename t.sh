#!/usr/bin/env bash
# Run all tests and checks: ./t.sh, or some of the tests: ./t.sh tests.chat. Tests of the page that
# open many more browsers, Firefox among them: ./t.sh --browsers
# All of it takes less than 10 minutes on two cores, and what one change adds less than 35 seconds:
# longer runs are commands of tests/stress.
set -eu
EXTRAS=test
source "$(dirname "${BASH_SOURCE[0]}")/.venv.sh"
exec "$PYTHON" -m tests.run "$@"
