#!/usr/bin/env bash
# Starts the server from this checkout: ./s.sh [options of twistd gtchat]
# Data are kept in ./data. Options: ./s.sh --help
set -eu
source "$(dirname "${BASH_SOURCE[0]}")/.venv.sh"
cd "$TOP"
# A page from disk may connect as long as only this machine can.
page=--file-page
for word in "$@"; do
    case $word in
        --public | *tcp:* | *ssl:* | *haproxy:* | --ws* | --web* | --config* | -c*) page= ;;
    esac
done
exec "$TOP/.venv/bin/twistd" -n --pidfile= gtchat $page --data "$TOP/data" "$@"
