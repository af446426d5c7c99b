"""Spoils programs and libraries, and runs each in a forked worker with limits.

A seed gives one mutant: a few fields of headers, tables and strings have other values. Every run
must end: in the program's own way, in ld.so's error, or in a fault of the guest.
"""

from __future__ import annotations

import os
import random
import resource
import select
import signal
import struct
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import NamedTuple

from pyldso.elf.constants import DT, PT
from pyldso.elf.records import DYN, EHDR, PHDR, SYM, Ehdr, Phdr

SOURCES = {
    "lib.c": """
#include <stdio.h>
int counter = 3; const char *names[] = {"a", "b", "c"};
static int resolved(void) { return 11; }
static void *choose(void) { return resolved; }
int chosen(void) __attribute__((ifunc("choose")));
__thread int tls = 5; static __thread char more[40] = "tls";
__attribute__((constructor)) static void up(void) { counter++; }
__attribute__((destructor)) static void down(void) { fflush(stdout); }
__attribute__((weak)) int weak(void) { return 4; }
int old_f(void) { return 1; } int new_f(void) { return 2; }
__asm__(".symver old_f, f@V1"); __asm__(".symver new_f, f@@V2");
int get(int i) { return counter + tls + more[0] + names[i % 3][0] + chosen() + weak(); }
""",
    "map": "V1 { global: f; get; counter; local: *; }; V2 { global: f; weak; tls; chosen; } V1;",
    "main.c": """
#include <stdio.h>
int get(int), f(void); extern int counter;
int main(void) { printf("%d %d %d\\n", get(1), f(), counter); return 0; }
""",
    "dl.c": """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
static int visit(struct dl_phdr_info *info, size_t size, void *data) {
    return info->dlpi_phnum > 99;
}
int main(void) {
    void *handle = dlopen("./lib.so", RTLD_LAZY);
    if (!handle) { puts(dlerror()); return 0; }
    int (*get)(int) = (int (*)(int))dlsym(handle, "get");
    Dl_info info;
    dl_iterate_phdr(visit, NULL);
    if (get) printf("%d %d\\n", get(1), dladdr((void *)get, &info));
    dlvsym(handle, "f", "V1");
    dlsym(handle, "absent");
    puts(dlclose(handle) ? "not closed" : "closed");
    return 0;
}
""",
}
BUILDS = (
    "gcc -O1 -shared -fpic -Wl,--version-script,map -Wl,--hash-style=both -o lib0.so lib.c",
    "gcc -O1 -shared -fpic -Wl,--version-script,map -Wl,-z,now,-z,noseparate-code"
    " -Wl,--hash-style=gnu -Wl,-z,pack-relative-relocs -o lib1.so lib.c",
    "gcc -O1 -shared -fpic -Wl,--version-script,map -Wl,--hash-style=sysv -Wl,-z,lazy"
    " -o lib2.so lib.c",
    "cp lib0.so lib.so",
    "gcc -O1 -Wl,-z,lazy -o main0 main.c ./lib.so",
    "gcc -O1 -no-pie -o main1 main.c ./lib.so",
    "gcc -O1 -o dl0 dl.c",
)
LIBRARIES, PROGRAMS = ("lib0.so", "lib1.so", "lib2.so"), ("main0", "main1", "dl0")
TIME_LIMIT, GUEST_LIMIT = 20.0, 4.0
MEMORY_LIMIT = 1 << 20
"""Largest resident size, in KiB."""
INTERNAL = 99
"""The status of a worker that met an exception which is none of pyldso's errors."""
INTERESTING = (
    0,
    1,
    2,
    3,
    7,
    8,
    0xFF,
    0x1000,
    0xFFFF,
    0x7FFFFFFF,
    0xFFFFFFFF,
    1 << 40,
    1 << 46,
    1 << 47,
)


def build(folder: Path) -> None:
    """Build the files that are to be spoiled."""
    for name, text in SOURCES.items():
        (folder / name).write_text(text)
    for words in BUILDS:
        subprocess.run(words.split(), cwd=folder, check=True)


