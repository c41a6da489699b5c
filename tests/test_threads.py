"""The bounded queues between the reader, the networks and the writer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from neurcodec.jobs.threads import Sink, prefetch


def failing(count: int) -> Iterator[int]:
    yield from range(count)
    raise ValueError("source broke")


def helpers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("neurcodec")]


def test_prefetch_keeps_order_and_ends() -> None:
    assert list(prefetch(range(100), 3)) == list(range(100))
    assert not helpers()


def test_prefetch_passes_the_error_on_after_the_good_items() -> None:
    got = []
    with pytest.raises(ValueError, match="source broke"):
        for item in prefetch(failing(5), 2):
            got.append(item)
    assert got == list(range(5))
    assert not helpers()


def test_prefetch_runs_ahead_by_its_depth_only() -> None:
    made = []

    def source() -> Iterator[int]:
        for i in range(50):
            made.append(i)
            yield i

    with closing(prefetch(source(), 4)) as items:
        next(items)
        time.sleep(0.3)
        assert 5 <= len(made) <= 6  # the one taken, four waiting, one in hand
    assert not helpers()


def test_sink_consumes_in_order_and_raises_at_the_end() -> None:
    got: list[int] = []
    with Sink(got.append, 2) as sink:
        for i in range(50):
            sink.put(i)
    assert got == list(range(50))

    def consume(item: int) -> None:
        if item == 3:
            raise ValueError("target broke")

    with pytest.raises(ValueError, match="target broke"), Sink(consume, 1) as sink:
        for i in range(50):
            sink.put(i)
    assert not helpers()


def test_sink_drops_what_waits_when_the_block_raises() -> None:
    got: list[int] = []

    def slow(item: int) -> None:
        time.sleep(0.05)
        got.append(item)

    with pytest.raises(KeyboardInterrupt), Sink(slow, 20) as sink:
        for i in range(20):
            sink.put(i)
        raise KeyboardInterrupt
    assert len(got) < 5
    assert not helpers()
