"""Batches drawn ahead by worker processes, and a rate that falls by the clock."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from neurcodec.training.feed import drawn_ahead
from neurcodec.training.generator import GeneratorConfig
from neurcodec.training.loop import Schedule, Trainer
from neurcodec.training.sampler import Batch
from tests.test_training import sampler_of


def tensors(batch: Batch) -> list[torch.Tensor]:
    *known, extensions = batch.condition
    told = [*(part for part in known if part is not None), *extensions.values()]
    return [batch.source, batch.coarse, batch.features, batch.motion, *told]


def test_a_batch_is_the_same_drawn_on_the_host_or_onto_a_device(tmp_path: Path) -> None:
    cpu = torch.device("cpu")
    drawn, there = sampler_of(tmp_path).draw(2, 3, 160), sampler_of(tmp_path).batch(2, 3, 160, cpu)
    assert drawn.source.dtype == torch.uint8 and there.source.dtype == torch.float32
    assert there.source.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(drawn.source, (there.source * 255).round().to(torch.uint8))
    for one, other in zip(tensors(drawn.to(cpu)), tensors(there), strict=True):
        assert torch.equal(one, other)


def test_workers_draw_ahead_and_each_its_own(tmp_path: Path) -> None:
    ahead = drawn_ahead(sampler_of(tmp_path), 1, 2, 160, workers=2, pinned=False)
    first, second = next(ahead), next(ahead)
    assert first.source.shape == (2, 3, 160, 160) and first.source.dtype == torch.uint8
    assert not torch.equal(first.source, second.source)
    again = next(drawn_ahead(sampler_of(tmp_path), 1, 2, 160, workers=1, pinned=False))
    for one, other in zip(tensors(first), tensors(again), strict=True):
        assert torch.equal(one, other)


def test_a_rate_that_falls_by_the_clock_ends_with_the_minutes() -> None:
    schedule = Schedule(10**9, 1.0, decay=0.5, by_clock=True)
    rates = [schedule.rate(5000, spent) for spent in (0.0, 0.5, 0.75, 1.0)]
    assert rates == pytest.approx([1.0, 1.0, 0.5, 0.03])
    assert Schedule(10, 1.0).rate(500, 0.5) == Schedule(10, 1.0).rate(500) == 0.03


def test_the_log_has_the_share_of_the_peak_where_it_is_known(tmp_path: Path) -> None:
    layer = nn.Linear(4, 4)
    for peak in (0.0, 1e-9):
        trainer = Trainer(layer, tmp_path / str(peak), Schedule(2, 1e-4))
        trainer.peak_seconds = peak
        trainer.run(lambda step: (layer(torch.ones(1, 4)).mean(), {}), report_every=2)
        line = json.loads((tmp_path / str(peak) / "log.jsonl").read_text())
        assert ("of_peak" in line) == bool(peak) and line["step"] == 2


def test_flop_are_two_for_each_multiplication_and_addition() -> None:
    with FlopCounterMode(display=False) as counter:
        nn.Conv2d(8, 8, 3, padding=1)(torch.ones(1, 8, 10, 10))
    assert counter.get_total_flops() == 2 * 8 * 8 * 9 * 100


def test_by_default_nothing_is_drawn_ahead_and_nothing_counted() -> None:
    config = GeneratorConfig()
    assert (config.workers, config.by_clock, config.peak, config.checkpoint_minutes) == (0, 0, 0.0, 10.0)
