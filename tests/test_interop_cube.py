"""{mkso, gcc -shared} x {link, gcc} x {pyldso run, pyldso run --interp, the real machine}."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from processes import run_command

SOURCES = ["s", "c"]
LIBRARY_MAKERS = ["mkso", "gcc"]
LINKERS = ["link", "gcc"]
RUNNERS = ["run", "run --interp", "native"]


class Workshop:
    """Makes and runs the programs of the cube in one folder, by the tool that is named."""

    def __init__(self, folder: Path, pyldso, tool) -> None:
        self.folder = folder
        self.pyldso = pyldso
        self.tool = tool

    def make_library(self, maker: str, output: str, *sources: str) -> None:
        words = ["-shared", "-fpic", "-o", output, *sources]
        self._make("mkso" if maker == "mkso" else None, words)

    def link(self, linker: str, output: str, *words: str) -> None:
        self._make("link" if linker == "link" else None, ["-o", output, *words])

    def _make(self, command: str | None, words: list[str]) -> None:
        if command:
            completed = self.pyldso(command, *words, cwd=self.folder)
            assert completed.returncode == 0, completed.stderr
            assert completed.stdout + completed.stderr == ""
        else:
            self.tool("gcc", *words, cwd=self.folder)

    def run(self, runner: str, program: str, *options: str) -> str:
        """Run the program with `-E VAR=VALUE` options and return what it prints."""
        if runner == "native":
            completed = self.tool("env", *options[1::2], program, cwd=self.folder)
        else:
            completed = self.pyldso(*runner.split(), *options, program, cwd=self.folder)
        assert completed.returncode == 0, completed.stderr
        assert completed.stderr == ""
        return completed.stdout


@pytest.fixture
def workshop(csapp: Path, pyldso, tool) -> Workshop:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed, and is what this compares with")
    return Workshop(csapp, pyldso, tool)


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("linker", LINKERS)
@pytest.mark.parametrize("maker", LIBRARY_MAKERS)
def test_every_way_prints_the_same(workshop: Workshop, maker, linker, kind) -> None:
    workshop.make_library(maker, "libvector.so", f"addvec.{kind}", f"multvec.{kind}")
    workshop.link(linker, "prog2l", f"main2.{kind}", "./libvector.so")
    for runner in RUNNERS:
        assert workshop.run(runner, "./prog2l") == "z = [4 6]\n", runner


@pytest.mark.parametrize("linker", LINKERS)
@pytest.mark.parametrize("maker", LIBRARY_MAKERS)
def test_a_rebuilt_library_changes_the_program_without_relinking(
    workshop: Workshop, maker, linker
) -> None:
    workshop.make_library("mkso", "libvector.so", "addvec.s", "multvec.s")
    workshop.link(linker, "prog2l", "main2.s", "./libvector.so")
    program = (workshop.folder / "prog2l").read_bytes()

    changed = (workshop.folder / "addvec.s").read_text().replace("addl    (%rsi", "subl    (%rsi")
    (workshop.folder / "changed.s").write_text(changed)
    workshop.make_library(maker, "libvector.so", "changed.s", "multvec.s")
    for runner in RUNNERS:
        assert workshop.run(runner, "./prog2l") == "z = [-2 -2]\n", runner
    assert (workshop.folder / "prog2l").read_bytes() == program


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("linker", LINKERS)
def test_dlopen_takes_the_library_of_either_maker(workshop: Workshop, linker, kind) -> None:
    workshop.link(linker, "dll", f"dll.{kind}")
    for maker in LIBRARY_MAKERS:
        workshop.make_library(maker, "libvector.so", "addvec.s", "multvec.s")
        for runner in RUNNERS:
            assert workshop.run(runner, "./dll") == "z = [4 6]\n", (maker, runner)


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("linker", LINKERS)
@pytest.mark.parametrize("maker", LIBRARY_MAKERS)
def test_a_preloaded_library_interposes_malloc(workshop: Workshop, maker, linker, kind) -> None:
    workshop.make_library(maker, "mymalloc.so", f"mymalloc.{kind}")
    workshop.link(linker, "intr", f"int.{kind}")
    for runner in RUNNERS:
        printed = workshop.run(runner, "./intr", "-E", "LD_PRELOAD=./mymalloc.so")
        assert re.fullmatch(r"malloc\(32\) = (0x[0-9a-f]+)\nfree\(\1\)\n", printed), runner


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("linker", LINKERS)
def test_wrap_interposes_malloc_at_link_time(workshop: Workshop, linker, kind) -> None:
    wrap = ["-Wl,--wrap,malloc", "-Wl,--wrap,free"]
    workshop.link(linker, "intl", *wrap, f"int.{kind}", f"wrapmalloc.{kind}")
    for runner in RUNNERS:
        printed = workshop.run(runner, "./intl")
        assert re.fullmatch(r"malloc\(32\) = (0x[0-9a-f]+)\nfree\(\1\)\n", printed), runner


@pytest.mark.parametrize("option", ["-pie", "-no-pie"])
def test_position_independent_and_fixed_programs_run_alike(workshop: Workshop, option) -> None:
    workshop.make_library("mkso", "libvector.so", "addvec.s", "multvec.s")
    for linker in LINKERS:
        workshop.link(linker, "prog2l", option, "main2.s", "./libvector.so")
        for runner in RUNNERS:
            assert workshop.run(runner, "./prog2l") == "z = [4 6]\n", (linker, runner)


def test_the_machine_s_ld_so_is_told_what_the_options_ask_for(workshop: Workshop) -> None:
    workshop.make_library("mkso", "libvector.so", "addvec.s", "multvec.s")
    workshop.link("link", "prog2l", "main2.s", "./libvector.so")
    listed = workshop.run("run --interp --list", "./prog2l")
    assert "\t./libvector.so (0x" in listed
    assert "z = " not in listed
    shown = workshop.pyldso(
        "run", "--interp", "--debug=bindings", "--preload=libc.so.6", "./prog2l",
        cwd=workshop.folder,
    )  # fmt: skip
    assert "binding file ./prog2l [0] to ./libvector.so [0]: normal symbol `addvec'" in shown.stderr


def test_objects_of_mkso_are_taken_by_every_linker(workshop: Workshop) -> None:
    for name in ("addvec", "multvec", "main2"):
        workshop.pyldso("mkso", "-c", f"{name}.s", cwd=workshop.folder)
    for linker in ("bfd", "lld", "mold"):
        if shutil.which(f"ld.{linker}") is None:
            continue
        use = f"-fuse-ld={linker}"
        workshop.make_library("gcc", "libvector.so", use, "addvec.o", "multvec.o")
        workshop.link("gcc", "prog2l", use, "main2.o", "./libvector.so")
        for runner in RUNNERS:
            assert workshop.run(runner, "./prog2l") == "z = [4 6]\n", (linker, runner)


def test_the_program_holds_no_byte_of_the_library_s_code(workshop: Workshop) -> None:
    workshop.make_library("mkso", "libvector.so", "addvec.s", "multvec.s")
    workshop.link("link", "prog2l", "main2.s", "./libvector.so")
    add = bytes.fromhex("44030486")  # addl (%rsi,%rax,4), %r8d
    assert add in (workshop.folder / "libvector.so").read_bytes()
    assert add not in (workshop.folder / "prog2l").read_bytes()


def test_the_same_inputs_give_the_same_bytes(workshop: Workshop) -> None:
    builds = []
    for _ in range(2):
        workshop.make_library("mkso", "libvector.so", "addvec.s", "multvec.s")
        workshop.link("link", "prog2l", "main2.s", "./libvector.so")
        builds.append(
            [(workshop.folder / name).read_bytes() for name in ("libvector.so", "prog2l")]
        )
    assert builds[0] == builds[1]


def test_assembly_takes_neither_a_compiler_nor_libc6_dev(csapp: Path, pyldso_script) -> None:
    """In a mount namespace where the development files of libc are gone."""
    folder = "/usr/lib/x86_64-linux-gnu"
    hide = f"""
