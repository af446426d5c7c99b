"""Every bad input ends in one clear message and the right exit status, and leaves no output."""

from __future__ import annotations

import re
import shutil
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from processes import run_command

E_IDENT_CLASS = 4
E_MACHINE = 18
ELFCLASS32 = 1
EM_AARCH64 = 183


@pytest.fixture
def built(csapp: Path, pyldso) -> Path:
    """The walkthrough's library and program, in a folder of the test's own."""
    pyldso("mkso", "-shared", "-fpic", "-o", "libvector.so", "addvec.s", "multvec.s", cwd=csapp)
    completed = pyldso("link", "-o", "prog2l", "main2.s", "./libvector.so", cwd=csapp)
    assert completed.returncode == 0, completed.stderr
    return csapp


def empty(_: bytes) -> bytes:
    return b""


def text(_: bytes) -> bytes:
    return b"This is not a library, it only has the name of one.\n" * 40


def short_text(_: bytes) -> bytes:
    return b"hello\n"


def class_32(data: bytes) -> bytes:
    return data[:E_IDENT_CLASS] + bytes([ELFCLASS32]) + data[E_IDENT_CLASS + 1 :]


def other_machine(data: bytes) -> bytes:
    return data[:E_MACHINE] + struct.pack("<H", EM_AARCH64) + data[E_MACHINE + 2 :]


def cut_in_the_header(data: bytes) -> bytes:
    return data[:40]


def cut_behind_the_header(data: bytes) -> bytes:
    return data[:64]


SPOILERS = [
    empty, text, short_text, class_32, other_machine, cut_in_the_header, cut_behind_the_header,
]  # fmt: skip


def spoil(path: Path, how: Callable[[bytes], bytes]) -> None:
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(how(data))
    path.chmod(0o755)


def native_message(folder: Path, program: str = "./prog2l") -> tuple[int, str]:
    completed = run_command(program, cwd=folder)
    return completed.returncode, completed.stderr


@pytest.mark.parametrize("how", SPOILERS)
def test_run_says_of_a_spoiled_library_what_ld_so_says(built: Path, pyldso, how) -> None:
    spoil(built / "libvector.so", how)
    completed = pyldso("run", "./prog2l", cwd=built)
    assert (completed.returncode, completed.stderr) == native_message(built)
    assert completed.returncode == 127
    assert completed.stdout == ""


def test_run_says_of_a_missing_library_what_ld_so_says(built: Path, pyldso) -> None:
    (built / "libvector.so").unlink()
    completed = pyldso("run", "./prog2l", cwd=built)
    assert (completed.returncode, completed.stderr) == native_message(built)
    assert completed.returncode == 127


@pytest.mark.parametrize("bind_now", [False, True])
def test_run_says_of_a_missing_symbol_what_ld_so_says(built: Path, pyldso, bind_now) -> None:
    pyldso("mkso", "-shared", "-o", "libvector.so", "multvec.s", cwd=built)
    environment = {"LD_BIND_NOW": "1"} if bind_now else {}
    completed = pyldso("run", "./prog2l", cwd=built, **environment)
    native = run_command("./prog2l", cwd=built, env=environment)
    assert (completed.returncode, completed.stderr) == (native.returncode, native.stderr)
    assert completed.returncode == 127


def test_run_survives_a_library_cut_anywhere(built: Path, pyldso) -> None:
    """At every 64th byte; where ld.so gives a message, pyldso gives the same one."""
    whole = (built / "libvector.so").read_bytes()

    def run_cut(length: int) -> str | None:
        folder = built / f"cut{length}"
        folder.mkdir()
        shutil.copy(built / "prog2l", folder)
        (folder / "libvector.so").write_bytes(whole[:length])
        completed = pyldso("run", "./prog2l", cwd=folder)
        status, message = native_message(folder)
        if completed.returncode == 0 and completed.stdout == "z = [4 6]\n":
            return None  # what was cut off is not needed to run
        if status == 127 and (completed.returncode, completed.stderr) == (status, message):
            return None
        if status < 0 and completed.returncode in (127, 128 - status):
            return None  # the real one dies of SIGBUS or SIGSEGV
        ours = f"{completed.returncode} {completed.stderr!r}"
        return f"at {length}: pyldso {ours}, ld.so {status} {message!r}"

    with ThreadPoolExecutor(2) as pool:
        differences = [one for one in pool.map(run_cut, range(0, len(whole), 64)) if one]
    assert differences == []


