#!/bin/sh
# Unpack a small system for each C library of the matrix into the folder $1, as Debian packages them:
# bullseye (glibc 2.31), bookworm (2.36), trixie (2.41), sid (2.43 and later), musl (of trixie).
# Needs the network, apt-get and dpkg-deb; neither privileges nor the machine's own package lists.
set -eu
mkdir -p "$1"
cd "$1"
mirror=http://deb.debian.org

unpack_system() { # NAME SUITE PACKAGE...: the packages and all that they depend on
  name=$1 suite=$2
  shift 2
  [ ! -e "$name/complete" ] || return 0
  apt=$PWD/apt-$name
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
  : > "$apt/status" # nothing is installed: all of the closure is downloaded
  echo "deb $mirror/debian $suite main" > "$apt/sources.list"
  [ "$suite" != bullseye ] \
    || echo "deb $mirror/debian-security bullseye-security main" >> "$apt/sources.list"
  for command in update "install --download-only --no-install-recommends $*"; do
    # shellcheck disable=SC2086 # a command and its words
    apt-get -qq -y -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
      -o Dir::State="$apt" -o Dir::State::Lists="$apt/lists" -o Dir::State::status="$apt/status" \
      -o Dir::Cache="$apt/cache" -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
      -o Acquire::Retries=3 $command > /dev/null
  done
  mkdir -p "$name/usr/bin" "$name/usr/sbin" "$name/usr/lib" "$name/usr/lib64" "$name/tmp"
  for folder in bin sbin lib lib64; do
    ln -sfn "usr/$folder" "$name/$folder"
  done
  for package in "$apt"/cache/archives/*.deb; do
    dpkg-deb -x "$package" "$name"
  done
  rm -rf "$apt"
  : > "$name/complete"
}

system='bash coreutils lua5.4 sqlite3 libc-bin libc6-dev'
unpack_system glibc-2.31 bullseye $system &
unpack_system glibc-2.36 bookworm $system &
unpack_system glibc-2.41 trixie $system &
unpack_system glibc-2.43 sid $system &
unpack_system musl trixie musl musl-dev linux-libc-dev &
wait