class Field(NamedTuple):
    """A place in a file whose value may be spoiled."""

    offset: int
    layout: str


class Anatomy:
    """Where a file's fields are, by the kind of table."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        ehdr = Ehdr(*EHDR.unpack_from(data))
        table = data[ehdr.e_phoff : ehdr.e_phoff + ehdr.e_phnum * PHDR.size]
        self._phdrs = [Phdr(*row) for row in PHDR.iter_unpack(table)]
        self.tables: dict[str, list[Field]] = {
            "ELF header": fields(0, 1, 64, ("<B",) * 16 + ("<H", "<H", "<I", "<Q", "<Q", "<Q", "<I")
                                 + ("<H",) * 6),
            "program headers": fields(ehdr.e_phoff, ehdr.e_phnum, 56, ("<I", "<I", *("<Q",) * 6)),
        }  # fmt: skip
        dynamic = next(phdr for phdr in self._phdrs if phdr.p_type == PT.DYNAMIC)
        rows = list(DYN.iter_unpack(data[dynamic.p_offset : dynamic.p_offset + dynamic.p_filesz]))
        self.tables["dynamic section"] = fields(dynamic.p_offset, len(rows), 16, ("<Q", "<Q"))
        tags = dict(rows)
        for name, tag, width in (
            ("gnu hash", DT.GNU_HASH, 4),
            ("sysv hash", DT.HASH, 4),
            ("symbol versions", DT.VERSYM, 2),
            ("verneed", DT.VERNEED, 2),
            ("verdef", DT.VERDEF, 2),
            ("strings", DT.STRTAB, 1),
            ("relr", DT.RELR, 8),
            ("init array", DT.INIT_ARRAY, 8),
            ("fini array", DT.FINI_ARRAY, 8),
        ):
            if tag in tags:
                layout = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}[width]
                count = {"strings": 200, "init array": 2, "fini array": 2}.get(name, 24)
                self.tables[name] = fields(self.offset(tags[tag]), count, width, (layout,))
        self.tables["symbols"] = fields(
            self.offset(tags[DT.SYMTAB]), 16, SYM.size, ("<I", "<B", "<B", "<H", "<Q", "<Q")
        )
        for name, tag, size in (("rela", DT.RELA, DT.RELASZ), ("plt rela", DT.JMPREL, DT.PLTRELSZ)):
            if tag in tags:
                count = tags[size] // 24
                layouts = ("<Q", "<I", "<I", "<Q")
                self.tables[name] = fields(self.offset(tags[tag]), count, 24, layouts)
        self.tables["anything"] = fields(0, len(data), 1, ("<B",))

    def offset(self, vaddr: int) -> int:
        return next(
            vaddr - phdr.p_vaddr + phdr.p_offset
            for phdr in self._phdrs
            if phdr.p_type == PT.LOAD and phdr.p_vaddr <= vaddr < phdr.p_vaddr + phdr.p_filesz
        )

    def spoil(self, chance: random.Random) -> bytes:
        """Return the file with a few of its fields changed, or cut off."""
        if chance.random() < 0.04:
            return self._data[: chance.randrange(len(self._data))]
        data = bytearray(self._data)
        table = self.tables[chance.choice(list(self.tables))]
        for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
            offset, layout = chance.choice(table)
            if offset + struct.calcsize(layout) > len(data):
                continue
            (value,) = struct.unpack_from(layout, data, offset)
            width = 8 * struct.calcsize(layout)
            value = chance.choice(
                (
                    chance.choice(INTERESTING),
                    -chance.choice(INTERESTING),
                    value + chance.choice((1, -1, 8, -8, 16, 4096, -4096)),
                    value ^ 1 << chance.randrange(width),
                    chance.getrandbits(width),
                )
            )
            struct.pack_into(layout, data, offset, value & (1 << width) - 1)
        return bytes(data)


def fields(start: int, count: int, stride: int, layouts: tuple[str, ...]) -> list[Field]:
    """Return the fields of `count` records whose members have `layouts` one after the other."""
    found = []
    for index in range(count):
        at = start + index * stride
        for layout in layouts:
            found.append(Field(at, layout))
            at += struct.calcsize(layout)
    return found


class Outcome(NamedTuple):
    """How a worker ended: its wait status, what it printed, and its largest resident size."""

    status: int
    text: str
    resident: int

    @property
    def complaint(self) -> str:
        """What is wrong with it; empty where all is as it should be."""
        if os.WIFSIGNALED(self.status):
            number = os.WTERMSIG(self.status)
            return "hangs" if number == signal.SIGKILL else f"crashed the host: signal {number}"
        if os.WEXITSTATUS(self.status) == INTERNAL or "Traceback" in self.text:
            return self.text
        if self.resident > MEMORY_LIMIT:
            return f"takes {self.resident} KiB"
        return ""


class Breeder:
    """Reads the files of a folder, and runs their mutants in folders of their own beneath it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        names = (*LIBRARIES, *PROGRAMS)
        self._anatomies = {name: Anatomy((folder / name).read_bytes()) for name in names}

    def run(self, seed: int) -> Outcome:
        """Make and run the mutant of a seed."""
        chance = random.Random(seed)
        library, program = chance.choice(LIBRARIES), chance.choice(PROGRAMS)
        victim = program if chance.random() < 0.2 else library
        spoiled = self._anatomies[victim].spoil(chance)
        work = self._folder / f"mutant-{seed}"
        work.mkdir()
        (work / "lib.so").write_bytes((self._folder / library).read_bytes())
        (work / "program").write_bytes((self._folder / program).read_bytes())
        (work / ("program" if victim == program else "lib.so")).write_bytes(spoiled)
        (work / "program").chmod(0o755)
        outcome = in_worker(work)
        for path in work.iterdir():
            path.unlink()
        work.rmdir()
        return outcome


