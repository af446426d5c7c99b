"""The face of ld: gcc and clang find it by -B, and it links as GNU ld does what they hand it."""

from __future__ import annotations

import re
import shutil
import sys

import pytest
from processes import run_command

from .conftest import LD

HELLO = r"""
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
static __attribute__((constructor)) void construct(void) { puts("constructed"); }
static void farewell(void) { puts("farewell"); }
int main(int argc, char **argv) {
    atexit(farewell);
    printf("hello %.3f\n", sqrt(argc + 1));
    return 4;
}"""
SAID = "constructed\nhello 1.414\nfarewell\n"


def test_the_driver_finds_pyldso(bench) -> None:
    bench.compile("m.o", HELLO)
    assert bench.driver("gcc", "m.o", "-Wl,--version").stdout.startswith("pyldso ")
    assert LD.stat().st_mode & 0o111


LIBTOOL = r"""
case `$LD -v 2>&1 </dev/null` in *GNU* | *'with BFD'*) echo gnu ;; *) echo other ;; esac
case `$LD -v | sed -e 's/([^)]\+)\s\+//' 2>&1` in
*GNU\ gold*) echo new ;;
*\ [01].* | *\ 2.[0-9].* | *\ 2.10.*) echo old ;;
*) echo new ;;
esac
"""
"""What libtool's configure asks of a linker."""


def test_configure_scripts_take_it_for_a_new_gnu_ld(bench) -> None:
    ld = f"{sys.executable} {LD}"
    assert run_command("sh", "-c", LIBTOOL, env={"LD": ld}).stdout == "gnu\nnew\n"
    assert run_command("sh", "-c", LIBTOOL, env={"LD": "ld"}).stdout == "gnu\nnew\n"


@pytest.mark.parametrize("kind", [[], ["-no-pie"], ["-static"], ["-static-pie"], ["-rdynamic"]])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_programs_of_the_driver_run(bench, compiler, kind) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    (bench.folder / "m.c").write_text(HELLO)
    done = bench.driver(compiler, "-O1", *kind, "-o", "m", "m.c", "-lm")
    assert (done.returncode, done.stderr) == (0, "")
    completed = bench.run("m")
    assert (completed.returncode, completed.stdout) == (4, SAID)
    bench.check("m")


def test_libraries_and_exceptions_of_the_driver_run(bench) -> None:
    (bench.folder / "l.cc").write_text(
        "#include <stdexcept>\nthread_local int depth;\nvoid fail() { ++depth; "
        'throw std::runtime_error("failed"); }\nint deep() { return depth; }'
    )
    (bench.folder / "m.cc").write_text(
        "#include <iostream>\nvoid fail();\nint deep();\nint main() { try { fail(); } "
        "catch (std::exception &e) { std::cout << e.what() << deep() << std::endl; } }"
    )
    words = ["-shared", "-fPIC", "-o", "libl.so", "l.cc"]
    assert bench.driver("g++", *words).stderr == ""
    assert bench.driver("g++", "-o", "m", "m.cc", "-L.", "-ll", "-Wl,-rpath,$ORIGIN").stderr == ""
    assert bench.output("m") == "failed1\n"
    bench.check("libl.so")
    bench.check("m")


def test_the_needs_and_flags_are_those_of_gnu_ld(bench) -> None:
    (bench.folder / "m.c").write_text(HELLO)
    for name, words in (("by_ld", []), ("ours", [bench.only_ld()])):
        bench.tool("gcc", *words, "-o", name, "m.c", "-lm", "-Wl,-z,now")
    ours, by_ld = (
        {line.split(")")[0].split("(")[1] + line.split(")")[1].split("0x")[0]
         for line in bench.readelf("-d", name).splitlines() if "(" in line}
        for name in ("ours", "by_ld")
    )  # fmt: skip
    sizes = "SZ", "ENT", "COUNT", "SIZE", "NUM"
    assert {x for x in ours if not x.split()[0].endswith(sizes)} == {
        x for x in by_ld if not x.split()[0].endswith(sizes)
    }


