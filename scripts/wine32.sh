#!/bin/bash
# Fetches Wine's DLLs for 32-bit programs into the cache, for the tests: from Debian's libwine:i386, of the
# version of the libwine that is installed. Nothing is installed, and the machine needs no foreign architecture.
# usage: wine32.sh; makes ~/.cache/winesilo/wine32-VERSION/i386-windows
set -euo pipefail

# Packages whose hash is known are taken from the configured mirror's pool: a mirror that is being
# synchronised has lists of packages for a while that apt rightly refuses. Others are left to apt.
declare -A known=(
  ['8.0~repack-4']=c992aad6a47d81b719514f5d06c5df10267f1e40a6f4f3b4e3f655cbbf308d57
  ['10.0~repack-6']=fef4802a6553a17eaa40003333a86fc697440d1d21c5824f2dbd1c444f01527b
)

version=$(dpkg-query -W -f '${Version}' libwine:amd64)
number=${version%%[~+-]*}
place=${XDG_CACHE_HOME:-$HOME/.cache}/winesilo/wine32-$number
if [ -f "$place/i386-windows/ntdll.dll" ]; then exit 0; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

from_pool() {
  local mirror file=libwine_${version}_i386.deb
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' | sort -u |
    while read -r mirror; do
      if /usr/lib/apt/apt-helper -qq -o APT::Sandbox::User=root download-file \
        "${mirror%/}/pool/main/w/wine/$file" "$file" "SHA256:${known[$version]}" 2>>refused; then exit 0; fi
    done
  if [ ! -f "$file" ]; then
    cat refused >&2
    return 1
  fi
}

from_lists() {
  mkdir -p state/lists/partial cache/archives/partial
  : >status
  cat >apt.conf <<END
APT::Architecture "i386";
APT::Architectures { "i386"; };
APT::Sandbox::User "";
Acquire::Languages "none";
Dir::State "$work/state";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
END
  export APT_CONFIG=$work/apt.conf
  apt-get update -qq || echo 'winesilo: not all of the package lists could be fetched' >&2
  apt-get download -qq "libwine=$version"
}

echo "winesilo: fetching libwine $version for i386" >&2
if [ -n "${known[$version]:-}" ]; then from_pool; else from_lists; fi
rm -rf "$place.partial"
mkdir -p "$place.partial"
dpkg-deb --fsys-tarfile libwine_*_i386.deb |
  tar -x -C "$place.partial" --strip-components=5 ./usr/lib/i386-linux-gnu/wine/i386-windows
rm -rf "$place"
mv "$place.partial" "$place"
