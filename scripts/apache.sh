#!/bin/bash
# Builds Apache httpd 2.4 for Windows x86-64 out of Debian's source packages, with Debian's mingw-w64.
# usage: apache.sh FOLDER      (keeps the sources and objects there; FOLDER/Apache24 is the result)
#
# No package registry carries httpd for Windows. Debian's sources of httpd, APR, APR-util, PCRE2 and expat are
# compiled by the lists of files in their own CMakeLists.txt. Two changes are made to them:
# - service.c of httpd: mingw's winuser.h can't be included twice, so the line that asks for it goes;
# - rand.c of APR keeps its context of random numbers: it takes a new one for every 8 bytes, and Wine needs so
#   long for each that a process takes 14 s to start.
# Environment: WINESILO_DEBIAN_MIRROR (scripts/steps.sh), JOBS (default: the number of processors).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
sources=$folder/source objects=$folder/objects result=$folder/Apache24
jobs=${JOBS:-$(nproc)}
what=apache
. "$here/steps.sh"
triplet=x86_64-w64-mingw32

wanted=$(sha256sum <"$here/apache.sh")
if [ "$(cat "$result/.built" 2>/dev/null)" = "$wanted" ]; then exit 0; fi
"$here/system-deps.sh" apache
exec 9>"$folder/.lock"
flock 9
if [ "$(cat "$result/.built" 2>/dev/null)" = "$wanted" ]; then exit 0; fi

fetch() { # the upstream tarballs of Debian's sources, through an apt configuration of our own
  local package tarball
  open_sources
  rm -rf "$sources.partial"
  mkdir "$sources.partial"
  cd "$sources.partial"
  for package in apache2 apr apr-util pcre2 expat; do
    apt-get "${apt_options[@]}" source --download-only "$package"
  done
  for tarball in *.orig.tar.gz *.orig.tar.bz2 *.orig.tar.xz; do
    [ ! -e "$tarball" ] || tar xf "$tarball"
  done
  rm -rf "$folder/apt"
  mv "$sources.partial" "$sources"
}

change() {
  sed -i '/^#undef _WINUSER_/d' "$httpd/server/mpm/winnt/service.c"
  sed -i -e 's/^\( *\)HCRYPTPROV hProv;/\1static HCRYPTPROV hProv;/' \
    -e 's/if (!CryptAcquireContext(/if (!hProv \&\& !CryptAcquireContext(/' \
    -e '/CryptReleaseContext(hProv, 0);/d' "$apr/misc/win32/rand.c"
}

headers() { # what their CMake builds generate
  local made=$objects/include
  mkdir -p "$made"
  sed -e 's/@apr_have_ipv6_10@/1/' -e 's/@win32_winnt_str@/0x0600/' "$apr/include/apr.hwc" >"$made/apr.h"
  sed -e 's/@[a-z_]*_10@/0/' "$apu/include/apu.hwc" >"$made/apu.h"
  sed -e 's/@[a-z_]*_10@/0/' "$apu/include/apr_ldap.hwc" >"$made/apr_ldap.h"
  cp "$apu/include/private/apu_config.hw" "$made/apu_config.h"
  cp "$apu/include/private/apu_select_dbm.hw" "$made/apu_select_dbm.h"
  cp "$apu/include/apu_want.hw" "$made/apu_want.h"
  cp "$httpd/os/win32/win32_config_layout.h" "$made/ap_config_layout.h"
  : >"$made/ap_config_auto.h"
  cp "$pcre/src/pcre2.h.generic" "$made/pcre2.h"
  mkdir -p "$objects/pcre"
  cp "$pcre/src/config.h.generic" "$objects/pcre/config.h"
  cp "$pcre/src/pcre2_chartables.c.dist" "$pcre/src/pcre2_chartables.c"
  printf '#define %s\n' 'XML_NS 1' 'XML_DTD 1' 'XML_CONTEXT_BYTES 1024' 'BYTEORDER 1234' 'HAVE_MEMMOVE 1' \
    >"$made/expat_config.h"
  gcc -w -o "$objects/table" "$apr/tools/gen_test_char.c"
  "$objects/table" >"$made/apr_escape_test_char.h"
  gcc -w -DCROSS_COMPILE -DWIN32 -o "$objects/table" "$httpd/server/gen_test_char.c"
  "$objects/table" >"$made/test_char.h"
}

listed() { # listed CMAKELISTS VARIABLE: the C files that it names
  sed -n "/^SET($2\$/,/^)/p" "$1" | grep -oE '^ +[a-z].*\.c$' | tr -d ' '
}

