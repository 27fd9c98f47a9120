#!/usr/bin/env bash
# Starts the server from this checkout: ./s.sh [options of twistd gtchat]
# Data are kept in ./data. Options: ./s.sh --help
set -eu
source "$(dirname "${BASH_SOURCE[0]}")/.venv.sh"
cd "$TOP"
# A page from disk may connect as long as only this machine can: with --public, a settings file or
# an endpoint that does not name a loopback interface, it may not, unless --file-page is given too.
page=--file-page
for word in "$@" "${GTCHAT_WS:-}" "${GTCHAT_WEB:-}"; do
    case $word in
        *,*) page= ;;
        *:interface=127.* | *:interface='\:\:1'* | unix:* | *=unix:*) ;;
        --public | --config* | -c* | *tcp:* | *tcp6:* | *ssl:* | *haproxy:* | *systemd:*) page= ;;
    esac
done
exec "$TOP/.venv/bin/twistd" -n --pidfile= gtchat $page --data "$TOP/data" "$@"
