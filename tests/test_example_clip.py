"""The committed example clip is what tools/scenes/render.py says it is."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np

from neurcodec.media import VideoReader

CLIP = Path(__file__).parents[1] / "examples" / "flight.mp4"


def test_the_example_clip() -> None:
    assert CLIP.stat().st_size < 1_500_000
    with VideoReader(CLIP) as reader:
        frames = list(reader)
        info = reader.info
        assert not reader.warnings()
    assert (info.width, info.height, info.frame_rate, info.duration) == (640, 360, 24, Fraction(4))
    assert [stream.codec for stream in info.streams] == ["aac"]
    assert [frame.pts * info.time_base for frame in frames] == [Fraction(k, 24) for k in range(96)]
    steps = [np.abs(two.rgb.astype(int) - one.rgb).mean() for one, two in pairwise(frames[50:70])]
    assert int(np.argmax(steps)) == 9  # the cut lies between frames 59 and 60
