"""A room's wiring: which events it hears, what it decides about each, what it emits and what it remembers."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self, get_type_hints

from services.bus import directory as directory_module
from services.bus.directory import Directory
from services.bus.envelope import Alarm, Event, Held, Model
from services.bus.projection import Projection

Decided = Iterable[Event | Held]
Decision = Callable[..., Decided]


class View(Model):
    """What a service remembers under one key: a fold of the events it heard, and of nothing else.

    A subclass gives every field a default, so that `View()` is what is known before the first event.
    """

    @classmethod
    @abstractmethod
    def key_of(cls, event: Event) -> str | None:
        """Under which key this event is remembered; None if it is not."""

    @abstractmethod
    def evolve(self, event: Event) -> Self:
        """What is known once this event has been decided."""

    @property
    def alarm(self) -> datetime | None:
        """When this view wants to be asked what is missing; None while it awaits nothing."""
        return None

    def rung(self, alarm: Alarm) -> Self:
        """What is known once the alarm has been decided. Must move or clear `alarm`."""
        raise NotImplementedError


@dataclass(frozen=True)
class Service:
    """One room, complete.

    A decision is `(event)`, `(event, view)`, `(event, directory)` or `(event, view, directory)`; its annotations say
    which. It is pure, and yields events and `Held` parts. `on_alarm` is the same for a view whose moment has come.
    """

    name: str
    on: Mapping[type[Event], Decision]
    emits: tuple[type[Event], ...]
    view: type[View] | None = None
    on_alarm: Decision | None = None
    projection: Projection | None = None
    not_remembered: frozenset[type[Event]] = frozenset()
    """Events whose ids need not be known again: heard twice, they are decided twice, to the same outputs."""
    hears: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """Topics of the events it decides on."""
    directory_topics: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """The directory's topics, if any of its decisions asks the directory."""
    _wants: dict[Decision, tuple[bool, bool]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        decisions = {*self.on.values(), *([self.on_alarm] if self.on_alarm else [])}
        wants = {d: self._what_it_wants(d) for d in decisions}
        asks = any(directory for _, directory in wants.values())
        object.__setattr__(self, "_wants", wants)
        object.__setattr__(self, "hears", tuple(kind.topic for kind in self.on))
        object.__setattr__(self, "directory_topics", directory_module.TOPICS if asks else ())

    @property
    def says(self) -> list[str]:
        """Every topic that it writes, besides dead letters."""
        copied = self.projection.copies_to if self.projection else ()
        return [*(kind.topic for kind in self.emits), *copied]

    def _what_it_wants(self, decision: Decision) -> tuple[bool, bool]:
        """Whether a decision asks for the view, and for the directory."""
        hints = get_type_hints(decision)
        asked = [hints.get(name) for name in list(inspect.signature(decision).parameters)[1:]]
        # A decision may ask for the view that a configured one derives from.
        view = any(kind in self.view.__mro__ for kind in asked if kind) if self.view else False
        directory = Directory in asked
        if len(asked) != view + directory:
            raise TypeError(
                f"{self.name}: {decision.__name__} may take (event, view: {self.view}, directory: Directory)"
            )
        return view, directory

    def decide(self, event: Event | Alarm, view: View | None, directory: Directory) -> list[Event | Held]:
        """What follows from `event`, given what is known.

        Raises:
            Refusal: the decision says no.
        """
        decision = self.on_alarm if isinstance(event, Alarm) else self.on[type(event)]
        assert decision is not None, "only a service with on_alarm remembers views with an alarm"
        wants_view, wants_directory = self._wants[decision]
        arguments: list[Any] = [event]
        if wants_view:
            arguments.append(view)
        if wants_directory:
            arguments.append(directory)
        return list(decision(*arguments))
