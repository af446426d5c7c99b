"""A bench on which small C sources become objects, are linked by pyldso, and run natively."""

from __future__ import annotations

import shutil
import sys
from importlib import import_module
from pathlib import Path

import pytest
from processes import Completed, run_command

from pyldso.errors import PyldsoError
from pyldso.link import link
from pyldso.linker.options import InputFile, LinkInput, LinkOptions

LD = Path(import_module("pyldso_cli").__file__ or "").parent / "bin" / "ld"
"""The file that gcc takes for its ld."""


class Bench:
    """A folder with sources and what is made of them; paths are names in that folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def tool(self, *words: str) -> Completed:
        """Run an oracle in the folder; it must be installed and succeed."""
        if shutil.which(words[0]) is None:
            pytest.skip(f"{words[0]} is not installed, and is what this compares with")
        completed = run_command(*words, cwd=self.folder)
        assert completed.returncode == 0, completed.stderr
        return completed

    def driver(self, compiler: str, *words: str) -> Completed:
        """Run a compiler driver whose ld is pyldso and whose Python is this one."""
        path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        return run_command(compiler, self.only_ld(), *words, cwd=self.folder, env={"PATH": path})

    def only_ld(self) -> str:
        """Return the -B option for a folder that holds our ld and nothing else."""
        tools = self.folder / "tools"
        tools.mkdir(exist_ok=True)
        if not (tools / "ld").exists():
            (tools / "ld").symlink_to(LD)
        return f"-B{tools}"

    def failing_tool(self, *words: str) -> Completed:
        """Run an oracle in the folder, which must find something wrong."""
        if shutil.which(words[0]) is None:
            pytest.skip(f"{words[0]} is not installed, and is what this compares with")
        completed = run_command(*words, cwd=self.folder)
        assert completed.returncode != 0
        return completed

    def link_error(self, *inputs: str) -> str:
        """Link with pyldso, which must refuse, and return what it says."""
        with pytest.raises(PyldsoError) as caught:
            link(LinkOptions(output=self.path("out"), inputs=[InputFile(i) for i in inputs]))
        return caught.value.render()

    def compile(self, name: str, source: str, *flags: str, compiler: str = "gcc") -> str:
        """Compile `source` to the object `name`."""
        suffix = ".cc" if compiler.endswith("++") else ".c"
        suffix = ".s" if source.lstrip().startswith(".") else suffix
        text = self.folder / Path(name).with_suffix(suffix).name
        text.write_text(source)
        self.tool(compiler, "-c", "-o", name, *flags, text.name)
        return name

    def link(self, output: str, *inputs: str | LinkInput, **options: object) -> str:
        """Link with pyldso, have lief compare, and let readelf and eu-elflint look at it."""
        words = [
            item if isinstance(item, tuple) else InputFile(self.input_path(item)) for item in inputs
        ]
        link(LinkOptions(output=self.path(output), inputs=words, verify=True, **options))
        self.check(output)
        return output

    def input_path(self, name: str) -> str:
        return name if name.startswith("./") else self.path(name)

    def shared(self, output: str, *inputs: str | LinkInput, **options: object) -> str:
        """Link a shared object."""
        return self.link(output, *inputs, is_shared=True, **options)

    def check(self, output: str) -> None:
        """Let the readers of other people read the file."""
        assert self.tool("readelf", "-aW", output).stderr == ""
        if shutil.which("eu-elflint"):
            lint = run_command("eu-elflint", "--gnu-ld", output, cwd=self.folder)
            # it does not know that STV_PROTECTED symbols are exported, as GNU ld does too, nor the
            # notes of libc's probes, nor SHT_RELR, nor the unique symbols of g++'s thread_local
            strange = (
                "non-default vis",
                "'stapsdt'",
                "'.relr.dyn' has wrong type",
                "unique symbol not of object type",
            )
            lines = [line for line in lint.stdout.splitlines()
                     if not any(text in line for text in strange)]  # fmt: skip
            assert lines in ([], ["No errors"]), lint.stdout

    def run(self, program: str, *words: str, **environment: str) -> Completed:
        """Run a program of the folder on the real kernel under the real ld.so."""
        return run_command(f"./{program}", *words, cwd=self.folder, env=environment)

    def output(self, program: str, *words: str, **environment: str) -> str:
        """Run a program, which must succeed, and return what it printed."""
        completed = self.run(program, *words, **environment)
        assert completed.returncode == 0, (completed.returncode, completed.stderr)
        return completed.stdout

    def readelf(self, *words: str) -> str:
        return self.tool("readelf", "-W", *words).stdout


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed, and its objects are what is linked here")
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path)


ADDVEC = """
void addvec(int *x, int *y, int *z, int n) { for (int i = 0; i < n; i++) z[i] = x[i] + y[i]; }
"""
MAIN2 = """
#include <stdio.h>
void addvec(int *, int *, int *, int);
int x[2] = {1, 2}, y[2] = {3, 4}, z[2];
int main(void) { addvec(x, y, z, 2); printf("z = [%d %d]\\n", z[0], z[1]); return 0; }
"""


@pytest.fixture
def walkthrough(bench: Bench) -> Bench:
    """The bench with main2.o, libvector.so and prog2l on it."""
    bench.compile("addvec.o", ADDVEC, "-O1", "-fpic")
    bench.compile("main2.o", MAIN2, "-O1")
    bench.shared("libvector.so", "addvec.o")
    bench.link("prog2l", "main2.o", "./libvector.so")
    return bench


def compilers() -> list[str]:
    return [name for name in ("gcc", "clang") if shutil.which(name)]