def test_link_survives_a_library_cut_anywhere(built: Path, pyldso) -> None:
    whole = (built / "libvector.so").read_bytes()
    pyldso("mkso", "-c", "main2.s", cwd=built)

    def link_cut(length: int) -> str | None:
        (built / f"cut{length}.so").write_bytes(whole[:length])
        words = ("link", "-o", f"out{length}", "main2.o", f"./cut{length}.so")
        completed = pyldso(*words, cwd=built)
        is_written = (built / f"out{length}").exists()
        if completed.returncode == 0 and is_written:
            return None
        is_named = re.match(rf"pyldso: error: .*cut{length}\.so", completed.stderr)
        if completed.returncode == 1 and not is_written and is_named:
            return None
        return f"at {length}: {completed.returncode} {completed.stderr}"

    with ThreadPoolExecutor(2) as pool:
        differences = [one for one in pool.map(link_cut, range(0, len(whole), 64)) if one]
    assert differences == []


def test_libraries_that_need_each_other_run(csapp: Path, pyldso) -> None:
    source = """
        .text
        .globl {own}
        .type {own}, @function
{own}:  subq $8, %rsp
        movl $0, %eax
        {body}
        addq $8, %rsp
        ret
        .size {own}, .-{own}
        .section .note.GNU-stack,"",@progbits
"""
    (csapp / "ping.s").write_text(source.format(own="ping", body="call pong@PLT"))
    (csapp / "pong.s").write_text(source.format(own="pong", body="leaq ping@GOTPCREL(%rip), %rcx"))
    (csapp / "main.s").write_text(source.format(own="main", body="call ping@PLT"))
    for line in (
        "mkso -shared -o libpong.so pong.s",
        "mkso -shared -o libping.so ping.s ./libpong.so",
        "mkso -shared -o libpong.so pong.s ./libping.so",
        "link -o cycle main.s ./libping.so",
    ):
        completed = pyldso(*line.split(), cwd=csapp)
        assert completed.returncode == 0, completed.stderr
    assert pyldso("run", "./cycle", cwd=csapp).returncode == 0
    assert native_message(csapp, "./cycle") == (0, "")


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (empty, "empty"),
        (text, "not an ELF file|text"),
        (class_32, "32-bit|ELFCLASS32"),
        (other_machine, "AArch64|AARCH64|machine"),
        (cut_in_the_header, "truncated|too short|cut"),
        (cut_behind_the_header, "truncated|too short|cut|beyond"),
    ],
)
def test_link_says_what_is_wrong_with_a_library(built: Path, pyldso, how, reason) -> None:
    spoil(built / "libvector.so", how)
    completed = pyldso("link", "-o", "fresh", "main2.s", "./libvector.so", cwd=built)
    assert completed.returncode == 1
    assert re.match(r"pyldso: error: \./libvector\.so: ", completed.stderr)
    assert re.search(reason, completed.stderr, re.IGNORECASE)
    assert not (built / "fresh").exists()


def test_an_unreadable_file_is_named(built: Path, pyldso, without_privilege) -> None:
    pyldso("mkso", "-c", "-o", "secret.o", "main2.s", cwd=built)
    (built / "secret.o").chmod(0)
    (built / "libvector.so").chmod(0)
    completed = pyldso("link", "-o", "fresh", "secret.o", cwd=built, prefix=without_privilege)
    assert completed.returncode == 1
    assert completed.stderr == "pyldso: error: secret.o: Permission denied\n"
    completed = pyldso("run", "./prog2l", cwd=built, prefix=without_privilege)
    native = run_command(*without_privilege, "./prog2l", cwd=built)
    assert (completed.returncode, completed.stderr) == (127, native.stderr)


