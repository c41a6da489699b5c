"""Subtitles that are text, from one codec's form to another's."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
import av.error

from neurcodec.container.values import Packet, StreamInfo

_BASE = Fraction(1, 1000)


class TextConverter:
    """Converts the packets of a stream; `info` describes what comes out. FFmpeg's errors pass through."""

    def __init__(self, info: StreamInfo, codec: str) -> None:
        """Take the stream and the name of the codec that it is converted to."""
        decoder: Any = av.CodecContext.create(info.codec, "r")
        encoder: Any = av.CodecContext.create(codec, "w")
        if info.extradata:
            decoder.extradata = info.extradata
        decoder.open()
        encoder.subtitle_header, encoder.time_base = decoder.subtitle_header, _BASE
        encoder.open()
        self._decoder, self._encoder = decoder, encoder
        self.info = replace(info, codec=codec, codec_tag=0, extradata=encoder.extradata or b"")

    def convert(self, packet: Packet) -> Packet | None:
        """Return the packet in the other codec, at its time; None where it shows nothing or is damaged."""
        data: Any = av.Packet(packet.data)
        data.pts = data.dts = 0
        data.time_base = _BASE
        try:
            text = self._decoder.decode2(data)
            return replace(packet, data=bytes(self._encoder.encode_subtitle(text))) if text else None
        except av.error.FFmpegError:
            return None
