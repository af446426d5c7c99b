"""Run a program the kernel's way: map it and its PT_INTERP file, enter the interpreter."""

import functools
import os
import sys

import pyldso.kernel.process
from pyldso.events import EventStream
from pyldso.kernel.cpu import Cpu
from pyldso.kernel.exec import load_program
from pyldso.kernel.process import Process

if os.environ.get("PORTABLE"):  # as where libunicorn is not the one that the quick ways know
    pyldso.kernel.process.Cpu = functools.partial(Cpu, force_portable=True)


def main() -> int:
    process = Process(EventStream())
    argv = [os.fsencode(argument) for argument in sys.argv[1:]]
    envp = [name + b"=" + value for name, value in os.environb.items()]
    program, _ = load_program(process, sys.argv[1], argv, envp)
    status = process.run(program.start)
    if os.environ.get("SHOW_STATUS"):
        print(status, file=sys.stderr)
    return status.exit_status


if __name__ == "__main__":
    os._exit(main())
