#!/usr/bin/env bash
# Start the server from this checkout: ./s.sh [options of twistd gtchat]
# Its data directory is ./data. Options: ./s.sh --help
set -eu
source "$(dirname "${BASH_SOURCE[0]}")/.venv.sh"
cd "$TOP"
# Accept static/client.html opened from disk (Origin null) while only this machine can connect. With
# --public, a settings file or an endpoint without a loopback interface, give --file-page yourself.
page=--file-page
for word in "$@" "${GTCHAT_WS:-}" "${GTCHAT_WEB:-}"; do
    case $word in
        *,*) page= ;;
        *:interface=127.* | *:interface='\:\:1'* | unix:* | *=unix:*) ;;
        --public | --config* | -c* | *tcp:* | *tcp6:* | *ssl:* | *haproxy:* | *systemd:*) page= ;;
    esac
done
exec "$TOP/.venv/bin/twistd" -n --pidfile= gtchat $page --data "$TOP/data" "$@"
