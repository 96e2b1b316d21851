#!/bin/bash
# Installs the Debian packages that are missing, with apt, as root or through sudo.
# usage: system-deps.sh [build] [test] [demo] [wine10] [conformance] [apache] [bench]
# Looks for the programs themselves, so nothing is asked of apt where all of them are there already.
set -euo pipefail

python_ok() {
  "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

have_python() {
  local candidate
  for candidate in ${PYTHON:-} python3 /usr/bin/python3; do
    if python_ok "$candidate"; then return 0; fi
  done
  return 1
}

missing=()
need() { # need PACKAGES TEST...: the packages are wanted if the test fails
  local packages=$1
  shift
  if ! "$@" >/dev/null 2>&1; then
    read -ra words <<<"$packages"
    missing+=("${words[@]}")
  fi
}

wanted=" ${*:-build} "
case $wanted in *" build "*)
  need "python3 python3-venv" have_python
  need "gcc libc6-dev" sh -c 'command -v gcc && printf "#include <stdio.h>\n" | gcc -E -x c - '
  need "gcc-mingw-w64-x86-64" command -v x86_64-w64-mingw32-gcc
  need "gcc-mingw-w64-i686" command -v i686-w64-mingw32-gcc
  need "mingw-w64-tools" command -v x86_64-w64-mingw32-widl
  need "wine wine64" sh -c 'test -x /usr/lib/wine/wine64 -a -x /usr/lib/wine/wineserver'
  need "fuse-overlayfs" command -v fuse-overlayfs
  need "util-linux" command -v setpriv
  ;;
esac
case $wanted in *" demo "*) need "npm" command -v npm ;; esac
case $wanted in *" test "*) need "wixl" command -v wixl ;; esac
case $wanted in *" wine10 "*)
  need "debootstrap" command -v debootstrap
  ;;
esac
case $wanted in *" conformance "*) # building Wine's tests
  need "dpkg-dev patch xz-utils" sh -c 'command -v dpkg-source && command -v patch && command -v xz'
  need "gcc libc6-dev make" sh -c 'command -v make && printf "#include <stdio.h>\n" | gcc -E -x c - '
  need "gcc-mingw-w64-x86-64" command -v x86_64-w64-mingw32-gcc
  need "autoconf autotools-dev" sh -c 'command -v autoreconf && test -e /usr/share/misc/config.sub'
  need "bison flex perl" sh -c 'command -v bison && command -v flex && command -v perl'
  ;;
esac
case $wanted in *" apache "*) # building Apache httpd for Windows
  need "gcc libc6-dev" sh -c 'printf "#include <stdio.h>\n" | gcc -E -x c - '
  need "gcc-mingw-w64-x86-64" command -v x86_64-w64-mingw32-gcc
  need "bzip2 xz-utils" sh -c 'command -v bzip2 && command -v xz'
  ;;
esac
case $wanted in *" bench "*) need "apache2-utils" command -v ab; need "wrk" command -v wrk ;; esac

if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

echo "winesilo: installing the Debian packages ${missing[*]}" >&2
if ! command -v apt-get >/dev/null; then
  echo "winesilo: this is no Debian; install the equivalents of: ${missing[*]}" >&2
  exit 1
fi
root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "winesilo: run as root: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
"${root[@]}" apt-get update -q
"${root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
