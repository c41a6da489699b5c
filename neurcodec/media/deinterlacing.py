"""Interlaced pictures as whole ones, by FFmpeg's bwdif: as many as before, at the same times."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import av.error
from av.filter import Graph

_LEAST_SIDE = 4  # bwdif's


class Deinterlacer:
    """Takes pictures in order of display, and gives each one behind the next; progressive ones stay as they are.

    `interlaced` counts the pictures that say that they are interlaced.
    """

    def __init__(self, mode: str, time_base: Fraction) -> None:
        """Mode "auto" mends pictures that say that they are interlaced, "on" all, "off" none."""
        self._mode, self._time_base = mode, time_base
        self._graph: Any = None
        self._kind = (0, 0, "")
        self._times: deque[tuple[int | None, int]] = deque()
        self.interlaced = 0

    def push(self, picture: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Take the next picture; give those that are done."""
        kind = (picture.width, picture.height, picture.format.name)
        self.interlaced += picture.interlaced_frame
        if self._graph is not None and kind != self._kind:
            yield from self.rest()
        if self._graph is None:
            wanted = self._mode == "on" or (self._mode == "auto" and picture.interlaced_frame)
            if not wanted or min(kind[:2]) < _LEAST_SIDE or not self._build(picture):
                yield picture
                return
        self._times.append((picture.pts, picture.duration or 0))
        self._graph.push(picture)
        yield from self._pull()

    def rest(self) -> Iterator[av.VideoFrame]:
        """Give what is held back."""
        if self._graph is not None:
            self._graph.push(None)
            yield from self._pull()
            self._graph = None

    @property
    def mending(self) -> bool:
        """Are interlaced pictures mended?"""
        return self._mode != "off"

    def _build(self, picture: av.VideoFrame) -> bool:
        """Set the filter up for pictures like this one; False, and no more, where FFmpeg cannot."""
        graph = Graph()
        source = graph.add_buffer(
            width=picture.width, height=picture.height, format=picture.format, time_base=self._time_base
        )
        which = "all" if self._mode == "on" else "interlaced"
        filter, sink = graph.add("bwdif", f"mode=send_frame:deint={which}"), graph.add("buffersink")
        try:
            graph.link_nodes(source, filter, sink).configure()
        except (av.error.FFmpegError, ValueError):
            self._mode = "off"
            return False
        self._graph, self._kind = graph, (picture.width, picture.height, picture.format.name)
        return True

    def _pull(self) -> Iterator[av.VideoFrame]:
        while True:
            try:
                picture = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            picture.time_base = self._time_base
            picture.pts, picture.duration = self._times.popleft()
            yield picture
