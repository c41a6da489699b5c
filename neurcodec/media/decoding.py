"""Decoding a video stream's packets, however damaged, into pictures with the times that the file gives them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import av
import av.error

_DELAY = 32  # packets that a decoder may hold back
_LONGEST_GROUP = 1000  # packets that may wait for a keyframe or the first picture that is wanted


class Decoder:
    """Decodes the packets of one stream, and counts what is damaged.

    Some files give their packets no times of display, only times in decoding order (AVI, and what was AVI in Matroska);
    then the pictures, in the order in which they come, take these.
    """

    def __init__(self, stream: Any, by_order: bool) -> None:
        """Take the PyAV stream, and whether its format knows decoding order only."""
        self._stream, self._by_order = stream, by_order
        self._times: deque[int | None] = deque(maxlen=_DELAY)
        self._damaged = self._owed = 0
        self._begun = self._ended = False
        self._group: list[Any] | None = None
        self.packets = 0

    def skip(self, packet: Any, wanted: int) -> Iterator[av.VideoFrame]:
        """Decode as `decode`, for pictures from the time `wanted` on: groups of pictures before it are passed over."""
        if packet is not None and packet.is_keyframe and packet.pts is not None and packet.pts <= wanted:
            self._stream.codec_context.flush_buffers()
            self._times.clear()
            self._owed = 0
            self._group = []
        if self._group is None:
            yield from self.decode(packet)
            return
        self._group.append(packet)
        time = None if packet is None else packet.pts if packet.pts is not None else packet.dts
        if time is None or time > wanted or len(self._group) > _LONGEST_GROUP:
            group, self._group = self._group, None
            for one in group:
                yield from self.decode(one)

    @property
    def damaged(self) -> int:
        """Packets or pictures that were skipped or concealed so far."""
        return self._damaged + (max(0, self._owed) if self._ended else 0)

    def decode(self, packet: Any) -> Iterator[av.VideoFrame]:
        """Yield the pictures that a packet completes; None, or an empty packet at the end, gives the last ones."""
        if packet is not None and packet.size:
            self.packets += 1
            if not self._begun:
                self._by_order |= packet.pts is None and packet.dts is not None
                self._begun = True
            self._times.append(packet.dts)
        elif packet is not None and packet.dts is not None:
            return  # AVI's word for "the same picture again"
        else:
            self._ended = True
        try:
            frames = self._stream.decode(packet)
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            self._damaged += 1
            if self._times:
                self._times.pop()
            return
        for frame in frames:
            self._damaged += frame.is_corrupt
            time = self._times.popleft() if self._times else None
            if self._by_order:
                frame.pts = time
            yield frame
        if self._stream.codec_context.name == "hevc" and packet is not None:
            # This decoder passes over what it cannot decode without a word, but makes one picture of each packet.
            self._owed += (packet.size > 0 and not packet.is_discard) - len(frames)
