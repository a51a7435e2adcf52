#!/bin/sh
# venv.sh PYTHON VENV: a virtual environment with exactly the locked versions, and guldberg in it, editable.
set -eu
python=$1 venv=$2
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "guldberg needs Python 3.11 or newer; '$python' is not. Try: make PYTHON=/path/to/python3.12" >&2
    exit 2
fi
export PIP_DISABLE_PIP_VERSION_CHECK=1
echo "Setting up $venv (about a minute, once) ..."
rm -rf "$venv"
if "$python" -m venv "$venv" >/dev/null 2>&1; then
    pip="$venv/bin/python -m pip"
else # Debian ships pip without ensurepip: let the outer pip install into the new environment
    rm -rf "$venv"
    "$python" -m venv --without-pip "$venv"
    pip="$python -m pip --python $venv/bin/python"
fi
$pip install --quiet --require-hashes --no-deps -r requirements.lock
$pip install --quiet --no-deps --no-build-isolation --editable .