def test_a_missing_file_is_named(built: Path, pyldso) -> None:
    completed = pyldso("link", "-o", "fresh", "main3.s", "./libvector.so", cwd=built)
    assert completed.returncode == 1
    assert re.match(r"pyldso: error: .*main3\.s: .*[Nn]o such file", completed.stderr)
    completed = pyldso("link", "-o", "fresh", "main2.s", "-L.", "-lvectro", cwd=built)
    assert completed.returncode == 1
    assert "-lvectro" in completed.stderr
    assert not (built / "fresh").exists()


def test_an_empty_source_has_no_main(built: Path, pyldso) -> None:
    (built / "empty.s").touch()
    completed = pyldso("link", "-o", "fresh", "empty.s", cwd=built)
    assert completed.returncode == 1
    assert completed.stderr.startswith("pyldso: error: undefined symbol: main\n")
    assert not (built / "fresh").exists()


@pytest.mark.parametrize("name", ["garbage.s", "garbage.o", "garbage.so"])
def test_garbage_is_answered_in_printable_text(built: Path, pyldso, name) -> None:
    (built / name).write_bytes(bytes(range(128, 256)) + b"\x1b[2J\0\a" + bytes(range(255)))
    completed = pyldso("link", "-o", "fresh", "main2.s", name, cwd=built)
    assert completed.returncode == 1
    assert re.match(rf"(pyldso: error: )?(\./)?{re.escape(name)}:", completed.stderr)
    assert all(char in "\n\t" or char.isprintable() for char in completed.stderr)
    assert not (built / "fresh").exists()


def test_an_object_that_is_called_a_source_is_told_from_one(built: Path, pyldso) -> None:
    pyldso("mkso", "-c", "-o", "main2.o", "main2.s", cwd=built)
    (built / "main2.o").rename(built / "liar.s")
    completed = pyldso("mkso", "-c", "-o", "x.o", "liar.s", cwd=built)
    assert completed.returncode == 1
    assert completed.stderr.startswith("pyldso: error: liar.s: this is ")
    assert not (built / "x.o").exists()


@pytest.mark.parametrize("command", ["mkso", "link"])
def test_an_input_is_not_overwritten(built: Path, pyldso, command) -> None:
    source = (built / "main2.s").read_bytes()
    completed = pyldso(command, "-o", "main2.s", "./main2.s", "./libvector.so", cwd=built)
    assert completed.returncode == 1
    assert completed.stderr == "pyldso: error: ./main2.s: the input file is the output file, too\n"
    assert (built / "main2.s").read_bytes() == source


def test_a_folder_is_neither_input_nor_output_nor_program(built: Path, pyldso) -> None:
    (built / "folder.s").mkdir()
    for words, status in (
        (["mkso", "-c", "folder.s"], 1),
        (["link", "-o", "folder.s", "main2.s", "./libvector.so"], 1),
        (["run", "./folder.s"], 127),
    ):
        completed = pyldso(*words, cwd=built)
        assert completed.returncode == status
        assert "folder.s: " in completed.stderr