compile() { # compile PART ROOT FLAGS FILE...: into objects/PART
  local part=$1 root=$2 flags=${3//$'\n'/ }
  shift 3
  mkdir -p "$objects/$part"
  printf '%s\n' "$@" | xargs -P "$jobs" -I '{}' sh -c "
    object=\"$objects/$part/\$(echo '{}' | tr / _).o\"
    [ -e \"\$object\" ] || $triplet-gcc $common $flags -c -o \"\$object.partial\" '$root/{}' && {
      [ ! -e \"\$object.partial\" ] || mv \"\$object.partial\" \"\$object\"; }"
}

library() { # library PART FILE ARGUMENT...: a DLL of a part, and what others need to link to it
  local part=$1 file=$2
  shift 2
  $triplet-gcc -shared -s -static-libgcc -o "$file" "-Wl,--out-implib,$objects/lib$part.a" "$objects/$part"/*.o "$@"
}

build_apr() {
  compile apr "$apr" "-DAPR_DECLARE_EXPORT -DUSE_ATOMICS_GENERIC -DWINNT $windows -I$objects/include -I$apr/include
    -I$apr/include/arch/win32 -I$apr/include/arch/unix -I$apr/include/private" \
    $(listed "$apr/CMakeLists.txt" APR_SOURCES)
  library apr "$result/bin/libapr-1.dll" -lws2_32 -lmswsock -lrpcrt4 -ladvapi32 -lshell32 -liphlpapi
  compile expat "$expat" "-DXML_STATIC -I$objects/include -I$expat" xmlparse.c xmltok.c xmlrole.c
  compile apu "$apu" "-DAPU_DECLARE_EXPORT -DAPR_DECLARE_IMPORT -DXML_STATIC -DWINNT $windows -I$objects/include
    -I$apu/include -I$apu/include/private -I$apr/include -I$expat" $(listed "$apu/CMakeLists.txt" APR_SOURCES)
  library apu "$result/bin/libaprutil-1.dll" "$objects/expat"/*.o "$objects/libapr.a" -lws2_32 -lole32 -lrpcrt4
}

build_httpd() {
  local sub
  local units=(auto_possess chartables compile config context convert dfa_match error extuni find_bracket jit_compile
    maketables match match_data newline ord2utf pattern_info script_run serialize string_utils study substitute
    substring tables ucd valid_utf xclass)
  local files=("${units[@]/#/pcre2_}")
  files=("${files[@]/%/.c}")
  compile pcre "$pcre/src" "-DPCRE2_CODE_UNIT_WIDTH=8 -DPCRE2_STATIC -DHAVE_CONFIG_H -DSUPPORT_UNICODE -DHAVE_MEMMOVE
    -I$objects/pcre -I$objects/include -I$pcre/src" "${files[@]}"
  include="$windows -I$objects/include -I$apu/include -I$apr/include"
  for sub in include os/win32 server server/mpm/winnt \
    modules/{core,database,dav/main,filters,generators,http2,md,proxy,session,ssl}; do
    include+=" -I$httpd/$sub"
  done
  compile httpd "$httpd" "-DAP_DECLARE_EXPORT -DHAVE_PCRE2 -DPCRE2_STATIC -DBIN_NAME=libhttpd.dll -DLONG_NAME=x $include" \
    os/win32/modules.c $(listed "$httpd/CMakeLists.txt" LIBHTTPD_SOURCES)
  library httpd "$result/bin/libhttpd.dll" "$objects/pcre"/*.o "$objects"/lib{apr,apu}.a -lws2_32 -lmswsock -ladvapi32
  compile main "$httpd" "-DAPP_FILE $include" server/main.c
  $triplet-gcc -s -static-libgcc -o "$result/bin/httpd.exe" "$objects"/main/*.o "$objects"/lib{httpd,apr,apu}.a
}

build_modules() {
  local module name defines
  for module in aaa/mod_authz_core aaa/mod_authz_host http/mod_mime mappers/mod_dir loggers/mod_log_config \
    generators/mod_status; do
    name=${module##*/}
    defines=$(sed -n "s/^SET(${name}_extra_defines *\(.*\))/\1/p" "$httpd/CMakeLists.txt")
    compile "$name" "$httpd" "${defines:+-D${defines//;/ -D}} $include" "modules/$module.c"
    library "$name" "$result/modules/$name.so" "$objects"/lib{httpd,apr,apu}.a -lws2_32
  done
}

[ -d "$sources" ] || step fetch fetch
apr=$(echo "$sources"/apr-1.*/) apu=$(echo "$sources"/apr-util-1.*/) httpd=$(echo "$sources"/httpd-2.4.*/)
pcre=$(echo "$sources"/pcre2-10.*/) expat=$(echo "$sources"/*expat-*/expat/lib/)
apr=${apr%/} apu=${apu%/} httpd=${httpd%/} pcre=${pcre%/} expat=${expat%/}
windows="-include winsock2.h -include ws2tcpip.h -include mswsock.h -include windows.h -include wtypes.h
  -include iphlpapi.h"
windows=${windows//$'\n'/ }
common="-O2 -std=gnu99 -DWIN32 -D_WIN32_WINNT=0x0600 -D_WINDOWS -w"
include=
rm -rf "$objects" "$result"
mkdir -p "$objects" "$result"/{bin,modules,conf,logs,htdocs}
step change change
step headers headers
step apr build_apr
step httpd build_httpd
step modules build_modules
cp "$httpd/docs/conf/mime.types" "$result/conf/"
echo "$wanted" >"$result/.built"
