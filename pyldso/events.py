"""One stream of events from the core to whoever watches; with nobody watching it costs one test.

A step that has something to show writes

    if events.wanted & Topic.LIBS:
        events.emit(LibraryFound(...))

Topics are LD_DEBUG's words (ld.so(8)) and what the kernel's side adds to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar, dataclass_transform


class Topic:
    """What can be watched, each a bit; the names in lower case are LD_DEBUG's words.

    Plain numbers: an IntFlag's `&` costs a microsecond, and every look-up of a symbol asks twice.
    """

    LIBS = 1
    RELOC = 2
    FILES = 4
    SYMBOLS = 8
    BINDINGS = 16
    VERSIONS = 32
    SCOPES = 64
    TLS = 128
    STATISTICS = 256
    UNUSED = 512
    SYSCALLS = 1024
    MAP = 2048
    UNSUPPORTED = 4096
    CALLS = 8192
    """Initialisers and finalisers; shown with most words, as glibc's DL_DEBUG_IMPCALLS."""


@dataclass_transform(frozen_default=True, eq_default=False)
class Event:
    """A frozen record with a topic, made cheap to define: a dataclass costs start-up 0.7 ms each.

    Declare `class SegmentMapped(Event, topic=Topic.MAP)` with annotated fields only.
    """

    topic: ClassVar[int]
    field_names: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls, topic: int) -> None:
        cls.topic = topic
        cls.field_names = tuple(cls.__annotations__)

    def __init__(self, *args: object, **named: object) -> None:
        values = dict(zip(self.field_names, args, strict=False), **named)
        if len(values) != len(self.field_names):
            raise TypeError(f"{type(self).__name__} takes {', '.join(self.field_names)}")
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in self.items())})"

    def items(self) -> Iterator[tuple[str, object]]:
        """Yield field names and values in the order of their declaration."""
        for name in self.field_names:
            yield name, getattr(self, name)


Subscriber = Callable[[Event], None]


class EventStream:
    """Subscribers by topic; `wanted` is the union of what they asked for."""

    __slots__ = ("_subscribers", "wanted")

    def __init__(self) -> None:
        self.wanted = 0
        self._subscribers: list[tuple[int, Subscriber]] = []

    def subscribe(self, topics: int, subscriber: Subscriber) -> None:
        """Call `subscriber` with every later event of `topics`, in order of subscription."""
        self._subscribers.append((topics, subscriber))
        self.wanted |= topics

    def emit(self, event: Event) -> None:
        """Hand `event` to those who asked for its topic."""
        for topics, subscriber in self._subscribers:
            if topics & event.topic:
                subscriber(event)
