"""Command lines in the spellings of gcc, ld and ld.so."""

from __future__ import annotations

import pytest
from pyldso_cli.arguments import Arguments, UsageError, parse_arguments
from pyldso_cli.commands import load_command
from pyldso_cli.linking import link_options

from pyldso.linker.options import InputFile, Library


def parse(command: str, line: str) -> Arguments:
    return parse_arguments(load_command(command), line.split())


@pytest.mark.parametrize(
    "line",
    [
        "-o prog main.o",
        "-oprog main.o",
        "--output prog main.o",
        "--output=prog main.o",
        "main.o -o first -o prog",
        "main.o -Wl,-o,prog",
    ],
)
def test_output_is_named_in_every_usual_way(line: str) -> None:
    assert link_options(parse("link", line), is_shared=False).output == "prog"


@pytest.mark.parametrize(
    "line",
    [
        "-soname libx.so.1",
        "-soname=libx.so.1",
        "--soname=libx.so.1",
        "-h libx.so.1",
        "-Wl,-soname,libx.so.1",
        "-Wl,-soname=libx.so.1",
        "-Wl,-h,libx.so.1",
        "-Xlinker -soname -Xlinker libx.so.1",
    ],
)
def test_soname_is_given_in_every_usual_way(line: str) -> None:
    options = link_options(parse("mkso", f"-shared {line} x.o"), is_shared=True)
    assert options.soname == "libx.so.1"
    assert options.inputs == [InputFile("x.o")]


def test_files_and_libraries_keep_their_order() -> None:
    line = "a.o -lfirst b.o --as-needed -l second --no-as-needed -l:libx.so.1 -Wl,-Bstatic -lm"
    arguments = parse("link", line)
    assert link_options(arguments, is_shared=False).inputs == [
        InputFile("a.o"),
        Library("first"),
        InputFile("b.o"),
        Library("second", is_as_needed=True),
        Library(":libx.so.1"),
        Library("m", is_static=True),
    ]


def test_the_last_of_two_contrary_flags_counts() -> None:
    assert link_options(parse("link", "-no-pie x.o -pie"), is_shared=False).is_pie
    assert not link_options(parse("link", "-pie x.o -no-pie"), is_shared=False).is_pie


def test_a_single_letter_is_no_long_option() -> None:
    options = link_options(parse("link", "-L. -Llib -znow -z defs -emain x.o"), is_shared=False)
    assert options.library_path == [".", "lib"]
    assert options.z_options == ["now", "defs"]
    assert options.entry == "main"


def test_wrap_takes_gcc_and_ld_spellings() -> None:
    line = "-Wl,--wrap,malloc -Wl,--wrap=free --wrap=calloc -wrap realloc x.o"
    options = link_options(parse("link", line), is_shared=False)
    assert options.wrap == ["malloc", "free", "calloc", "realloc"]


def test_compiler_options_are_handed_on_in_order() -> None:
    line = "-O2 -DN=1 -I inc -Wall -g -fno-plt -std=c11 -fPIC x.c"
    options = link_options(parse("link", line), is_shared=False)
    assert options.compiler_flags == (
        "-O2", "-DN=1", "-Iinc", "-Wall", "-g", "-fno-plt", "-std=c11",
    )  # fmt: skip
    assert options.pic


def test_words_after_the_program_belong_to_it() -> None:
    arguments = parse("run", "--strace ./prog --strace -o x -- --help")
    assert arguments.operands() == ["./prog", "--strace", "-o", "x", "--", "--help"]
    assert arguments.flag("strace")


def test_a_double_dash_ends_the_options() -> None:
    assert parse("run", "-- -prog -x").operands() == ["-prog", "-x"]
    assert parse("link", "-o x -- -odd.o").operands() == ["-odd.o"]


@pytest.mark.parametrize(
    ("command", "line", "message"),
    [
        ("link", "-o", "option '-o' requires an argument"),
        ("link", "x.o -Xlinker", "option '-Xlinker' requires an argument"),
        ("link", "--strip-all=yes x.o", "option '--strip-all' does not take a value"),
        ("link", "--sharde x.o", "no such option: --sharde"),
        ("run", "--lits ./prog", "no such option: --lits"),
        ("run", "-q ./prog", "no such option: -q"),
    ],
)
def test_a_mistaken_option_is_named(command: str, line: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(command, line)
    assert str(caught.value) == message
