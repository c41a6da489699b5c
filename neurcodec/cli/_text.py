"""Text from files, shown on a terminal."""

from __future__ import annotations


def plain(text: str) -> str:
    """One line that a terminal only shows: what it would take for a command is replaced by U+FFFD."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
