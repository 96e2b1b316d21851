#!/bin/bash
# Fetches Wine's DLLs for 32-bit programs into the cache, for the tests: from Debian's libwine:i386, of the
# version of the libwine that is installed. Nothing is installed: apt works in a folder of its own, so the
# machine needs no foreign architecture.
# usage: wine32.sh; makes ~/.cache/winesilo/wine32-VERSION/i386-windows
set -euo pipefail

number=$(/usr/lib/wine/wine64 --version | sed 's/^wine-\([0-9.]*\).*/\1/')
package=libwine=$(dpkg-query -W -f '${Version}' libwine:amd64)
place=${XDG_CACHE_HOME:-$HOME/.cache}/winesilo/wine32-$number
if [ -f "$place/i386-windows/ntdll.dll" ]; then exit 0; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial"
: >"$work/status"
cat >"$work/apt.conf" <<END
APT::Architecture "i386";
APT::Architectures { "i386"; };
APT::Sandbox::User "";
Acquire::Languages "none";
Dir::State "$work/state";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
END
export APT_CONFIG=$work/apt.conf

echo "winesilo: fetching $package for i386" >&2
cd "$work"
apt-get update -qq || echo 'winesilo: not all of the package lists could be fetched' >&2
apt-get download -qq "$package"
rm -rf "$place.partial"
mkdir -p "$place.partial"
dpkg-deb --fsys-tarfile libwine_*_i386.deb |
  tar -x -C "$place.partial" --strip-components=5 ./usr/lib/i386-linux-gnu/wine/i386-windows
rm -rf "$place"
mv "$place.partial" "$place"
