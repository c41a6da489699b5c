"""The pages in headless Chromium: no error, no request, and what pointer and keys do (`make test-browser`)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torchmetrics")
pytest.importorskip("bjontegaard")

from conftest import Run, scene
from page_samples import COLOURS, HOSTILE, SIZE, report, scenes
from webdriver import Browser, browser

from neurcodec.evaluation import clips, page, report_page

DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(DRIVER is None, reason="no chromedriver on PATH; `make test-browser` says how to get it"),
]
STAGE = ".stage"
HANDLE = ".stage .handle"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(str(DRIVER), tmp_path_factory.mktemp("profile")) as window:
        yield window


@pytest.fixture(scope="module")
def report_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("page") / "report.html"
    target.write_text(report_page.build(report(), page.encode_scenes(scenes(), 100_000)), "utf-8")
    return target


@pytest.fixture
def opened(chromium: Browser, report_file: Path) -> Iterator[Browser]:
    """The report in a window of a desktop's size; when the test is over the console must be empty."""
    chromium.size(1000, 800)
    chromium.open(report_file)
    yield chromium
    assert chromium.logs("browser") == []
    assert chromium.requests() == [report_file.as_uri()]


def colour_at(window: Browser, x: float, y: float) -> str:
    """The version whose colour the window shows there; at the second frame its name with a 2."""
    shown = window.picture()[round(y), round(x)].tolist()
    near = {f"{name}{2 if divisor == 2 else ''}": sum(abs(a - b // divisor) for a, b in zip(shown, colour, strict=True))
            for name, colour in COLOURS.items() for divisor in (1, 2)}  # fmt: skip
    return min(near, key=lambda name: near[name])


def sides(window: Browser, share: float) -> tuple[str, str]:
    """What the stage shows just left and just right of this share of its width."""
    box = window.box(STAGE)
    edge, y = box["x"] + share * box["width"], box["y"] + 0.45 * box["height"]
    return colour_at(window, edge - 8, y), colour_at(window, edge + 8, y)


def select(window: Browser, section: str, label: str, text: str) -> None:
    """Choose an entry of a section's picker by its label and text, as a user's choice is told to the page."""
    script = """const boxes = [...document.querySelectorAll(arguments[2] + ' .picker')];
        const list = boxes.find(box => box.firstChild.textContent === arguments[0]).querySelector('select');
        list.value = [...list.options].find(option => option.text === arguments[1]).value;
        list.dispatchEvent(new Event('change'));"""
    window.run(script, label, text, section)


def text(window: Browser, selector: str) -> str:
    return str(window.run("return document.querySelector(arguments[0]).innerText", selector))


def test_dragging_the_handle_moves_the_wipe(opened: Browser) -> None:
    assert sides(opened, 0.5) == ("ours", "peer")
    box = opened.box(HANDLE)
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    opened.pointer(middle, "down", (middle[0] - 20, middle[1]), (middle[0] - 40, middle[1]), "up", (0, 0))
    share = 0.5 - 40 / SIZE[1]
    assert sides(opened, share) == ("ours", "peer") and sides(opened, 0.5) == ("peer", "peer")
    assert opened.run("return document.querySelector('.handle').ariaValueNow") == str(round(100 * share))
    opened.press("Right")
    assert sides(opened, share + 0.02) == ("ours", "peer")
    opened.press("End")
    assert sides(opened, 0.9) == ("ours", "ours")


def test_holding_f_or_pressing_flip_swaps_the_two(opened: Browser) -> None:
    opened.run("document.querySelector('.wipes select').focus()")
    opened.keys(("down", "f"))
    assert sides(opened, 0.5) == ("peer", "ours")
    assert "peer" in text(opened, ".caption.left") and "\u22122.9 %" in text(opened, ".caption.right")
    opened.keys(("up", "f"))
    assert sides(opened, 0.5) == ("ours", "peer")
    assert "1,000 bytes" in text(opened, ".caption.left") and "+3.0 %" in text(opened, ".caption.right")
    opened.run("document.querySelector('button[title=\"hold F\"]').click()")
    assert sides(opened, 0.5) == ("peer", "ours")


def test_any_two_versions_any_frame_any_clip(opened: Browser) -> None:
    select(opened, ".wipes", "Left", "source")
    assert sides(opened, 0.5) == ("source", "peer") and "bytes" not in text(opened, ".caption.left")
    opened.click(".choice[aria-label=Frame] button:nth-of-type(2)")
    assert sides(opened, 0.5) == ("source2", "peer2")
    select(opened, ".wipes", "Clip", HOSTILE)
    assert sides(opened, 0.5) == ("source2", "peer2")


def test_zoomed_pictures_are_dragged_together(opened: Browser) -> None:
    opened.click(".choice[aria-label=Zoom] button:nth-of-type(3)")
    opened.size(500, 800)
    box = opened.box(STAGE)
    assert (box["width"], box["height"]) == (480, 4 * SIZE[0])
    script = "return [...document.querySelectorAll('.stage img')].map(i => [i.getBoundingClientRect().x, " \
             "i.getBoundingClientRect().width, getComputedStyle(i).imageRendering])"  # fmt: skip
    before = opened.run(script)
    start = (box["x"] + 100, box["y"] + 100)
    opened.pointer(start, "down", (start[0] + 30, start[1]), "up", (0, 0))
    after = opened.run(script)
    assert before[0] == before[1] and after[0] == after[1] and after[0][1:] == [4 * SIZE[1], "pixelated"]
    assert after[0][0] == before[0][0] + 30
    assert sides(opened, 0.5) == ("ours", "peer")  # the handle stays where it was


@pytest.mark.parametrize("kind", ["mouse", "touch"])
def test_values_under_the_pointer(opened: Browser, kind: str) -> None:
    script = """const marks = document.querySelector('figure .curve.c0').querySelectorAll('path');
        marks[2].scrollIntoView({block: 'center'});
        const box = marks[2].getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2];"""
    x, y = opened.run(script)
    opened.pointer((x + 2, y - 2), *(("down", "up") if kind == "touch" else ()), kind=kind)
    assert text(opened, ".tip.shown").split("\n") == ["ours", "setting 16", "0.008 bpp, 4,000 bytes", "vmaf 68"]
    opened.run("document.querySelector('figure svg').focus()")
    opened.press("Right")
    assert "setting 24" in text(opened, ".tip.shown")


def test_metric_clip_and_legend_redraw(opened: Browser) -> None:
    assert "VMAF, higher is better (judge)" in text(opened, ".plot-title")
    drawn = "return [...document.querySelectorAll('figure')].map(f => f.querySelectorAll('.curve path').length)"
    assert opened.run(drawn) == [14, 14]
    before = opened.run("return document.querySelector('figure polyline').getAttribute('points')")
    select(opened, ".plots", "Metric", "LPIPS")
    assert "LPIPS, lower is better (loss)" in text(opened, ".plot-title")
    assert opened.run("return document.querySelector('figure polyline').getAttribute('points')") != before
    opened.click(".legend button:nth-of-type(3)")
    assert opened.run(drawn) == [10, 10]
    for index in (1, 2):
        opened.click(f".legend button:nth-of-type({index})")
    assert opened.run(drawn) == [0, 0] and "nothing to show" in text(opened, "figure")
    opened.click(".legend button")
    select(opened, ".plots", "Clip", HOSTILE)
    assert opened.run(drawn) == [5]
    assert text(opened, "figcaption") == HOSTILE


def test_hostile_names_are_text(opened: Browser) -> None:
    assert opened.run("return document.title") == "Scoreboard"
    assert HOSTILE in text(opened, "header")
    assert HOSTILE in opened.run("return [...document.querySelectorAll('.wipes option')].map(o => o.text)")
    assert opened.run("return document.querySelectorAll('img, b > b, script').length") == 4  # two pictures, two scripts


def test_nothing_is_wider_than_a_phone(opened: Browser) -> None:
    opened.size(360, 740, touch=True)
    opened.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert opened.run("return [document.documentElement.scrollWidth, innerWidth]") == [360, 360]
    assert opened.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    opened.scheme("dark")
    assert opened.run("return getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    opened.scheme("light")


def test_page_of_compare(chromium: Browser, tmp_path: Path, ncodec: Run) -> None:
    frames = np.stack(scene(4, (128, 96)))
    names = ("a.nut", "<img src=x>.nut")
    for name, pictures in zip(names, (frames, 255 - frames), strict=True):
        clips.write_lossless(tmp_path / name, pictures, Fraction(25))
    target = tmp_path / "o.html"
    done = ncodec("compare", tmp_path / names[0], tmp_path / names[1], "--out", target, "--weights", tmp_path)
    assert done.returncode == 0, done.stderr
    chromium.size(1000, 800)
    chromium.open(target)
    assert text(chromium, "h1") == f"{names[0]} and {names[1]}"
    assert text(chromium, ".caption.right").startswith(names[1]) and "PSNR" in text(chromium, ".caption.right")
    assert text(chromium, ".choice[aria-label=Frame]").split() == ["Frame", *"0123"]
    chromium.click(".choice[aria-label=Frame] button:nth-of-type(3)")
    box = chromium.box(STAGE)
    for x, expected in ((20, frames[2]), (110, 255 - frames[2])):
        shown = chromium.picture()[round(box["y"]) + 60, round(box["x"]) + x]
        assert np.abs(shown.astype(int) - expected[60, x]).max() <= 2
    assert chromium.logs("browser") == [] and chromium.requests() == [target.as_uri()]