def test_an_output_folder_that_is_missing_is_named(built: Path, pyldso) -> None:
    for words in (
        ["link", "-o", "no/such/prog", "main2.s", "./libvector.so"],
        ["mkso", "-shared", "-o", "no/such/lib.so", "addvec.s"],
        ["mkso", "-c", "-o", "no/such/addvec.o", "addvec.s"],
    ):
        completed = pyldso(*words, cwd=built)
        assert completed.returncode == 1
        assert "the folder no/such does not exist" in completed.stderr


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("movz %eax, %ebx", "movz", ""),
        ("movl %eaz, %ebx", "eaz", "eax"),
        ('.string "no end', "string", ""),
        ("jmp .Lnowhere", ".Lnowhere", ""),
        ("addvec: ret", "addvec", ""),
    ],
    ids=["mnemonic", "register", "string", "label", "duplicate"],
)
def test_an_error_in_assembly_shows_the_place(built: Path, pyldso, line, message, hint) -> None:
    lines = (built / "addvec.s").read_text().splitlines()
    number = next(index for index, text in enumerate(lines) if "movl" in text)
    lines.insert(number, f"        {line}")
    (built / "bad.s").write_text("\n".join(lines) + "\n")
    completed = pyldso("mkso", "-shared", "-o", "bad.so", "bad.s", cwd=built)
    assert completed.returncode == 1
    first = completed.stderr.splitlines()[0]
    assert re.match(rf"bad\.s:{number + 1}:\d+: error: ", first)
    assert message in first
    assert f"        {line}\n" in completed.stderr
    assert re.search(r"^\s+\^", completed.stderr, re.MULTILINE)
    assert hint in completed.stderr
    assert not (built / "bad.so").exists()


def test_an_undefined_symbol_names_its_place_and_its_neighbour(built: Path, pyldso) -> None:
    source = (built / "main2.s").read_text()
    line = 1 + source[: source.index("call    addvec")].count("\n")
    (built / "typo.s").write_text(source.replace("call    addvec@PLT", "call    addvek@PLT"))
    completed = pyldso("link", "-o", "fresh", "typo.s", "./libvector.so", cwd=built)
    assert completed.returncode == 1
    assert completed.stderr.splitlines() == [
        "pyldso: error: undefined symbol: addvek",
        f">>> referenced by typo.s:{line} (main)",
        ">>> did you mean: addvec",
        ">>> defined in: ./libvector.so",
    ]
    assert not (built / "fresh").exists()


def test_all_undefined_symbols_are_named_at_once(built: Path, pyldso) -> None:
    source = (built / "main2.s").read_text().replace("addvec@PLT", "one@PLT")
    (built / "typo.s").write_text(source.replace("printf@PLT", "two@PLT"))
    completed = pyldso("link", "-o", "fresh", "typo.s", cwd=built)
    assert completed.returncode == 1
    assert "undefined symbol: one\n" in completed.stderr
    assert "undefined symbol: two\n" in completed.stderr


def test_a_symbol_defined_twice_names_both_places(built: Path, pyldso) -> None:
    shutil.copy(built / "addvec.s", built / "again.s")
    completed = pyldso("mkso", "-shared", "-o", "twice.so", "addvec.s", "again.s", cwd=built)
    assert completed.returncode == 1
    assert "duplicate symbol: addvec\n" in completed.stderr
    assert "addvec.s" in completed.stderr
    assert "again.s" in completed.stderr
    assert not (built / "twice.so").exists()


@pytest.mark.parametrize("how", [empty, text, short_text, class_32, other_machine])
def test_run_of_a_spoiled_program_is_a_load_failure(built: Path, pyldso, how) -> None:
    spoil(built / "prog2l", how)
    completed = pyldso("run", "./prog2l", cwd=built)
    assert completed.returncode == 127
    assert completed.stdout == ""
    assert completed.stderr.count("\n") == 1
    assert "./prog2l: " in completed.stderr


def test_run_of_a_missing_program_is_a_load_failure(pyldso) -> None:
    completed = pyldso("run", "./nothing")
    assert completed.returncode == 127
    assert "./nothing" in completed.stderr
    assert "No such file" in completed.stderr


def test_c_without_a_compiler_says_what_to_do(built: Path, pyldso) -> None:
    completed = pyldso(
        "mkso", "-shared", "-o", "x.so", "addvec.c", cwd=built, PATH="/nowhere", CC=""
    )
    assert completed.returncode == 1
    assert completed.stderr.startswith("pyldso: error: ")
    assert "C compiler" in completed.stderr
    assert not (built / "x.so").exists()
