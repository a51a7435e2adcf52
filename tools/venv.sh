#!/bin/sh
# venv.sh PYTHON VENV          a virtual environment with exactly the locked versions, and this checkout in it, editable
# venv.sh PYTHON VENV WHEEL    one with WHEEL and what it declares, in the locked versions, and nothing else
set -eu
python=$1 venv=$2 wheel=${3-}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "guldberg needs Python 3.11 or newer; '$python' is not. Try: make PYTHON=/path/to/python3.12" >&2
    exit 2
fi
export PIP_DISABLE_PIP_VERSION_CHECK=1
rm -rf "$venv"
if "$python" -m venv "$venv" >/dev/null 2>&1; then
    pip="$venv/bin/python -m pip"
else # Debian ships pip without ensurepip: let the outer pip install into the new environment
    rm -rf "$venv"
    "$python" -m venv --without-pip "$venv"
    pip="$python -m pip --python $venv/bin/python"
fi
if [ -n "$wheel" ]; then
    sed -n 's/^\([^ ]*==[^\]*\).*/\1/p' requirements.lock > "$venv/constraints.txt"
    $pip install --quiet --constraint "$venv/constraints.txt" "$wheel"
else
    echo "Setting up $venv (about a minute, once) ..."
    $pip install --quiet --require-hashes --no-deps -r requirements.lock
    $pip install --quiet --no-deps --no-build-isolation --editable .
fi
