"""Run the command line as a module: `python -m pyldso_cli`."""

from .main import main

main()
