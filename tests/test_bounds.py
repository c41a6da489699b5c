"""What a hostile or damaged file can cost: memory and time of the commands, and chunks of a minute of video."""

from __future__ import annotations

import io
import random
import resource
import time
import tracemalloc
from pathlib import Path

import container_samples as samples
import pytest
from test_container_damage import hostile

from neurcodec.container import Gop, Packet, Reader
from neurcodec.errors import DamageError, FormatError, LimitError, ModelError
from neurcodec.jobs.decode import decode_file
from neurcodec.jobs.inspection import describe, verify_file
from neurcodec.jobs.options import DecodeOptions

DOCUMENTED = (FormatError, DamageError, LimitError, ModelError)


def decode(path: Path) -> None:
    decode_file(path, path.with_suffix(".mkv"), DecodeOptions(device="cpu", threads=1))


def salvage(path: Path) -> None:
    decode_file(path, path.with_suffix(".mkv"), DecodeOptions(device="cpu", threads=1, salvage=True))


@pytest.mark.parametrize("command", [describe, verify_file, decode, salvage])
def test_a_file_of_100_bytes_costs_little(command: object, tmp_path: Path) -> None:
    path = tmp_path / "in.nvc"
    for number, data in enumerate(hostile()):
        path.write_bytes(data)
        tracemalloc.start()
        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        with pytest.raises(DOCUMENTED):
            command(path)  # type: ignore[operator]
        assert time.process_time() - start < 1, number
        assert tracemalloc.get_traced_memory()[1] < 64 << 20, number
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10, number
        tracemalloc.stop()


def test_k_flipped_bytes_cost_at_most_k_chunks_of_a_minute() -> None:
    items: list[Gop | tuple[Packet, ...]] = []
    for number in range(12):
        items += [samples.gop(150 * number, 150, 1500), samples.audio(1000 * number, 234)]
    data = samples.write(items, streams=[samples.AUDIO])
    whole = [item for item in Reader(io.BytesIO(data)) if isinstance(item, Gop)]
    assert (whole[-1].pts[-1] + 1001) * samples.HEADER.time_base > 60
    chance = random.Random(3)
    for _ in range(150):
        flips = chance.randint(1, 8)
        damaged = bytearray(data)
        for place in chance.sample(range(len(data)), flips):
            damaged[place] ^= chance.randint(1, 255)
        with Reader(io.BytesIO(bytes(damaged)), salvage=True) as reader:
            kept = list(reader.gops())
            lost = sum(gap.frames or 0 for gap in reader.gaps)
        assert all(gop in whole for gop in kept)
        assert len(whole) - len(kept) <= flips
        assert lost == 150 * (len(whole) - len(kept)) or reader.gaps[-1].frames is None
