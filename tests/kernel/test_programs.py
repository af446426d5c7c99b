"""Real programs print what they print natively, the real ld.so doing the linking."""

import shutil

import pytest

COMMANDS = [
    ["/bin/echo", "hello", "world"],
    ["/bin/cat", "/etc/hostname", "/nonexistent"],
    ["/bin/ls", "/usr/include"],
    ["/bin/uname", "-a"],
    ["/usr/bin/env"],
    ["/usr/bin/id"],
    ["/usr/bin/expr", "6", "*", "7"],
    ["/usr/bin/printf", "%s %5.2f\\n", "x", "3.14159"],
    ["/bin/false"],
    ["/usr/bin/basename", "/a/b/c.txt", ".txt"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0].split("/")[-1])
def test_program_prints_what_it_prints_natively(command, run_native, run_guest):
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    native, guest = run_native(*command), run_guest(*command)
    unify = (b"PYTHONPATH", b"_=")
    assert [line for line in guest[1].splitlines() if not line.startswith(unify)] == [
        line for line in native[1].splitlines() if not line.startswith(unify)
    ]
    assert (guest[0], guest[2]) == (native[0], native[2])


def test_portable_way_grows_its_tlb_over_a_large_working_set(compile_c, run_native, run_portable):
    body = "for (int i = 0; i < 300000; i++) sum += data[i * 7919L % sizeof data]++ + i;"
    source = (
        "#include <stdio.h>\nstatic unsigned char data[8 << 20];"
        f'int main() {{ unsigned long sum = 0; {body} printf("%lu\\n", sum); }}'
    )
    program = compile_c(source, "-O1")
    assert run_portable(program) == run_native(program)


CHANGING_CODE = r"""
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <signal.h>
#include <setjmp.h>
static unsigned char *code;
static sigjmp_buf back;
static void on_fault(int number) { siglongjmp(back, 1); }
static void put(int value) {
    memcpy(code, "\xb8\0\0\0\0\xc3", 6);
    memcpy(code + 1, &value, 4);
}
static int call(void) { return sigsetjmp(back, 1) ? -1 : ((int (*)(void))code)(); }
int main(void) {
    int all = PROT_READ | PROT_WRITE | PROT_EXEC;
    signal(SIGSEGV, on_fault);
    code = mmap(0, 8192, all, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 3; i++) {
        put(i), printf("%d ", call());
        put(i + 10), printf("%d ", call());
        mprotect(code, 8192, PROT_READ | PROT_WRITE), printf("%d ", call());
        put(i + 20);
        mprotect(code, 8192, PROT_READ | PROT_EXEC), printf("%d ", call());
        mprotect(code, 8192, PROT_NONE), printf("%d ", call());
        madvise(code, 8192, MADV_DONTNEED), printf("%d ", call());
        mprotect(code, 8192, all);
        put(i + 30), printf("%d\n", call());
    }
    mprotect(code, 4096, PROT_NONE);
    printf("%d\n", munmap(code, 8192));
    return 0;
}
"""


def test_code_changes_with_the_protection_of_its_pages(
    compile_c, run_native, run_guest, run_portable
):
    program = compile_c(CHANGING_CODE, "-O1")
    native = run_native(program)
    assert run_guest(program) == run_portable(program) == native


def test_addresses_are_those_of_linux_without_randomisation(run_native, run_guest):
    def places(output):
        lines = [line.split() for line in output.splitlines()]
        return [
            line[:5]
            for line in lines
            if line[-1].endswith((b"/cat", b"/ld-linux-x86-64.so.2", b"[heap]", b"[stack]"))
        ]

    native = places(run_native("/bin/cat", "/proc/self/maps")[1])
    guest = places(run_guest("/bin/cat", "/proc/self/maps")[1])
    assert guest == native


def test_static_program_runs(compile_c, run_native, run_guest):
    program = compile_c('#include <stdio.h>\nint main() { puts("static"); return 7; }', "-static")
    assert run_guest(program) == run_native(program) == (7, b"static\n", b"")


def test_position_dependent_program_runs(compile_c, run_guest):
    program = compile_c(
        '#include <stdio.h>\nint main(int c, char **v) { printf("%p %s\\n", main, v[1]); }',
        "-no-pie",
    )
    status, output, _ = run_guest(program, "argument")
    assert status == 0
    assert output.startswith(b"0x4")
    assert output.endswith(b" argument\n")


PIPED = [
    ["ls", "-la", "/etc"],
    ["sort", "-rn"],
    ["grep", "-n", "1"],
    ["sed", "-e", "s/1/x/g"],
    ["awk", "{sum += $1} END {print sum, NR}"],
    ["find", "/usr/include/x86_64-linux-gnu/sys", "-name", "*.h"],
    ["tar", "--help"],
    ["gzip", "-9"],
    ["xz"],
    ["md5sum"],
    ["od", "-c"],
    ["perl", "-e", "print join(',', map {$_ * 2} 1 .. 10)"],
    ["sh", "-c", "x=$((3 * 4)); echo $x; exit 3"],
    ["/usr/bin/python3", "-c", "import json, re; print(json.dumps({'a': [1, 2.5]}))"],
    ["sqlite3", ":memory:", "select 6 * 7"],
    ["objdump", "-d", "/bin/true"],
    ["readelf", "-aW", "/bin/true"],
    ["as", "--version"],
]


@pytest.mark.parametrize("command", PIPED, ids=lambda command: command[0].split("/")[-1])
def test_program_that_pyldso_links_prints_what_it_prints_natively(
    command, run_native, pyldso_script
):
    path = shutil.which(command[0])
    if path is None:
        pytest.skip(f"{command[0]} is not installed")
    numbers = "".join(f"{number}\n" for number in range(300)).encode()
    native = run_native(path, *command[1:], stdin=numbers)
    guest = run_native(str(pyldso_script), "run", path, *command[1:], stdin=numbers)
    assert guest == native


@pytest.mark.parametrize("address", [-0x1000, -(1 << 45), 1 << 47, 1 << 63])
def test_segment_outside_of_all_addresses_is_refused(address, process):
    with pytest.raises(OSError, match="Cannot allocate memory"):
        process.memory.map(address, 0x1000, 3, fixed=True)
