"""Chapter marks, from file to file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from media_clips import make_clip

import neurcodec
from neurcodec.container import Profile
from neurcodec.files.chapters import from_metadata, to_metadata
from neurcodec.media import Chapter

MILLI = Fraction(1, 1000)


def test_chapters_as_metadata() -> None:
    chapters = (
        Chapter(0, 1500, MILLI, {"title": "One"}),
        Chapter(1500, 3600 * 1000 * 100 + 61001, MILLI),
        Chapter(3600 * 1000 * 100 + 61001, 3600 * 1000 * 200, MILLI, {"title": "End = 3"}),
    )
    entries = to_metadata(chapters)
    assert entries["CHAPTER001NAME"] == "One"
    assert entries["CHAPTER003"] == "100:01:01.001"
    assert from_metadata({"title": "A film", **entries}) == ({"title": "A film"}, chapters)
    assert list(to_metadata([Chapter(1, 2, Fraction(1, 3))]).values()) == ["00:00:00.333", "00:00:00.667"]


def test_chapters_without_ends_and_what_is_none() -> None:
    others = {"CHAPTER0001NAME": "y", "CHAPTER003": "soon", "CHAPTER004NAME": "x"}
    rest, chapters = from_metadata({"CHAPTER002": "00:00:02.000", "CHAPTER001": "00:00:01.000", **others})
    assert rest == others
    assert [(chapter.start, chapter.end) for chapter in chapters] == [(1000, 2000), (2000, 2000)]


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_chapters_survive_the_round_trip(suffix: str, tiny_model: Path, tmp_path: Path) -> None:
    given = [
        {"id": 1, "start": 0, "end": 200, "time_base": MILLI, "metadata": {"title": "One"}},
        {"id": 2, "start": 200, "end": 480, "time_base": MILLI, "metadata": {"title": "Two"}},
    ]
    source = make_clip(tmp_path / "in.mkv", chapters=given, metadata={"title": "A film"})
    coded, target, model = tmp_path / "a.nvc", tmp_path / f"out.{suffix}", str(tiny_model)
    neurcodec.encode(source, coded, model=model, profile=Profile.NATIVE)
    neurcodec.decode(coded, target, model=model, diffusion=False)
    with av.open(str(target)) as container:
        chapters = container.chapters()
        found = [(c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"]["title"]) for c in chapters]
        assert container.metadata["title"] == "A film"
        assert not any(key.upper().startswith("CHAPTER") for key in container.metadata)
    assert found == [(0, Fraction(1, 5), "One"), (Fraction(1, 5), Fraction(12, 25), "Two")]
    neurcodec.decode(coded, target, model=model, diffusion=False, frames=(3, None), overwrite=True)
    with av.open(str(target)) as container:
        assert not container.chapters()
