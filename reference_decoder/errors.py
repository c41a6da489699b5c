"""The one way in which the reference decoder says no."""

from __future__ import annotations


class Refused(Exception):
    """The file must be rejected; `kind` is format, damage, limit or model, as in section 11 of the specification."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


def need(condition: bool, message: str, kind: str = "damage") -> None:
    """Refuse the file where the condition does not hold."""
    if not condition:
        raise Refused(kind, message)
