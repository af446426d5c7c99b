#!/bin/sh
# Fetch sources from Debian and unpack them into the folder $1, each into a folder of its name: those
# that are named after it, or else what `make conformance-as` compiles (gcc's own execution tests,
# zlib, lua, bzip2 and sqlite). What is there is not fetched again. Needs apt and tar, sqlite also
# tclsh and make.
set -eu
mkdir -p "$1"
cd "$1"
shift
[ $# != 0 ] || set -- torture zlib lua bzip2 sqlite
sources=$PWD/apt
mkdir -p "$sources/lists/partial" "$sources/cache/archives/partial"
. /etc/os-release
echo "deb-src http://deb.debian.org/debian $VERSION_CODENAME main" > "$sources/sources.list"
apt() {
  apt-get -qq -o Dir::Etc::SourceList="$sources/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$sources/lists" -o Dir::Cache="$sources/cache" -o Acquire::Retries=3 "$@"
}

fetch() { # NAME [PACKAGE]: a source as upstream wrote it, with what a build wants from the start
  [ ! -e "$1" ] || return 0
  apt source --download-only "${2:-$1}"
  mkdir -p "$1.part"
  archive=$(find . -name "${2:-$1}_*.orig.tar.*" ! -name '*.asc')
  tar -xf "$archive" -C "$1.part" --strip-components=1
  mv "$1.part" "$1"
}

fetch_torture() { # the source of gcc is a binary package, of which only the file inside is wanted
  [ ! -e torture ] || return 0
  apt-get -qq download gcc-12-source
  dpkg-deb --fsys-tarfile gcc-12-source_*.deb > gcc-12-source.tar
  tar -xOf gcc-12-source.tar --wildcards './usr/src/gcc-12/gcc-12*.tar.xz' > gcc.tar.xz
  mkdir -p torture
  tar -xJf gcc.tar.xz -C torture --strip-components=5 --wildcards \
    '*/testsuite/gcc.c-torture/execute/*'
  rm -f gcc-12-source.tar gcc.tar.xz gcc-12-source_*.deb
}

fetch_sqlite() { # with the amalgamation, which sqlite's own makefile makes
  fetch sqlite sqlite3
  [ ! -e sqlite/build/sqlite3.c ] || return 0
  mkdir -p sqlite/build
  (cd sqlite/build && ../configure --disable-readline && make sqlite3.c shell.c) > sqlite.log 2>&1
}

apt update
for name in "$@"; do
  case $name in
    torture) fetch_torture ;;
    sqlite) fetch_sqlite ;;
    lua) fetch lua lua5.4 ;;
    *) fetch "$name" ;;
  esac
done
rm -rf apt ./*.dsc ./*.tar.*
