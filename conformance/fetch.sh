#!/bin/sh
# Fetch the sources that `make conformance-as` compiles from Debian, and unpack them into the folder
# $1: gcc's own execution tests, zlib, lua, bzip2 and sqlite. Needs apt, tar, tclsh and make.
set -eu
mkdir -p "$1"
cd "$1"
sources=$PWD/apt
mkdir -p "$sources/lists/partial" "$sources/cache/archives/partial"
. /etc/os-release
echo "deb-src http://deb.debian.org/debian $VERSION_CODENAME main" > "$sources/sources.list"
apt() {
  apt-get -qq -o Dir::Etc::SourceList="$sources/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$sources/lists" -o Dir::Cache="$sources/cache" "$@"
}
unpack() {
  mkdir -p "$1"
  tar -xf "$2" -C "$1" --strip-components=1
}

apt update
[ -d lua ] || { apt source --download-only lua5.4; unpack lua lua5.4_*.orig.tar.*; }
[ -d zlib ] || { apt source --download-only zlib; unpack zlib zlib_*.orig.tar.*; }
[ -d bzip2 ] || { apt source --download-only bzip2; unpack bzip2 bzip2_*.orig.tar.*; }
if [ ! -f sqlite/build/sqlite3.c ]; then
  apt source --download-only sqlite3
  unpack sqlite sqlite3_*.orig.tar.*
  mkdir -p sqlite/build
  (cd sqlite/build && ../configure --disable-readline && make sqlite3.c) > sqlite.log 2>&1
fi
if [ ! -d torture ]; then
  # The source of gcc is a binary package, of which only the file inside is wanted.
  apt-get -qq download gcc-12-source
  dpkg-deb --fsys-tarfile gcc-12-source_*.deb > gcc-12-source.tar
  tar -xOf gcc-12-source.tar --wildcards './usr/src/gcc-12/gcc-12*.tar.xz' > gcc.tar.xz
  mkdir -p torture
  tar -xJf gcc.tar.xz -C torture --strip-components=5 --wildcards \
    '*/testsuite/gcc.c-torture/execute/*'
  rm -f gcc-12-source.tar gcc.tar.xz gcc-12-source_*.deb
fi
rm -rf apt ./*.dsc ./*.tar.*