def in_worker(work: Path) -> Outcome:
    """Run ./program of a folder as `pyldso run` does, in a process of its own."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(write_end, 1)
        os.dup2(write_end, 2)
        os.close(read_end)
        os.close(write_end)
        os.chdir(work)
        os._exit(run_here())
    os.close(write_end)
    text = bytearray()
    end = time.monotonic() + TIME_LIMIT
    while True:
        ready, _, _ = select.select([read_end], [], [], max(end - time.monotonic(), 0))
        if not ready:
            os.kill(child, signal.SIGKILL)
            break
        data = os.read(read_end, 65536)
        if not data:
            break
        if len(text) < 1 << 20:
            text += data
    os.close(read_end)
    _, status, usage = os.wait4(child, 0)
    return Outcome(status, text.decode(errors="replace"), usage.ru_maxrss)


def run_here() -> int:
    from pyldso.errors import LoadError
    from pyldso.kernel.limits import Limits
    from pyldso.run import RunOptions, run

    def write(text: str) -> None:
        os.write(2, text.encode(errors="backslashreplace"))

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.set_inheritable(0, False)
    limits = Limits(seconds=GUEST_LIMIT, memory=1 << 40)
    try:
        return run(RunOptions("./program", environment={}, limits=limits, out=write, err=write))
    except LoadError as error:
        write(f"{error.render()}\n")
        return error.exit_status
    except BaseException:
        write(traceback.format_exc())
        return INTERNAL


def main() -> None:
    """Run the mutants of seeds FIRST to FIRST + COUNT in FOLDER and print what is wrong."""
    folder, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    import pyldso.run  # noqa: F401 - once, before the workers are forked

    breeder = Breeder(folder)
    statuses: dict[int, int] = {}
    for seed in range(first, first + count):
        outcome = breeder.run(seed)
        code = os.waitstatus_to_exitcode(outcome.status)
        statuses[code] = statuses.get(code, 0) + 1
        if outcome.complaint:
            print(f"seed {seed}: {outcome.complaint}", flush=True)
    print("statuses", dict(sorted(statuses.items())), file=sys.stderr)


if __name__ == "__main__":
    main()
