#!/bin/bash
# The inner half of debian13.sh: runs as root in mount and pid namespaces of its own, enters the tree.
# Reads WINESILO_REPO, WINESILO_TREE, WINESILO_CACHE, WINESILO_PACKAGES; arguments go to the tree's Python.
set -euo pipefail
tree=$WINESILO_TREE

mount --make-rprivate /
mount --bind "$tree" "$tree"
mount -t proc proc "$tree/proc"
mount --rbind /dev "$tree/dev"
mount -t tmpfs -o mode=755 tmpfs "$tree/run"
mkdir -p "$tree/repo" "$tree/var/cache/winesilo"
mount --bind "$WINESILO_REPO" "$tree/repo"
if [ -d "$WINESILO_CACHE" ]; then
  mount --bind "$WINESILO_CACHE" "$tree/var/cache/winesilo"
fi
# The network as outside: resolver, names, and below the trusted certificates.
for path in /etc/resolv.conf /etc/hosts; do
  if [ -e "$path" ]; then
    [ -e "$tree$path" ] || touch "$tree$path"
    mount --bind "$path" "$tree$path"
  fi
done

# A tool's own folder for temporary files outside does not exist in there.
unset TMPDIR XDG_RUNTIME_DIR XDG_DATA_HOME WINEPREFIX
export HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin XDG_CACHE_HOME=/var/cache DEBIAN_FRONTEND=noninteractive

read -ra packages <<<"$WINESILO_PACKAGES"
if ! chroot "$tree" dpkg -s "${packages[@]}" >/dev/null 2>&1; then
  echo "winesilo: installing ${packages[*]} in $tree"
  chroot "$tree" apt-get update -q
  chroot "$tree" apt-get install -q -y --no-install-recommends "${packages[@]}"
fi
# After the packages, which bring a bundle of their own.
mount --bind /etc/ssl/certs "$tree/etc/ssl/certs"

venv=/opt/winesilo-venv
requirements=$(chroot "$tree" python3 -c '
import tomllib
project = tomllib.load(open("/repo/pyproject.toml", "rb"))["project"]
print("\n".join([*project["dependencies"], *project["optional-dependencies"]["dev"]]))')
if [ "$(cat "$tree$venv/requirements.txt" 2>/dev/null)" != "$requirements" ]; then
  echo "winesilo: making the virtual environment of the Debian 13 tree"
  rm -rf "${tree:?}$venv"
  chroot "$tree" python3 -m venv "$venv"
  echo "$requirements" >"$tree$venv/requirements.new"
  chroot "$tree" "$venv/bin/python" -m pip install --disable-pip-version-check --quiet --quiet \
    --requirement "$venv/requirements.new"
  mv "$tree$venv/requirements.new" "$tree$venv/requirements.txt"
fi

chroot "$tree" /repo/scripts/wine32.sh || echo 'winesilo: no i386 DLLs of Wine 10: tests of 32-bit programs are skipped'

echo "winesilo: $(chroot "$tree" /usr/lib/wine/wine64 --version), $(chroot "$tree" python3 --version)"
# The tree becomes the root of this mount namespace: in a mere chroot no user namespace can be made.
mkdir -p "$tree/.outside"
cd "$tree"
pivot_root . .outside
umount -l .outside
exec chroot . /bin/bash -c 'cd /repo && PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/repo/src:/repo/tests/matrix exec "$@"' bash \
  "$venv/bin/python" "$@"
