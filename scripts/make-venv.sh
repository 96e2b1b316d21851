#!/bin/bash
# Makes the virtual environment and installs winesilo in it, editable, with the development tools.
# usage: make-venv.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1

python=
for candidate in ${PYTHON:-} python3 /usr/bin/python3; do
  if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  echo 'winesilo: no Python >= 3.11 with venv; set PYTHON or run: apt-get install python3-venv' >&2
  exit 1
fi

# A virtual environment of an interpreter that is gone, or of a clone that moved, is made anew.
if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
  echo "winesilo: making $venv with $("$python" --version)"
  rm -rf "$venv"
  "$python" -m venv "$venv"
fi
echo "winesilo: installing winesilo and its dependencies into $venv"
"$venv/bin/python" -m pip install --disable-pip-version-check --quiet --quiet --editable '.[dev]'
