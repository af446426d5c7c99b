"""The vDSO: its file as other tools see it, its place as the machine's own kernel chooses it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Completed, natively_without_aslr, run_command

from pyldso.kernel.vdso import BUILD_ID, FUNCTIONS, PREFIX, build_image

Pyldso = Callable[..., Completed]
Tool = Callable[..., Completed]

CALLS = """
#include <stdio.h>
#include <sys/time.h>
#include <time.h>
int main(void) {
    struct timespec a, b;
    struct timeval day;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < 99; i++) clock_gettime(CLOCK_REALTIME, &b), gettimeofday(&day, 0), time(0);
    clock_gettime(CLOCK_MONOTONIC, &b);
    puts(a.tv_sec < b.tv_sec || a.tv_nsec < b.tv_nsec ? "later" : "no later");
    return 0;
}
"""

DRIVER = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
int main(int argc, char **argv) {
    void *handle = dlopen("./image.so", RTLD_NOW);
    if (!handle) return puts(dlerror()), 1;
    for (int i = 1; i < argc; i++)
        if (!dlvsym(handle, argv[i], "LINUX_2.6")) return puts(dlerror()), 1;
    struct timespec time = {0, 0};
    int (*clock_gettime)(clockid_t, struct timespec *) = dlsym(handle, "__vdso_clock_gettime");
    int result = clock_gettime(CLOCK_MONOTONIC, &time);
    printf("%d %d\\n", result, time.tv_sec || time.tv_nsec);
    return 0;
}
"""
MOVED = """
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <time.h>
typedef int Clock(clockid_t, struct timespec *);
int main(int argc, char **argv) {
    char *old = (char *)getauxval(AT_SYSINFO_EHDR);
    unsigned offset;
    sscanf(argv[1], "%x", &offset);
    char *new = mmap(0, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct timespec before = {0, 0}, after = {0, 0};
    int first = ((Clock *)(old + offset))(CLOCK_MONOTONIC, &before);
    if (mremap(old, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, new) != new) return 1;
    int second = ((Clock *)(new + offset))(CLOCK_MONOTONIC, &after);
    printf("%d %d %d %d\\n", first, before.tv_nsec != 0, second, after.tv_nsec != 0);
    return 0;
}
"""


def gcc(tool: Tool, folder: Path, source: str, *options: str) -> None:
    (folder / "main.c").write_text(source)
    tool("gcc", "-O1", "-o", "main", "main.c", *options, cwd=folder)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.so"
    path.write_bytes(build_image()[0])
    return path


def test_build_id_is_that_of_the_file() -> None:
    assert hashlib.sha1(build_image(bytes(20))[0]).digest() == BUILD_ID


def test_readelf_finds_nothing_wrong(image: Path, tool: Tool) -> None:
    shown = tool("readelf", "-aW", image)
    assert shown.stderr == ""
    assert f"Build ID: {BUILD_ID.hex()}" in shown.stdout
    for name in FUNCTIONS:
        for symbol, binding in ((PREFIX + name, "GLOBAL"), (name, "WEAK")):
            row = rf"FUNC +{binding} +DEFAULT +11 {symbol.decode()}@@LINUX_2\.6"
            assert re.search(row, shown.stdout), symbol
    frames = tool("readelf", "--debug-dump=frames", image).stdout
    assert frames.count("FDE") == 1 + len(FUNCTIONS)


def test_comments_are_the_code(image: Path, tool: Tool) -> None:
    """The jumps, whose distances were written by hand, lead to instructions."""
    listing = tool("objdump", "-d", "--no-show-raw-insn", image).stdout
    starts = {int(start, 16) for start in re.findall(r"^ +([0-9a-f]+):", listing, re.M)}
    jumps = re.findall(r"\s(?:j\w+|call) +([0-9a-f]+)", listing)
    assert len(jumps) == 11
    assert {int(target, 16) for target in jumps} <= starts
    assert "(bad)" not in listing


def test_real_ld_so_takes_the_file(image: Path, tool: Tool) -> None:
    """Without a gate, which only the emulated machine has, its functions make system calls."""
    gcc(tool, image.parent, DRIVER, "-ldl")
    names = [symbol.decode() for name in FUNCTIONS for symbol in (name, PREFIX + name)]
    assert tool("./main", *names, cwd=image.parent).stdout == "0 1\n"


@pytest.mark.parametrize("options", [(), ("-static",)], ids=["dynamic", "static"])
@pytest.mark.parametrize("way", [(), ("--interp",)], ids=["run", "interp"])
def test_time_is_told_without_a_system_call(
    options: tuple[str, ...], way: tuple[str, ...], tmp_path: Path, tool: Tool, pyldso: Pyldso
) -> None:
    gcc(tool, tmp_path, CALLS, *options)
    ours = pyldso("run", "--strace", *way, "./main")
    assert ours.stdout == "later\n"
    assert not re.search(r"clock_gettime|gettimeofday|^time\(", ours.stderr, re.M)


def test_moved_code_asks_the_kernel(tmp_path: Path, tool: Tool, pyldso: Pyldso) -> None:
    """Linux's tells the time anywhere its data goes with it; the gate stays where it was."""
    gcc(tool, tmp_path, MOVED)
    (tmp_path / "image.so").write_bytes(build_image()[0])
    symbols = tool("readelf", "-sW", "image.so", cwd=tmp_path).stdout
    found = re.search(r"([0-9a-f]+) +\d+ FUNC +GLOBAL .*__vdso_clock_gettime", symbols)
    assert found is not None
    assert pyldso("run", "./main", found[1]).stdout == "0 1 0 1\n"


def test_fault_in_it_is_named(tmp_path: Path, tool: Tool, pyldso: Pyldso) -> None:
    gcc(
        tool,
        tmp_path,
        "#include <time.h>\nint main(void) { clock_gettime(1, (void *)8); return 0; }",
    )
    ours = pyldso("run", "./main")
    assert ours.returncode == 139
    assert re.search(r"clock_gettime\+0x[0-9a-f]+ in linux-vdso\.so\.1\): write to", ours.stderr)


@natively_without_aslr
@pytest.mark.parametrize("way", [(), ("--interp",)], ids=["run", "interp"])
def test_everything_lies_where_the_kernel_puts_it(way: tuple[str, ...], pyldso: Pyldso) -> None:
    """Without randomisation, as gdb starts programs: each line of a file and of the vDSO."""
    real = run_command("setarch", "-R", "cat", "/proc/self/maps")
    assert real.returncode == 0

    def named(text: str) -> list[str]:
        lines = [line for line in text.splitlines() if "/" in line or "[v" in line]
        return [line for line in lines if "[vsyscall]" not in line]

    ours = pyldso("run", *way, "/bin/cat", "/proc/self/maps")
    assert named(ours.stdout) == named(real.stdout)
    assert any("[vdso]" in line for line in named(ours.stdout))
