#!/usr/bin/env bash
# Starts the console client from this checkout: ./c.sh [URL] [options]; ./c.sh --help tells them.
set -eu
source "$(dirname "${BASH_SOURCE[0]}")/.venv.sh"
exec "$PYTHON" -m gtchat.cli client "$@"
