"""Why an instruction has no encoding, in words for a person; read only when one has none."""

from __future__ import annotations

from pyldso.asm.encoder import Template
from pyldso.asm.errors import StatementError


def explain(template: Template) -> StatementError:
    """Return the error for a template that keystone refused."""
    mnemonic = template.text.partition(" ")[0]
    return StatementError(f"invalid instruction `{mnemonic}'", mnemonic)
