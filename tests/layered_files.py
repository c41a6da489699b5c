"""What tests of layered files share: their chunks and frames, and files that are forged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neurcodec.container import Gop, Reader, Substream, Writer
from neurcodec.jobs.decode import decode_file
from neurcodec.jobs.options import DecodeOptions
from neurcodec.media import VideoReader

Pictures = npt.NDArray[np.uint8]
Encode = Callable[..., Path]


def chunks(path: Path) -> list[Gop]:
    with path.open("rb") as file:
        return list(Reader(file).gops())


def shown(path: Path, model: Path, **options: object) -> Pictures:
    """The decoded frames; their times are checked."""
    target = path.with_suffix(".mkv")
    given = {"diffusion": False, "video_codec": "ffv1", "device": "cpu", "overwrite": True, **options}
    decode_file(path, target, DecodeOptions(model=str(model), **given))  # type: ignore[arg-type]
    with VideoReader(target) as reader:
        frames = list(reader)
        assert [frame.pts * reader.info.time_base for frame in frames] == [Fraction(i, 25) for i in range(len(frames))]
    return np.stack([frame.rgb for frame in frames])


def original(source: Path) -> Pictures:
    with VideoReader(source) as reader:
        return np.stack([frame.rgb for frame in reader])


def error(first: Pictures, second: Pictures) -> float:
    return float(np.square(first.astype(float) - second).mean())


def forged(path: Path, change: Callable[[Gop], Gop]) -> Path:
    """The file with its second chunk changed and all CRCs right."""
    target = path.with_name(f"forged-{path.name}")
    with path.open("rb") as file, target.open("wb") as out:
        reader = Reader(file)
        writer = Writer(out, reader.header, reader.model)
        for number, gop in enumerate(reader.gops()):
            writer.write_gop(change(gop) if number == 1 else gop)
        writer.close()
    return target


def without(kind: Substream) -> Callable[[Gop], Gop]:
    return lambda gop: replace(gop, substreams={k: data for k, data in gop.substreams.items() if k is not kind})
