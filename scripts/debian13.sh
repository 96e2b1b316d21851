#!/bin/bash
# Runs a Python program of the project on Wine 10: in a Debian 13 tree, in namespaces of its own.
# usage: debian13.sh PYTHON-ARG...
#
# The tree is made once with debootstrap and kept (WINESILO_DEBIAN13, default ~/.cache/winesilo/debian13),
# with a virtual environment of its own Python in it. The native parts are those that were built outside:
# that one build must serve both versions of Wine is part of what is tested.
set -euo pipefail
cd "$(dirname "$0")/.."
repo=$PWD
cache=${XDG_CACHE_HOME:-$HOME/.cache}/winesilo
tree=${WINESILO_DEBIAN13:-$cache/debian13}
packages=(binutils ca-certificates fuse-overlayfs python3 python3-venv util-linux wine wine64)

scripts/system-deps.sh wine10
root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo 'winesilo: making and entering a Debian 13 tree needs root; run this as root' >&2
    exit 1
  fi
  root=(sudo --preserve-env)
fi

if [ ! -x "$tree/usr/bin/apt-get" ]; then
  echo "winesilo: making a Debian 13 tree in $tree"
  "${root[@]}" rm -rf "$tree.partial"
  "${root[@]}" mkdir -p "$(dirname "$tree")"
  "${root[@]}" debootstrap --variant=minbase --include=ca-certificates trixie "$tree.partial"
  "${root[@]}" mv "$tree.partial" "$tree"
fi

exec "${root[@]}" env \
  WINESILO_REPO="$repo" WINESILO_TREE="$tree" WINESILO_CACHE="$cache" WINESILO_PACKAGES="${packages[*]}" \
  unshare --mount --pid --fork --kill-child scripts/in-debian13.sh "$@"
