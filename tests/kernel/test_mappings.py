"""Mappings that are larger than what there is of memory, and those of one file that are two."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Completed, run_command


def test_terabytes_are_mapped_as_natively(
    compile_c: Callable[..., str],
    run_native: Callable[..., tuple[int, bytes, bytes]],
    pyldso: Callable[..., Completed],
) -> None:
    program = compile_c(Path(__file__).with_name("large_mappings.c").read_text(), "-O1")
    status, native, _ = run_native(program)
    own = pyldso("run", program)
    assert own.stdout.splitlines() == native.decode().splitlines()
    assert own.returncode == 139
    assert status in (139, -11)


SANITIZED = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv) {
    char *text = malloc(10), local[8];
    printf("%s\n", strcpy(text, "begun"));
    fflush(stdout);
    if (argc == 2) text[9 + argc] = 1;
    if (argc == 3) local[argc + 5] = 1;
    free(text);
    if (argc == 4) return text[argc];
    return local[0] * 0 + 3;
}
"""


def _has_sanitizer() -> bool:
    if shutil.which("gcc") is None:
        return False
    return os.path.isabs(run_command("gcc", "-print-file-name=libasan.so").stdout)


@pytest.mark.skipif(
    not _has_sanitizer(), reason="gcc's libasan, which the sample is linked with, is not installed"
)
@pytest.mark.parametrize("arguments", [(), ("heap",), ("on", "stack"), ("use", "after", "free")])
def test_address_sanitizer_finds_what_it_finds_natively(
    arguments: tuple[str, ...], tmp_path: Path, pyldso: Callable[..., Completed]
) -> None:
    (tmp_path / "x.c").write_text(SANITIZED)
    command = ("gcc", "-g", "-O0", "-fsanitize=address", "x.c", "-o", "x")
    subprocess.run(command, cwd=tmp_path, check=True)
    without_leaks = "detect_leaks=0"  # whose search traces the process
    native = subprocess.run(
        ["./x", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "ASAN_OPTIONS": without_leaks},
    )  # fmt: skip
    own = pyldso("run", "-E", f"ASAN_OPTIONS={without_leaks}", "./x", *arguments)
    summary = re.compile("^SUMMARY: .*|^[A-Z]+ of size .*(?= at)", re.MULTILINE)
    assert summary.findall(own.stderr) == summary.findall(native.stderr)
    assert bool(native.stderr) == bool(arguments)
    assert (own.stdout, own.returncode) == (native.stdout, native.returncode)


def test_code_is_run_as_it_was_last_written_through_another_mapping(
    compile_c: Callable[..., str],
    run_native: Callable[..., tuple[int, bytes, bytes]],
    pyldso: Callable[..., Completed],
) -> None:
    program = compile_c(Path(__file__).with_name("code_aliases.c").read_text(), "-O1")
    own = pyldso("run", program)
    assert own.stdout == run_native(program)[1].decode()
    assert own.returncode == 139


RESIZED = r"""
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
static sigjmp_buf place;
static void on_signal(int number) { siglongjmp(place, number); }
static int touch(char *page) {
    int number = sigsetjmp(place, 1);
    if (!number) ++*(volatile char *)page;
    return number;
}
int main(void) {
    signal(SIGBUS, on_signal);
    signal(SIGSEGV, on_signal);
    char *p = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    strcpy(p, "one");
    char *q = mremap(p, 8192, 32768, MREMAP_MAYMOVE);
    printf("%s", q);
    for (int i = 0; i < 8; i++) printf(" %d", touch(q + i * 4096 + 8));
    if (!fork()) { strcpy(q, "child"); strcpy(q + 4096, "second"); _exit(0); }
    wait(0);
    printf("\n%s %s\n", q, q + 4096);
    char *twice = mremap(q, 0, 8192, MREMAP_MAYMOVE);
    strcpy(twice, "twice");
    printf("%s %d\n", q, mremap(q, 32768, 4096, 0) == q);
    q = mremap(q, 4096, 16384, MREMAP_MAYMOVE);
    printf("%s %s %d %d\n", q, q + 4096, touch(q + 4096), touch(q + 8192));
    char *private = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("%d\n", mremap(private, 0, 8192, MREMAP_MAYMOVE) == MAP_FAILED);
    return 0;
}
"""


def test_shared_memory_does_not_grow_with_its_mapping(
    compile_c: Callable[..., str],
    run_native: Callable[..., tuple[int, bytes, bytes]],
    pyldso: Callable[..., Completed],
) -> None:
    program = compile_c(RESIZED, "-O1")
    status, native, _ = run_native(program)
    own = pyldso("run", program)
    assert (own.stdout, own.returncode) == (native.decode(), status)
    assert "7" in own.stdout
