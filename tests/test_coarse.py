"""The encoder's estimates: what errors in blocks are worth, what vectors cost; and the size of coded motion."""

from __future__ import annotations

import numpy as np

from neurcodec.coarse.motion_search import search_backbone, vector_bits
from neurcodec.coarse.worth import AFTER, block_worths, scattered
from neurcodec.container import FrameType
from neurcodec.entropy.motion import MotionCoder
from neurcodec.entropy.rangecoder import Encoder


def textured(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(0, 255, (8, 12)).astype(np.float32)
    return noise.repeat(8, 0).repeat(8, 1)


def test_a_still_block_is_worth_all_frames_that_show_it() -> None:
    still = [textured(1)] * 4
    worths = block_worths(still, [3, 3, 3], 50.0)
    assert np.allclose(worths[0], 10 + AFTER)
    assert np.allclose(worths[-1], 2 + AFTER)


def test_a_block_that_nothing_refers_to_is_worth_its_own_frames() -> None:
    changing = [textured(seed) for seed in range(3)]
    assert np.all(block_worths(changing, [1, 1], 1.0)[0] < 1.5)


def test_what_is_scattered_is_kept() -> None:
    random = np.random.default_rng(2)
    worth = random.uniform(1, 9, (5, 7))
    field = random.integers(-300, 300, (2, 5, 7))
    assert np.isclose(scattered(worth, field).sum(), worth.sum())
    right = scattered(worth, np.stack([np.full((5, 7), 64), np.zeros((5, 7), np.int64)]))
    assert np.allclose(right[:, 1:-1], worth[:, :-2])


def test_vectors_that_agree_are_nearly_free() -> None:
    field = np.full((2, 3, 3), 12, dtype=np.int64)
    around = np.repeat(field[:, None], 5, 1)
    assert vector_bits(field, around).max() < 0.2
    assert vector_bits(field + 40, around).min() > 8


def test_the_search_finds_a_moved_picture() -> None:
    before = np.kron(np.random.default_rng(3).uniform(0, 255, (40, 48)), np.ones((4, 4))).astype(np.float32)
    after = np.roll(before, (-5, 8), (0, 1))[16:144, 16:176]
    field = search_backbone(after, before[16:144, 16:176], np.zeros((2, 8, 10), np.int64), 20.0)
    inner = field[:, 1:-1, 1:-1].reshape(2, -1)
    assert np.median(inner, 1).tolist() == [-32, 20]


def test_repeated_motion_takes_few_bytes() -> None:
    """Twenty fields of 400 vectors: still ones cost under 0.05 bits a vector, random ones that repeat under 0.5."""
    random = np.random.default_rng(4)
    field = random.integers(-60, 60, (2, 20, 20))
    encoder = Encoder()
    coder, place = MotionCoder(encoder), np.zeros_like(field)
    for _ in range(20):
        given = np.zeros((20, 20), np.int64), field
        coder.code(FrameType.P, place, place, given)
        place = field
    first = 400 * 2 * 7 / 8
    assert len(encoder.finish()) < 1.3 * first + 20 * 400 * 0.5 / 8
    still = Encoder()
    coder = MotionCoder(still)
    for _ in range(20):
        coder.code(FrameType.P, 0 * field, 0 * field, (np.zeros((20, 20), np.int64), 0 * field))
    assert len(still.finish()) < 20 * 400 * 0.05 / 8
