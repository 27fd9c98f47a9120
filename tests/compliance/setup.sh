#!/usr/bin/env bash
# Create a virtual environment with the Autobahn test suite, which needs Python 2.7.
#   PY27=/path/of/python2.7 tests/compliance/setup.sh FOLDER
set -eu
folder=${1:?the folder to create}
python=${PY27:?path of a Python 2.7, as PY27=...}
boot=$(mktemp -d)
trap 'rm -rf "$boot"' EXIT
"$python" -m pip install -q --target "$boot" 'virtualenv<20.22'
PYTHONPATH=$boot "$python" -m virtualenv -q --no-download "$folder"
"$folder/bin/pip" install -q --no-deps autobahntestsuite==25.10.1
"$folder/bin/pip" install -q autobahn==0.10.9 txaio==2.1.0 'twisted[tls]==20.3.0' unittest2==1.1.0 \
    jinja2==2.11.3 markupsafe==1.1.1 werkzeug==0.16.1 klein==15.0.0
"$folder/bin/wstest" -a
