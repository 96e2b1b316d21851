#!/bin/bash
# Runs the integration tests on Wine 10, in the Debian 13 tree of debian13.sh.
# usage: test-wine10.sh [PYTEST-ARG...]
set -euo pipefail
cd "$(dirname "$0")/.."

# The Windows program of the MySQL test comes from the cache, which the tree shares: no npm in there.
.venv/bin/python -c 'from winesilo.demo.mysql import MySql; MySql().fetch(print)'

exec scripts/debian13.sh -m pytest -p no:cacheprovider tests/integration "$@"
