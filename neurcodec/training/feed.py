"""Batches drawn ahead of time by worker processes, so that a card does not wait for them."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from neurcodec.training.sampler import Batch, PairSampler


class Draws(IterableDataset[Batch]):
    """An endless row of batches (clips * frames pictures) of a sampler; each worker process draws its own."""

    def __init__(self, sampler: PairSampler, clips: int, frames: int, size: int) -> None:
        self.sampler, self.shape = sampler, (clips, frames, size)

    def __iter__(self) -> Iterator[Batch]:
        """Batches as they are drawn, pictures uint8; workers start from random numbers of their own."""
        if (worker := get_worker_info()) is not None:
            cv2.setNumThreads(1)
            self.sampler.random = np.random.default_rng((self.sampler.seed, worker.id))
        while True:
            yield self.sampler.draw(*self.shape)


def drawn_ahead(
    sampler: PairSampler, clips: int, frames: int, size: int, workers: int, pinned: bool
) -> Iterator[Batch]:
    """Batches in turn from each of `workers` processes, which hold two of them ready; pinned: for copies to a card.

    The processes are spawned: a fork would inherit locks of OpenCV's threads and of the card.
    """
    draws = Draws(sampler, clips, frames, size)
    return iter(DataLoader(
        draws, batch_size=None, num_workers=workers, prefetch_factor=2, pin_memory=pinned,
        multiprocessing_context="spawn",
    ))  # fmt: skip
