#!/bin/bash
# Builds Wine's own tests for Windows x86-64, out of the source package of the Wine that is installed.
# usage: build.sh FOLDER      (keeps the source, the build and the programs there; FOLDER/exes is the result)
#
# Debian's package has had everything taken out that can be generated. What the tests need of it is made
# again (configure, the server's requests); a source that only Wine's own modules need, which are not
# built here, is stood in for by an empty file, so that Wine's makedep is content.
# Environment: WINESILO_DEBIAN_MIRROR (scripts/steps.sh), JOBS (default: the number of processors).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
source=$folder/source build=$folder/build exes=$folder/exes
jobs=${JOBS:-$(nproc)}
what=conformance
. "$here/../../scripts/steps.sh"

"$here/../../scripts/system-deps.sh" conformance

package=$(dpkg-query -W -f '${source:Version}' wine)
wanted="$package $(cat "$here/build.sh" "$here/modules.txt" | sha256sum)"
if [ "$(cat "$exes/.built" 2>/dev/null)" = "$wanted" ]; then exit 0; fi
exec 9>"$folder/.lock"
flock 9

fetch() { # the source package of exactly this version, through an apt configuration of our own
  open_sources
  rm -rf "$folder/unpacked"
  mkdir "$folder/unpacked"
  (cd "$folder/unpacked" && apt-get "${apt_options[@]}" source "wine=$package")
  mv "$folder"/unpacked/wine-*/ "$source.partial"
  rm -rf "$folder/unpacked" "$folder/apt"
}

stand_in() { # an empty file for each source that a Makefile.in names and the package lacks
  local makefile folder parent file
  find . -name Makefile.in | while read -r makefile; do
    folder=$(dirname "$makefile")
    parent=$(sed -n 's/^PARENTSRC *= *//p' "$makefile") # where a module takes another one's sources from
    sed -nE '/^(SOURCES|[A-Z]+_SRCS) *=/,/[^\\]$/p' "$makefile" | grep -oE '[][A-Za-z0-9_./-]+\.[A-Za-z]+' | while read -r file; do
      if [ ! -e "$folder/$file" ] && [ ! -e "$folder/${parent:-.}/$file" ]; then
        mkdir -p "$(dirname "$folder/$file")"
        : >"$folder/$file"
      fi
    done
  done
  for file in include/wine/{vulkan,vulkan_driver,wgl,wgl_driver}.h; do [ -e "$file" ] || : >"$file"; done
}

complete() { # what the repacking took out
  cd "$source.partial"
  # Debian leaves out the test folders with a "generated" unit, compile-time checks of structures:
  # the folders are put back, without that unit.
  patch -R -p1 <debian/patches/disable/generated-data.patch
  sed -i '/\bgenerated\.c\b/d' dlls/*/tests/Makefile.in
  if [ -x debian/scripts/generate ]; then
    ./debian/scripts/generate server/trace.generated make_requests
    ./debian/scripts/generate server/request.generated make_requests
  fi
  ./tools/make_requests
  if [ -x tools/make_specfiles ]; then ./tools/make_specfiles; fi
  cp /usr/share/wine/nls/*.nls nls/
  ln -sf /usr/share/misc/config.sub /usr/share/misc/config.guess tools
  stand_in
  autoreconf -f
  cd "$folder"
  mv "$source.partial" "$source"
}

configure() { # no library of Linux is wanted: only the Windows side is built
  local without
  mapfile -t without < <("$source/configure" --help | grep -oE -- '--without-[a-z0-9]+' | grep -v -- --without-mingw)
  cd "$build"
  "$source/configure" --enable-win64 --with-mingw --without-x "${without[@]}"
}

present=()
while read -r module; do
  case $module in '' | '#'*) continue ;; esac
  present+=("$module")
done <"$here/modules.txt"

if [ ! -d "$source" ]; then
  rm -rf "$source.partial" "$build"
  step fetch fetch
  step complete complete
fi
if [ ! -f "$build/.configured" ]; then
  rm -rf "$build"
  mkdir "$build"
  step configure configure
  touch "$build/.configured"
fi
step headers make -C "$build" -j"$jobs" include/all
goals=()
for module in "${present[@]}"; do
  if [ -d "$source/$module/tests" ]; then goals+=("$module/tests/all"); fi
done
step tests make -C "$build" -j"$jobs" "${goals[@]}"

rm -rf "$exes.partial"
mkdir "$exes.partial"
for goal in "${goals[@]}"; do
  find "$build/${goal%/all}" -name '*_test.exe' | while read -r exe; do
    x86_64-w64-mingw32-strip -o "$exes.partial/$(basename "$exe")" "$exe"
  done
done
rm -rf "$exes"
mv "$exes.partial" "$exes"
echo "$wanted" >"$exes/.built"
echo "conformance: $(find "$exes" -name '*_test.exe' | wc -l) test programs in $exes" >&2
