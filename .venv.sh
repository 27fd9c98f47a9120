# Sourced by s.sh, c.sh and t.sh: creates the virtual environment .venv and installs the packages of
# setup.py in it, again when setup.py has changed. In: EXTRAS, such as "test". Out: $PYTHON, $TOP.
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PYTHON=$TOP/.venv/bin/python
export PYTHONPATH=$TOP${PYTHONPATH:+:$PYTHONPATH}

_find_python() {
    for version in 3.13 3.12 3.11 3.10 3; do
        if "python$version" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
            2>/dev/null; then
            echo "python$version"
            return
        fi
    done
    echo "GTChat needs Python 3.10 to 3.13: apt-get install python3 python3-venv" >&2
    exit 1
}

_wanted=$(cat "$TOP/setup.py" | cksum)
_stamp=$TOP/.venv/stamp${EXTRAS:+-$EXTRAS}
if [ ! -x "$PYTHON" ] || [ "$(cat "$_stamp" 2>/dev/null)" != "$_wanted" ]; then
    echo "Installing the packages of GTChat into $TOP/.venv (once; about half a minute) ..." >&2
    if [ ! -x "$PYTHON" ]; then
        _python=$(_find_python) || exit 1
        if ! "$_python" -m venv "$TOP/.venv" >/dev/null 2>&1; then
            rm -rf "$TOP/.venv"
            echo "Python has no module venv: apt-get install python3-venv" >&2
            exit 1
        fi
    fi
    "$PYTHON" - "${EXTRAS:-}" > "$TOP/.venv/requirements.txt" <<'REQUIREMENTS'
import os, runpy, sys, types
wanted = {}
fake = types.ModuleType("setuptools")
fake.setup, fake.find_packages = wanted.update, lambda **_: []
sys.modules["setuptools"] = fake
runpy.run_path(os.environ["PYTHONPATH"].split(":")[0] + "/setup.py")
print(*wanted["install_requires"], *wanted["extras_require"].get(sys.argv[1], []), sep="\n")
REQUIREMENTS
    "$PYTHON" -m pip install -qq --disable-pip-version-check --no-warn-script-location \
        -r "$TOP/.venv/requirements.txt" >&2 || {
        echo "pip could not install the packages of GTChat; see its messages above." >&2
        exit 1
    }
    echo "$_wanted" > "$_stamp"
fi
