"""Directives that steer the reading: conditions, repetition, macros, includes, messages."""

from __future__ import annotations

from collections.abc import Callable

from pyldso.asm.assembly import Assembly

DIRECTIVES: dict[str, Callable[[Assembly, str, str], None]] = {}
