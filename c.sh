#!/usr/bin/env bash
# Starts the terminal client from this checkout: ./c.sh [URL] [options]. Options: ./c.sh --help
set -eu
source "$(dirname "${BASH_SOURCE[0]}")/.venv.sh"
exec "$PYTHON" -m gtchat.cli client "$@"
