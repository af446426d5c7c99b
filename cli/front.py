"""The click front end: grouped help, completion, and what is said to a mistaken command line.

The commands here are made from the tables of arguments.py and carry nothing out: main.py does
that without click, which takes 35 ms to import.
"""

from __future__ import annotations

from collections.abc import Iterable

import click

from pyldso import __version__

from .arguments import HELP, Command, Option, UsageError
from .commands import COMMAND_NAMES, load_command
from .exit_status import ExitStatus

PROGRAM_NAME = "pyldso"

GROUP_HELP = """\
Build shared objects, link programs and run them as ld.so does, in readable Python.

\b
mkso  is gcc -shared   assembly (or C) -> libvector.so
link  is ld            objects + libraries -> a partially linked program
run   is ld.so         maps, relocates, binds and runs it in an emulated CPU
"""

GROUP_EXAMPLES = """\
pyldso mkso -shared -fpic -o libvector.so addvec.s multvec.s
pyldso link -o prog2l main2.s ./libvector.so
pyldso run ./prog2l
"""

COMPLETION_HELP = """\
bash  eval "$(_PYLDSO_COMPLETE=bash_source pyldso)"      in ~/.bashrc
zsh   eval "$(_PYLDSO_COMPLETE=zsh_source pyldso)"       in ~/.zshrc
fish  _PYLDSO_COMPLETE=fish_source pyldso | source       in ~/.config/fish/config.fish
"""


MOST_NAMES = 6
"""An option of more names is written as a paragraph: they would not fit into a column."""


class ToolGroup(click.Group):
    """The `pyldso` command itself; its commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order in which they are used."""
        return list(COMMAND_NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the click face of a command, or None where there is none of that name."""
        return ToolCommand(load_command(cmd_name)) if cmd_name in COMMAND_NAMES else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that `args` begins with; name the nearest where there is none."""
        name = args[0]
        if name not in COMMAND_NAMES and not ctx.resilient_parsing:
            ctx.fail(f"no such command: {name}{_did_you_mean(name, COMMAND_NAMES)}")
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, and how to switch completion on."""
        _write_section(formatter, "Examples", GROUP_EXAMPLES)
        _write_section(formatter, "Shell completion", COMPLETION_HELP)


class ToolCommand(click.Command):
    """What click knows of a command: enough for help and completion."""

    def __init__(self, command: Command) -> None:
        operand = click.Argument(["operands"], nargs=-1, type=click.Path())
        super().__init__(
            command.name,
            params=[*map(_click_option, command.options), operand],
            help=command.description,
            short_help=command.summary,
            context_settings={
                "allow_interspersed_args": not command.ends_options_at_operand,
                "ignore_unknown_options": True,
            },
        )
        self.command = command

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return what follows the command's name in the usage line."""
        return [self.command.synopsis]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options group by group, in the order of the table."""
        groups: dict[str, list[Option]] = {}
        for option in (*self.command.options, HELP):
            groups.setdefault(option.group, []).append(option)
        for title, options in groups.items():
            with formatter.section(title):
                for option in options:
                    if len(option.names) > MOST_NAMES:
                        formatter.write_text(f"{_spelling(option)}: {option.help}")
                formatter.write_dl(
                    [(_spelling(one), one.help) for one in options if len(one.names) <= MOST_NAMES]
                )

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's examples."""
        _write_section(formatter, "Examples", self.command.examples)


def main(argv: list[str]) -> int:
    """Carry out what concerns no single command: help, version, completion, unknown commands."""
    try:
        status = _group().main(argv, prog_name=PROGRAM_NAME, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else str(error), err=True)
        return ExitStatus.USAGE
    except click.ClickException as error:
        error.show()
        return ExitStatus.USAGE
    return status if isinstance(status, int) else ExitStatus.OK


def show_help(command: Command) -> int:
    """Print the help of `command`."""
    click.echo(_context(command).get_help())
    return ExitStatus.OK


def show_usage_error(command: Command, problem: UsageError) -> int:
    """Print what is wrong with the command line, and the option that may have been meant."""
    names = [
        name
        for option in command.options
        if option.dest != "ignored"
        for name in _own_names(option)
    ]
    hint = _did_you_mean(problem.unknown_option, names)
    click.UsageError(f"{problem}{hint}", _context(command)).show()
    return ExitStatus.USAGE


def _group() -> ToolGroup:
    group = ToolGroup(PROGRAM_NAME, help=GROUP_HELP, no_args_is_help=True)
    version = click.version_option(__version__, prog_name=PROGRAM_NAME)
    decorated = version(group)
    return decorated


def _context(command: Command) -> click.Context:
    parent = click.Context(_group(), info_name=PROGRAM_NAME)
    return click.Context(ToolCommand(command), parent=parent, info_name=command.name)


def _click_option(option: Option) -> click.Option:
    """Return the option as completion needs it."""
    names = [option.dest, *_own_names(option)]
    if not option.metavar or option.is_prefix or option.is_optional:
        return click.Option(names, is_flag=True, help=option.help)
    takes_path = any(word in option.metavar for word in ("FILE", "DIR", "PATH"))
    return click.Option(
        names, help=option.help, multiple=True, type=click.Path() if takes_path else click.STRING
    )


def _own_names(option: Option) -> list[str]:
    return [name for name in option.names if name.startswith("-")]


def _spelling(option: Option) -> str:
    """Return the option as the help shows it: `-o, --output FILE`."""
    names = ", ".join(option.names)
    if option.is_optional:
        return f"{names}[={option.metavar}]"
    if not option.metavar:
        return names
    joint = "" if option.is_prefix else "=" if option.names[-1].startswith("--") else " "
    return f"{names}{joint}{option.metavar}"


def _did_you_mean(word: str, names: Iterable[str]) -> str:
    """Return a hint at the name that `word` may have been meant to be, or nothing."""
    from pyldso.spelling import similar

    by_text = {name.lstrip("-"): name for name in names}
    found = similar(word.lstrip("-"), by_text)
    return f" (did you mean {by_text[found]}?)" if found else ""


def _write_section(formatter: click.HelpFormatter, title: str, text: str) -> None:
    """Write lines as they stand, for examples are copied and must not be wrapped."""
    if not text:
        return
    formatter.write_paragraph()
    formatter.write(f"{title}:\n")
    for line in text.splitlines():
        formatter.write(f"  {line}\n" if line else "\n")
