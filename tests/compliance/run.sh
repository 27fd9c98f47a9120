#!/usr/bin/env bash
# Test the WebSocket protocol with the Autobahn test suite: an echo server with the real factory.
#   tests/compliance/run.sh FOLDER_OF_SETUP [all] [tls]
# 247 cases in some seconds; with `all` also the 270 of large messages and compression, in minutes.
# With `tls` over TLS.
set -eu
suite=$(cd "${1:?the folder given to setup.sh}" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python=${PYTHON:-.venv/bin/python}
work=$(mktemp -d)
port=${PORT:-9501}
exclude='["9.*", "12.*", "13.*"]'
bytes=65536
scheme=ws
pem=
for word in "${@:2}"; do
    case $word in
        all) exclude='[]' bytes=16777216 ;;
        tls) scheme=wss pem=$work/pem ;;
    esac
done
"$python" -m tests.compliance.echo "$port" "$bytes" $pem > "$work/server.log" 2>&1 &
server=$!
trap 'kill $server; rm -rf "$work"' EXIT
"$python" - "$port" <<'PYTHON'
import socket, sys, time
for _ in range(100):
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()
        break
    except OSError:
        time.sleep(0.1)
PYTHON
cat > "$work/spec.json" <<JSON
{"options": {"failByDrop": false}, "outdir": "$work",
 "servers": [{"agent": "gtchat", "url": "$scheme://127.0.0.1:$port"}],
 "cases": ["*"], "exclude-cases": $exclude, "exclude-agent-cases": {}}
JSON
(cd "$work" && "$suite/bin/wstest" -m fuzzingclient -s spec.json > suite.log 2>&1) || {
    tail "$work/suite.log"
    exit 2
}
if [ -s "$work/server.log" ]; then
    cat "$work/server.log"
fi
"$python" - "$work" <<'PYTHON'
import collections, json, sys
cases = json.load(open(sys.argv[1] + "/index.json"))["gtchat"]
good = ("OK", "INFORMATIONAL")
for name in sorted(cases, key=lambda name: [int(part) for part in name.split(".")]):
    case = cases[name]
    if case["behavior"] not in (*good, "UNIMPLEMENTED") or case["behaviorClose"] not in good:
        print(name, case["behavior"], case["behaviorClose"])
count = collections.Counter(case["behavior"] for case in cases.values())
closes = collections.Counter(case["behaviorClose"] for case in cases.values())
print(f"{len(cases)} cases: {dict(count)}; closing: {dict(closes)}")
bad = count["FAILED"] + count["NON-STRICT"] + count["UNCLEAN"] + closes["FAILED"] + closes["UNCLEAN"]
sys.exit(bool(bad))
PYTHON
