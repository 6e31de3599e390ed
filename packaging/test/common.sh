# What the trials share; they source it.
# shellcheck shell=bash
set -euo pipefail
PROJECT=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
WORK=$(mktemp -d)
: "${PACKAGING_FOLDER:=$WORK/kept}"
mkdir -p "$PACKAGING_FOLDER"
chmod 755 "$WORK" "$PACKAGING_FOLDER"

# Never into what is mounted there.
remove_work() { rm -rf --one-file-system "$WORK"; }

say_no() {
  echo "$*" >&2
  exit 1
}

# Leaves the trial out where one of these programs is missing.
needs() {
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null || { echo "It needs $program"; exit 77; }
  done
}

needs_root() { [ "$(id -u)" = 0 ] || { echo "It has to be run as root"; exit 77; }; }

# is WHAT FOUND WANTED
is() { [ "$2" = "$3" ] || say_no "$1 is $2, not $3"; }

# holds WHAT TEXT PART
holds() { case $2 in *"$3"*) ;; *) say_no "$1 lacks $3: $2" ;; esac }

# until_true SECONDS COMMAND…: asks again until the command succeeds.
until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.2
  done
}

free_port() {
  node -e 'const s = require("node:net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); });'
}

# The host of the mirror that this machine's apt uses.
debian_mirror() {
  apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m 1 '/debian' || echo http://deb.debian.org/debian
}

# A Debian 12 as small as can be, as a tar file: sets DEBIAN_TAR.
make_debian() {
  needs debootstrap
  DEBIAN_TAR=$PACKAGING_FOLDER/debian.tar
  [ ! -e "$DEBIAN_TAR" ] || return 0
  local root=$WORK/debootstrap
  debootstrap --variant=minbase bookworm "$root" "$(debian_mirror)" >"$WORK/debootstrap.log" ||
    say_no "debootstrap failed: $(tail -5 "$WORK/debootstrap.log")"
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
  tar -C "$root" -cf "$DEBIAN_TAR.part" --exclude=./dev --exclude=./proc/* --exclude=./sys/* .
  mv "$DEBIAN_TAR.part" "$DEBIAN_TAR"
  rm -rf --one-file-system "$root"
}
