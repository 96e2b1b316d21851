# For scripts that build programs out of Debian's source packages; to be sourced.
# Wants: $folder, where the logs and what is fetched go; $what, the word that progress begins with.
# Environment: WINESILO_DEBIAN_MIRROR.
# shellcheck shell=bash disable=SC2154

step() { # step NAME COMMAND...: its output goes to a log, of which the end is shown if it fails
  local log=$folder/$1.log
  echo "$what: $1" >&2
  shift
  if ! "$@" >"$log" 2>&1 </dev/null; then
    tail -n 30 "$log" >&2
    echo "$what: failed; the whole log is $log" >&2
    exit 1
  fi
}

open_sources() { # sets apt_options: an apt configuration of our own that knows this Debian's sources, in $folder/apt
  local apt=$folder/apt mirror=${WINESILO_DEBIAN_MIRROR:-http://deb.debian.org/debian} codename
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
  echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $codename main" >"$apt/sources.list"
  apt_options=(-o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$apt/lists"
    -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=)
  apt-get "${apt_options[@]}" update
}