mkdir hidden work && mount -t tmpfs tmpfs hidden && mkdir hidden/upper hidden/work &&
mount -t overlay overlay -o lowerdir={folder},upperdir=hidden/upper,workdir=hidden/work {folder} &&
rm -f {folder}/libc.so {folder}/libc.a {folder}/libc_nonshared.a {folder}/*crt*.o || exit 77
PATH=/nowhere
{pyldso_script} mkso -shared -fpic -o libvector.so addvec.s multvec.s &&
{pyldso_script} link -o prog2l main2.s ./libvector.so && ./prog2l
"""
    completed = run_command("unshare", "-m", "sh", "-c", hide, cwd=csapp)
    if completed.returncode == 77 or "unshare" in completed.stderr:
        pytest.skip("no private mounts here, so libc6-dev cannot be hidden")
    assert (completed.returncode, completed.stdout) == (0, "z = [4 6]\n"), completed.stderr


@pytest.mark.parametrize("kind", SOURCES)
def test_the_example_makefile_builds_and_runs_everything(
    csapp: Path, tool, pyldso_script, kind
) -> None:
    printed = tool("make", "-s", f"PYLDSO={pyldso_script}", f"S={kind}", cwd=csapp).stdout
    assert printed.count("z = [4 6]\n") == 2
    assert printed.count("malloc(32) = ") == 2
    for program in ("./prog2l", "./dll", "./intl"):
        assert tool(program, cwd=csapp).stdout != ""
    assert "malloc(32)" in tool("env", "LD_PRELOAD=./mymalloc.so", "./intr", cwd=csapp).stdout


def test_the_example_makefile_takes_gcc_and_the_real_machine(csapp: Path, tool) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed, and is what this compares with")
    printed = tool("make", "-s", "MKSO=gcc", "LINK=gcc", "RUN=", cwd=csapp).stdout
    assert printed.count("z = [4 6]\n") == 2
    assert printed.count("malloc(32) = ") == 2
