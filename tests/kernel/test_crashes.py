"""A guest that crashes ends with the status of the native run, and one line says where."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = r"""
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
const int limit = 5;
int data_here = 3, zero_here[100];
volatile int nil;
extern char _DYNAMIC[];
__attribute__((noinline)) int recurse(int n) {
    volatile char room[256];
    room[0] = n;
    return recurse(n + 1) + room[0];
}
#define CASE(name) if (!strcmp(argv[1], #name))
#define CALL(address) ((void (*)(void))(long)(address))()
int main(int argc, char **argv) {
    volatile int *null = 0;
    CASE(read) return *null;
    CASE(write) *null = 1;
    CASE(jump) CALL(nil);
    CASE(text) *(volatile int *)main = 1;
    CASE(rodata) *(volatile int *)&limit = 1;
    CASE(relro) *(volatile char *)_DYNAMIC = 1;
    CASE(stack) return recurse(0);
    CASE(division) return 5 / nil;
    CASE(ud2) __builtin_trap();
    CASE(int3) __asm__("int3");
    CASE(interrupt) __asm__("int $0x81");
    CASE(abort) abort();
    CASE(hlt) __asm__("hlt");
    CASE(cli) __asm__("cli");
    CASE(in) __asm__("in $0x60, %al");
    CASE(data) CALL(&data_here);
    CASE(bss) CALL(&zero_here[5]);
    CASE(heap) CALL(malloc(10));
    CASE(jump_far) CALL(0x8000000000000000);
    CASE(read_far) return *(volatile int *)0x8000000000000000;
    CASE(sigfpe) raise(SIGFPE);
    CASE(sigkill) raise(SIGKILL);
    CASE(sigterm) kill(0, SIGTERM);
    CASE(libc) return fread(&data_here, 1, 1, (FILE *)8);
    CASE(past_end) {
        FILE *file = tmpfile();
        char *page = mmap(0, 8192, 3, MAP_SHARED, fileno(file), 0);
        page[5000] = 1;
    }
    return 0;
}
"""

SEGV, MAIN = "Segmentation fault", r"main\+0x\w+ in crash"
AT = r"Segmentation fault at address"
ENDS = {
    "read": rf"{AT} 0x0 \(pc 0x\w+, {MAIN}\): read of unmapped memory",
    "write": rf"{AT} 0x0 \(pc 0x\w+, {MAIN}\): write to unmapped memory",
    "jump": rf"{AT} 0x0 \(pc 0x0, called from {MAIN}\): jump to unmapped memory",
    "text": rf"{AT} 0x5\w+, main in crash \(pc 0x\w+, {MAIN}\): write to read-only memory",
    "rodata": rf"{AT} 0x5\w+, limit in crash \(pc 0x\w+, {MAIN}\): write to read-only memory",
    "relro": rf"{AT} 0x5\w+, _DYNAMIC in crash \(pc 0x\w+, {MAIN}\): write to read-only memory",
    "stack": rf"{AT} 0x7fffff7\w+ \(pc 0x\w+, recurse\+0x\w+ in crash\): stack overflow, "
    "beyond 8192 KiB",
    "division": rf"Floating point exception \(pc 0x\w+, {MAIN}\)",
    "ud2": rf"Illegal instruction \(pc 0x\w+, {MAIN}\)",
    "int3": rf"Trace/breakpoint trap \(pc 0x\w+, {MAIN}\)",
    "interrupt": rf"{SEGV} \(pc 0x\w+, {MAIN}\): interrupt 0x81 is not for programs",
    "abort": r"Aborted \(pc 0x7\w+, .*libc.so.6.*\)",
    "hlt": rf"{SEGV} \(pc 0x\w+, {MAIN}\): privileged instruction or bad segment",
    "cli": rf"{SEGV} \(pc 0x\w+, {MAIN}\): privileged instruction or bad segment",
    "in": rf"{SEGV} \(pc 0x.*\): privileged instruction or bad segment",
    "data": rf"{AT} 0x5\w+ \(pc 0x5\w+, data_here in crash, called from {MAIN}\): "
    "the page is not executable",
    "bss": rf"{AT} 0x5\w+ \(pc 0x5\w+, zero_here\+0x14 in crash, called from {MAIN}\): "
    "the page is not executable",
    "heap": rf"{AT} 0x5\w+ \(pc 0x5\w+, \[heap\], called from {MAIN}\): the page is not executable",
    "jump_far": rf"{SEGV} \(pc 0x8000000000000000, called from {MAIN}\): 0x8000000000000000 is "
    "not a canonical address",
    "read_far": rf"{SEGV} \(pc 0x5\w+, {MAIN}\): 0x8000000000000000 is not a canonical address",
    "sigfpe": r"Floating point exception \(pc 0x7\w+, .*libc.so.6.*\)",
    "sigkill": r"Killed \(pc 0x7\w+, .*libc.so.6.*\)",
    "libc": rf"{AT} 0x8 \(pc 0x7\w+, (_IO_)?fread\+0x\w+ in libc.so.6\): read of unmapped memory",
    "past_end": rf"Bus error at address 0x7\w+, .*\(pc 0x5\w+, {MAIN}\): "
    "beyond the end of the mapped file",
}


@pytest.fixture(scope="module")
def crash(compile_c, tmp_path_factory):
    path = tmp_path_factory.mktemp("crash") / "crash"
    shutil.copy(compile_c(SOURCE, "-O1"), path)
    return str(path)


@pytest.mark.parametrize("kind", ENDS)
def test_crash_ends_as_natively_and_tells_where(kind, crash, run_native, pyldso):
    own = pyldso("run", crash, kind)
    assert own.returncode == run_native(crash, kind)[0]
    program, _, line = own.stderr.rstrip("\n").partition(": ")
    assert program == crash
    assert re.fullmatch(ENDS[kind], line), line


def test_signal_that_was_sent_is_for_the_shell_to_tell(crash, pyldso):
    # To its whole process group, of which pyldso has started only this process.
    own = pyldso("run", crash, "sigterm")
    assert (own.returncode, own.stderr) == (143, "")


def test_child_that_crashes_is_told_of_where_the_user_reads_and_not_where_a_program_does(
    crash, run_native, pyldso
):
    captured = f"""/bin/sh -c 'seen=$({crash} read 2>&1); echo "$? ($seen)"'"""
    own = pyldso("run", *shlex.split(captured))
    theirs = run_native(*shlex.split(captured))
    assert (own.returncode, own.stdout, own.stderr) == (theirs[0], *map(bytes.decode, theirs[1:]))
    assert (own.stdout, own.stderr) == ("139 ()\n", "Segmentation fault\n")
    shown = pyldso("run", "/bin/sh", "-c", f"{crash} read; true")
    first, second = shown.stderr.splitlines()
    assert re.fullmatch(ENDS["read"], first.removeprefix(f"{crash}: "))
    assert (shown.returncode, second) == (0, "Segmentation fault")


@pytest.mark.parametrize("kind", ["read", "jump", "libc", "abort"])
def test_crash_tells_the_same_where_the_real_linker_loads(kind, crash, pyldso):
    own, theirs = pyldso("run", crash, kind), pyldso("run", "--interp", crash, kind)
    assert theirs.returncode == own.returncode
    libraries = re.compile(r"pc 0x7\w+")
    assert libraries.sub("", theirs.stderr) == libraries.sub("", own.stderr)


def test_stripped_program_is_told_by_offsets(crash, tool, tmp_path, pyldso):
    tool("strip", "-o", tmp_path / "bare", crash)
    line = pyldso("run", "./bare", "read").stderr
    assert re.search(r"\(pc 0x5555555551?\w+, bare\+0x1\w+\): read of unmapped memory", line)


def test_symbols_of_a_library_without_section_headers_are_found(compile_c, tmp_path, pyldso):
    library = tmp_path / "libbad.so"
    library_source = "int wrong(int *p) { return *p; }"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", library],
        input=library_source.encode(), check=True,
    )  # fmt: skip
    source = "int wrong(int *); int main() { return wrong(0); }"
    where = (f"-L{tmp_path}", "-lbad", f"-Wl,-rpath,{tmp_path},--no-as-needed")
    program = compile_c(source, "-x", "none", *where)
    data = bytearray(library.read_bytes())
    data[0x28:0x30] = bytes(8)  # e_shoff
    data[0x3C:0x40] = bytes(4)  # e_shnum, e_shstrndx
    library.write_bytes(data)
    assert re.search(r"wrong\+0x\w+ in libbad.so\)", pyldso("run", program).stderr)


def test_crash_of_a_program_whose_symbol_table_is_garbage_is_told(compile_c, tmp_path, pyldso):
    data = Path(compile_c("int main() { return *(volatile int *)0; }")).read_bytes()
    sections = int.from_bytes(data[0x28:0x30], "little")
    path = tmp_path / "odd"
    for start in range(sections, len(data), 16):
        odd = data[:start] + b"\xff" * (len(data) - start)
        path.write_bytes(odd)
        path.chmod(0o755)
        if (start - sections) % 256 == 0:
            ended = pyldso("run", "./odd")
            assert ended.returncode == 139
            assert re.search(r"\(pc 0x555555555\w+, .*\): read of unmapped memory", ended.stderr)


def test_assembly_symbol_without_size_reaches_to_the_end_of_its_section(tmp_path, pyldso):
    source = tmp_path / "bare.s"
    source.write_text(".globl _start\n_start: nop\nmiddle: nop\n mov 0, %eax\n")
    subprocess.run(["gcc", "-nostdlib", "-static", "-o", tmp_path / "bare", source], check=True)
    line = pyldso("run", "--interp", "./bare").stderr
    assert re.search(r"\(pc 0x401\w+, middle\+0x1 in bare\)", line), line
