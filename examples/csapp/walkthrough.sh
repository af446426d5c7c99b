#!/bin/sh
# The walkthrough of the README: each command is shown, then run. `pyldso` must be on the PATH.
set -eu
cd "$(dirname "$0")"

say() { printf '\n# %s\n' "$1"; }
show() { printf '$ %s\n' "$*"; "$@"; }

say 'Make a shared object, link a program with it, run the program.'
show pyldso mkso -shared -fpic -o libvector.so addvec.s multvec.s
show pyldso link -o prog2l main2.s ./libvector.so
show pyldso run ./prog2l

say 'What the program needs, as ldd prints it.'
show pyldso run --list ./prog2l

say 'Lazy binding: addvec is looked up when it is first called.'
show pyldso run --debug=bindings ./prog2l 2>&1 | grep -e '^\$' -e 'addvec' -e '^z'

say 'The files are ordinary ELF: the machine itself runs them, too.'
show ./prog2l

say 'Load the library while the program is running (CS:APP 7.11).'
show pyldso link -o dll dll.s
show pyldso run ./dll

say 'Interpose malloc and free at run time (CS:APP 7.13.3).'
show pyldso mkso -shared -fpic -o mymalloc.so mymalloc.s
show pyldso link -o intr int.s
show pyldso run -E LD_PRELOAD=./mymalloc.so ./intr

say 'Interpose them at link time (CS:APP 7.13.2).'
show pyldso link -Wl,--wrap,malloc -Wl,--wrap,free -o intl int.s wrapmalloc.s
show pyldso run ./intl
