"""What is said to who asks for help, and to who mistypes."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        (["lnk"], "no such command: lnk (did you mean link?)"),
        (["link", "--shard", "x.o"], "no such option: --shard (did you mean -shared?)"),
        (["link", "--rpaht=/x", "x.o"], "no such option: --rpaht (did you mean --rpath?)"),
        (["mkso", "-sharedd", "x.s"], "no such option: -sharedd (did you mean -shared?)"),
        (["run", "--debgu=all", "x"], "no such option: --debgu (did you mean --debug?)"),
        (["run", "--zzzz", "x"], "no such option: --zzzz\n"),
    ],
)
def test_an_unknown_word_names_the_nearest_known_one(pyldso, words, suggestion) -> None:
    completed = pyldso(*words)
    assert completed.returncode == 2
    assert completed.stdout == ""
    assert suggestion in completed.stderr
    assert "--help' for help." in completed.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["link"], "no input files"),
        (["mkso", "-shared", "-o", "x.so"], "no input files"),
        (["run"], "which PROGRAM is to be run?"),
        (["run", "-E", "NAME", "./prog"], "option '-E' takes VAR=VALUE, not 'NAME'"),
        (["run", "--aslr=abc", "./prog"], "option '--aslr' takes a number, not 'abc'"),
        (["run", "--interp", "--inhibit-cache", "./prog"], "does not go with '--interp'"),
    ],
)
def test_a_command_that_cannot_be_meant_is_a_usage_error(pyldso, words, message) -> None:
    completed = pyldso(*words)
    assert completed.returncode == 2
    assert message in completed.stderr


@pytest.mark.parametrize("command", ["mkso", "link", "run"])
def test_help_shows_grouped_options_and_examples(pyldso, command) -> None:
    completed = pyldso(command, "--help")
    assert completed.returncode == 0
    assert completed.stdout.startswith(f"Usage: pyldso {command} [OPTIONS] ")
    assert "\nExamples:\n  pyldso " in completed.stdout
    assert completed.stdout.count("\n\n") >= 5  # usage, description and the groups
    assert max(map(len, completed.stdout.splitlines())) <= 80


@pytest.mark.parametrize("name", ["as", "ld", "link", "mkso", "run"])
def test_an_option_has_one_meaning(name) -> None:
    command = getattr(import_module(f"pyldso_cli.{name}_command"), name.upper())
    names = [name for option in command.options for name in option.names]
    assert sorted(names) == sorted(set(names))


def test_no_arguments_show_the_help_as_an_error(pyldso) -> None:
    completed = pyldso()
    assert completed.returncode == 2
    assert "Shell completion:" in completed.stderr


def test_version_is_the_package_s(pyldso) -> None:
    from pyldso import __version__

    assert pyldso("--version").stdout == f"pyldso, version {__version__}\n"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("pyldso ", {"mkso", "link", "run"}),
        ("pyldso l", {"link"}),
        ("pyldso run --in", {"--inhibit-cache", "--inhibit-rpath", "--interp"}),
        ("pyldso link -sha", {"-shared"}),
        ("pyldso mkso -son", {"-soname"}),
    ],
)
def test_the_shell_completes_commands_and_options(pyldso, typed, expected) -> None:
    words = typed.split(" ")
    completed = pyldso(
        _PYLDSO_COMPLETE="bash_complete", COMP_WORDS=typed, COMP_CWORD=str(len(words) - 1)
    )
    offered = {line.split(",")[1] for line in completed.stdout.splitlines()}
    assert expected <= offered


def test_bash_takes_the_completion_script_and_completes_with_it(
    pyldso, pyldso_script, tool
) -> None:
    completed = pyldso(_PYLDSO_COMPLETE="bash_source")
    assert completed.returncode == 0
    script = f"""
PATH={pyldso_script.parent}:$PATH
{completed.stdout}
complete -p pyldso
COMP_WORDS=(pyldso run --deb) COMP_CWORD=2
_pyldso_completion pyldso
echo "offered: ${{COMPREPLY[*]}}"
"""
    printed = tool("bash", "-c", script).stdout
    assert "-F _pyldso_completion pyldso" in printed
    assert "offered: --debug --debug-output\n" in printed


def test_debug_help_lists_the_words_and_runs_nothing(pyldso) -> None:
    for words in (["--debug=help"], ["--debug=help", "./nothing"]):
        completed = pyldso("run", *words)
        assert completed.returncode == 0
        assert completed.stderr == ""
        assert "  bindings    display information about symbol binding\n" in completed.stdout


def test_the_system_calls_that_are_there_and_not_are_listed(pyldso) -> None:
    completed = pyldso("run", "--syscalls")
    assert completed.returncode == 0
    lines = completed.stdout.splitlines()
    assert "  1 + write(fd fd, in(count) buf, size count) [host]" in lines
    assert any(line.startswith("161 x chroot") for line in lines)
    assert any(line.startswith("317 - seccomp") for line in lines)
    counts = [sum(line[4:5] == mark for line in lines) for mark in "+x-"]
    there, refused, missing = counts
    last = f"{there} are there, {refused} fail with EPERM, {missing} with ENOSYS"
    assert lines[-1] == last
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (stated,) = re.findall(r"more than (\d+) system calls", readme)
    assert int(stated) < there < int(stated) + 30
