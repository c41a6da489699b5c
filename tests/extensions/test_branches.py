"""The generator's branches for captions and sketches, and what training gives them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurcodec.coarse.codec import CoarseFrame
from neurcodec.container import FrameType
from neurcodec.entropy.conditioning import Conditioning
from neurcodec.errors import InputError
from neurcodec.extensions.caption.branch import TEXT_BYTES, tokenize
from neurcodec.extensions.sketch.branch import fill
from neurcodec.generator.condition import Condition, FrameKind
from neurcodec.generator.model import Generator
from neurcodec.generator.restore import restore
from neurcodec.training.captions import Extensions, table_captions, write_captions

BOTH = ["caption", "sketch"]
SMALL: Any = {"channels": 8, "layers": 3, "feature_channels": 8, "token_channels": 8, "embedding": 16, "heads": 2}


@pytest.fixture
def pair() -> tuple[Generator, Generator]:
    """A generator without the branches, and one with them and otherwise the same weights."""
    torch.manual_seed(3)
    old, new = Generator(**SMALL).eval(), Generator(**SMALL, extensions=BOTH).eval()
    with torch.no_grad():
        for parameter in [*old.parameters(), *new.parameters()]:
            parameter.normal_(0, 0.2)
    new.load_state_dict(old.state_dict(), strict=False)
    return old, new


def chunk(count: int) -> list[CoarseFrame]:
    rng = torch.Generator().manual_seed(1)
    return [
        CoarseFrame(FrameType.I, torch.rand(1, 3, 48, 64, generator=rng), torch.rand(1, 8, 6, 8, generator=rng))
        for _ in range(count)
    ]


def restored(generator: Generator, caption: str = "", sketch: np.ndarray | None = None) -> np.ndarray:
    told: dict[str, object] = {"caption": caption} if caption else {}
    told |= {} if sketch is None else {"sketch": sketch}
    return np.stack(list(restore(generator, chunk(6), 20, 41, 57, conditioning=Conditioning(extensions=told))))


def test_without_conditions_nothing_changes(pair: tuple[Generator, Generator]) -> None:
    old, new = pair
    assert np.array_equal(restored(old), restored(new))


def test_weights_without_branches_ignore_conditions(pair: tuple[Generator, Generator]) -> None:
    old, _ = pair
    assert np.array_equal(restored(old), restored(old, "a dog", np.ones((6, 8), dtype=bool)))


def test_conditions_matter(pair: tuple[Generator, Generator]) -> None:
    _, new = pair
    plain, edges = restored(new), np.zeros((6, 8), dtype=bool)
    assert not np.array_equal(plain, restored(new, "a dog"))
    assert not np.array_equal(restored(new, "a cat"), restored(new, "a dog"))
    blank = restored(new, sketch=edges)
    edges[2, 3] = True
    assert not np.array_equal(plain, blank) and not np.array_equal(blank, restored(new, sketch=edges))


def test_fresh_branches_start_without_effect(pair: tuple[Generator, Generator]) -> None:
    old, _ = pair
    fresh = Generator(**SMALL, extensions=BOTH).eval()
    fresh.load_state_dict(old.state_dict(), strict=False)
    assert np.array_equal(restored(old), restored(fresh, sketch=np.ones((6, 8), dtype=bool)))


def test_a_group_reads_its_own_caption(pair: tuple[Generator, Generator]) -> None:
    _, new = pair
    n = 4
    coarse, noise = torch.rand(n, 3, 32, 32), torch.rand(n, 3, 32, 32)
    condition = Condition(torch.full((n,), int(FrameKind.BASE)), torch.full((n,), 9.0), torch.ones(n))

    def run(captions: list[str]) -> torch.Tensor:
        given = condition._replace(extensions={"caption": tokenize(captions)})
        with torch.no_grad():
            x0: torch.Tensor = new(coarse, noise, torch.full((n,), 999), given, torch.rand(n, 8, 4, 4) * 0, 2)[0]
        return x0

    first, second = run(["a dog", ""]), run(["a dog", "snow"])
    assert torch.equal(first[:2], second[:2]) and not torch.equal(first[2:], second[2:])


def test_old_folders_load_and_new_ones_keep_their_branches(pair: tuple[Generator, Generator], tmp_path: Path) -> None:
    old, new = pair
    for name, generator in (("old", old), ("new", new)):
        generator.save(tmp_path / name, torch.float32)
    config = json.loads((tmp_path / "old" / "config.json").read_text())
    del config["extensions"]
    (tmp_path / "old" / "config.json").write_text(json.dumps(config))
    for name, generator in (("old", old), ("new", new)):
        back = Generator.load(tmp_path / name)
        assert np.array_equal(restored(back, "x"), restored(generator, "x"))


def test_tokens() -> None:
    rows = tokenize(["Ab\u00e9", "", "x" * 500])
    assert rows.shape == (3, TEXT_BYTES)
    assert rows[0, :5].tolist() == [98, 99, 1 + 0xC3, 1 + 0xA9, 0] and not rows[1].any() and rows[2].all()


def test_a_sketch_fades() -> None:
    filled = fill(torch.tensor([[[True, False]]]).expand(2, -1, -1), torch.tensor([0, 16]))
    assert filled[:, 0, 0].tolist() == [[1, -1], [0.5, -0.5]]


TABLE = """# Sources
| file | what it shows |
|---|---|
| lost.mp4 | above any heading |
## clips/ (2)
| file | origin | what it shows |
|---|---|---|
| dog_1.mp4 | a : b | dog in a park; audio - looks like stock |
| none.mp4 | a : b | - |
## photos/
| file | origin |
|---|---|
| x.jpg | a |
"""


def test_captions_of_a_table(tmp_path: Path) -> None:
    assert dict(table_captions(TABLE))["clips-dog_1"] == "dog in a park"
    (tmp_path / "SOURCES.md").write_text(TABLE, encoding="utf-8")
    (tmp_path / "clips").mkdir()
    assert write_captions([tmp_path / "clips"], tmp_path / "runs" / "captions.json") == 1
    side = Extensions.load(tmp_path / "runs" / "captions.json", 1.0, 1.0)
    random = np.random.default_rng(0)
    assert side.caption(random, "/runs/pairs/clips-dog_1.npy") == "dog in a park"
    assert side.caption(random, "clips-other.npy") == ""
    with pytest.raises(InputError, match=r"SOURCES\.md"):
        write_captions([tmp_path / "clips" / ".."], tmp_path / "x.json")


def test_training_sketches_are_the_edges_of_the_first_frame_and_fade() -> None:
    frames = np.zeros((3, 32, 48, 3), np.uint8)
    frames[:, :, 20:] = 255
    random = np.random.default_rng(0)
    given = Extensions({}, 0, 1.0).sketch(random, frames)
    assert given.shape == (3, 1, 4, 6)
    assert (given[0, 0, :, 2] > 0).all() and (given[0, 0, :, [0, 1, 3, 4, 5]] < 0).all()
    assert given[1].abs().max() < given[0].abs().max() <= 1
    assert not Extensions({}, 0, 0.0).sketch(random, frames).any()