@pytest.mark.parametrize("kind", [["-pie"], ["-shared"], ["-static"]])
@pytest.mark.parametrize(
    ("words", "run_path"),
    [
        ([], "/x:/x"),
        (["/a"], "/x"),
        (["/a", "/b", "/a"], ""),
        (["/a:/b", "/b"], ""),
        (["/a", "/a:/b"], ""),
        (["/a", "/", ":"], ""),
    ],
)
def test_the_search_path_is_that_of_gnu_ld(bench, kind, words, run_path) -> None:
    bench.compile("m.o", "int main(void) { return 0; }", "-fPIC")
    environment = {"LD_RUN_PATH": run_path} if run_path else {}
    options = [f"-Wl,-rpath,{word}" for word in words]
    found = []
    for tools in ([], [bench.only_ld()]):
        done = run_command(
            "gcc", *tools, *kind, "-o", "m", "m.o", *options, cwd=bench.folder, env=environment
        )
        assert (done.returncode, done.stderr) == (0, "")
        found.append(re.findall(r"\(RUNPATH\).*", bench.readelf("-d", "m")))
    assert found[0] == found[1]


def test_a_library_without_its_development_file_is_not_found(bench) -> None:
    bench.compile("m.o", HELLO)
    bench.shared("libversioned.so.2", "m.o", soname="libversioned.so.2")
    words = ["m.o", "-lm", "-L.", "-lversioned"]
    assert "cannot find -lversioned" in bench.driver("gcc", *words).stderr
    assert "cannot find -lversioned" in run_command("gcc", *words, cwd=bench.folder).stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-m", "elf_i386", "m.o"], "emulation elf_i386 is not supported"),
        (["-T", "x.lds", "m.o"], "x.lds:1: linker scripts with SECTIONS are not supported"),
        (["--gc-section", "m.o"], "no such option: --gc-section (did you mean --gc-sections?)"),
        ([], "no input files"),
        (["m.o"], "undefined symbol: printf"),
    ],
)
def test_what_ld_cannot_do_is_said(bench, words, message) -> None:
    (bench.folder / "x.lds").write_text("SECTIONS { .text : { *(.text) } }")
    bench.compile("m.o", HELLO)
    done = run_command(sys.executable, LD, *words, cwd=bench.folder)
    assert done.returncode == 1
    assert f"pyldso: error: {message}" in done.stderr
    assert "Traceback" not in done.stderr


RUST = r"""
use std::collections::HashMap;
use std::thread;
thread_local!(static DEPTH: std::cell::RefCell<u32> = std::cell::RefCell::new(1));
fn main() {
    let words = HashMap::from([("one", 1)]);
    let deeper = || DEPTH.with(|depth| { *depth.borrow_mut() += 1; *depth.borrow() });
    let thread = thread::spawn(deeper);
    println!("{} {:?}", thread.join().unwrap(), words);
    let failed = std::panic::catch_unwind(|| { let none: Vec<i32> = vec![]; none[words.len()] });
    println!("{}", failed.is_err());
}
"""


@pytest.mark.parametrize("kind", ["", "-O", "-C relocation-model=static -g",
                                  "-C target-feature=+crt-static"])  # fmt: skip
def test_programs_of_rustc_run(bench, kind) -> None:
    (bench.folder / "m.rs").write_text(RUST)
    tool = bench.folder / "ld"
    tool.write_text(f'#!/bin/sh\n: > called\nexec {sys.executable} {LD} "$@"\n')
    tool.chmod(0o755)
    options = [*kind.split(), "-C", f"link-arg=-B{bench.folder}"]
    if "linker-features" in bench.tool("rustc", "-C", "help").stdout:
        options += ["-C", "linker-features=-lld"]  # its default here
    bench.tool("rustc", *options, "-o", "m", "m.rs")
    assert bench.output("m") == '2 {"one": 1}\ntrue\n'
    assert (bench.folder / "called").exists()
