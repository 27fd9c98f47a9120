#!/usr/bin/env bash
# Run all tests and checks: ./t.sh, or some of the tests: ./t.sh tests.chat
# All of it takes less than 10 minutes on two cores; the last line but one says how much. What one
# change adds takes less than 35 seconds: longer runs are commands of tests/stress.
set -eu
EXTRAS=test
source "$(dirname "${BASH_SOURCE[0]}")/.venv.sh"
exec "$PYTHON" -m tests.run "$@"
