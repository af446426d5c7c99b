"""Programs with threads: output and status as natively, by our dynamic linker and by theirs."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Completed

LACKING = 77
"""The exit status of a program that needs a newer kernel."""
PROGRAMS = sorted((Path(__file__).parent / "threads").glob("*.c"))


@pytest.mark.parametrize("options", [(), ("--interp",)], ids=["own", "interp"])
@pytest.mark.parametrize("path", PROGRAMS, ids=[path.stem for path in PROGRAMS])
def test_threads_run_as_natively(
    path: Path,
    options: tuple[str, ...],
    compile_c: Callable[..., str],
    run_native: Callable[..., tuple[int, bytes, bytes]],
    pyldso: Callable[..., Completed],
    tmp_path: Path,
) -> None:
    program = compile_c(path.read_text(), "-O1", "-pthread", "-lm")
    status, output, _ = run_native(program, cwd=tmp_path)
    if status == LACKING:
        pytest.skip("the machine's kernel has no such calls")
    own = pyldso("run", *options, program, cwd=tmp_path)
    assert own.stdout == output.decode()
    assert own.returncode == status


@pytest.mark.parametrize("name", ["preempted", "synchronise"])
def test_threads_are_switched_between_instructions_in_the_portable_way(
    name: str,
    compile_c: Callable[..., str],
    run_native: Callable[..., tuple[int, bytes, bytes]],
    run_portable: Callable[..., tuple[int, bytes, bytes]],
) -> None:
    path = Path(__file__).parent / "threads" / f"{name}.c"
    program = compile_c(path.read_text(), "-O1", "-pthread", "-lm")
    assert run_portable(program) == run_native(program)


@pytest.mark.parametrize(
    "words",
    [
        ("sort", "--parallel=3", "-S", "1M", "-r", "numbers"),
        ("xz", "-T2", "--block-size=100000", "-c", "numbers"),
        ("zstd", "-T2", "-q", "-c", "numbers"),
    ],
    ids=lambda words: words[0],
)
def test_tools_use_threads(
    words: tuple[str, ...], pyldso: Callable[..., Completed], tmp_path: Path
) -> None:
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    (tmp_path / "numbers").write_text("".join(f"{i * 7919 % 60013}\n" for i in range(30000)))
    script = f"{shlex.join(words)} | cksum"
    native = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert pyldso("run", "/bin/sh", "-c", script).stdout == native.stdout


PYTHON = r"""
import concurrent.futures, queue, subprocess, threading, time
lock, count = threading.Lock(), 0
def work():
    global count
    for _ in range(1000):
        with lock:
            count += 1
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    print(count, sum(pool.map(lambda x: x * x, range(100))))
    run = lambda k: subprocess.run(["sh", "-c", f"echo {k}"], capture_output=True, text=True).stdout
    print(sorted(pool.map(run, range(4))))
items = queue.Queue(3)
def produce():
    for item in (*range(100), None): items.put(item)
threading.Thread(target=produce).start()
print(sum(iter(items.get, None)))
start = time.monotonic()
print(threading.Event().wait(0.05), time.monotonic() - start >= 0.05)
threading.Timer(0.01, print, ["timer"]).start()
"""


def test_python_uses_threads(pyldso: Callable[..., Completed], tmp_path: Path) -> None:
    python = "/usr/bin/python3"
    if not Path(python).exists():
        pytest.skip("no system's Python")
    (tmp_path / "program.py").write_text(PYTHON)
    command = [python, "program.py"]
    native = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    own = pyldso("run", *command)
    assert (own.stdout, own.returncode) == (native.stdout, 0)


ENDINGS = r"""
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void *spin(void *argument) { for (;;) ; }
static void *wait_for_ever(void *argument) { for (;;) pause(); }
static void *end(void *how) {
    usleep(1000);
    if (!strcmp(how, "exit")) exit(5);
    if (!strcmp(how, "fault")) *(volatile int *)8 = 1;
    if (!strcmp(how, "abort")) abort();
    if (!strcmp(how, "forever")) for (;;) sleep(1000);
    return 0;
}
int main(int argc, char **argv) {
    pthread_t thread;
    pthread_create(&thread, 0, wait_for_ever, 0);
    if (argc > 2) pthread_create(&thread, 0, spin, 0);
    pthread_create(&thread, 0, end, argv[1]);
    pthread_join(thread, 0);
    return 3;
}
"""


@pytest.mark.parametrize("others", [(), ("spin",)], ids=["waiting", "spinning"])
@pytest.mark.parametrize("how", ["exit", "fault", "abort", "return"])
def test_any_thread_can_end_the_process(
    how: str,
    others: tuple[str, ...],
    compile_c: Callable[..., str],
    run_native: Callable[..., tuple[int, bytes, bytes]],
    pyldso: Callable[..., Completed],
) -> None:
    program = compile_c(ENDINGS, "-O1", "-pthread")
    own = pyldso("run", program, how, *others)
    assert own.returncode == run_native(program, how, *others)[0]
    assert ("address 0x8 (pc" in own.stderr) == (how == "fault")


@pytest.mark.parametrize("others", [(), ("spin",)], ids=["waiting", "spinning"])
def test_limits_hold_whatever_the_threads_do(
    others: tuple[str, ...], compile_c: Callable[..., str], pyldso: Callable[..., Completed]
) -> None:
    program = compile_c(ENDINGS, "-O1", "-pthread")
    own = pyldso("run", "--timeout", "1.5", program, "forever", *others)
    assert own.returncode == 124
    assert "stopped: it has run for 1.5 seconds" in own.stderr


def test_instructions_of_all_threads_count(
    compile_c: Callable[..., str], pyldso: Callable[..., Completed]
) -> None:
    program = compile_c(ENDINGS, "-O1", "-pthread")
    own = pyldso("run", "--max-insns", "30000000", program, "forever", "spin")
    assert own.returncode == 121
