#!/bin/bash
# Runs the tests that depend on Wine's version on Wine 10, in the Debian 13 tree of debian13.sh.
# usage: test-wine10.sh [PYTEST-ARG...]
set -euo pipefail
cd "$(dirname "$0")/.."

# The Windows programs of the tests come from the cache, which the tree shares: no npm in there.
.venv/bin/python tests/matrix/matrix.py --fetch --only mysql,nginx,postgres

exec scripts/debian13.sh -m pytest -p no:cacheprovider -n auto --dist worksteal tests/integration \
  tests/unit/test_interposer_symbols.py "$@"
