#!/bin/bash
# Runs the matrix on Wine 10, in the Debian 13 tree of debian13.sh.
# usage: matrix-wine10.sh [MATRIX-ARG...]
set -euo pipefail
cd "$(dirname "$0")/.."

# The Windows programs come from the cache, which the tree shares: nothing is fetched or built in there.
.venv/bin/python tests/matrix/matrix.py --fetch "$@"

exec scripts/debian13.sh tests/matrix/matrix.py "$@"
