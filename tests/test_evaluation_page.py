"""The page as data: what stands in it, that names cannot break out of it, and that pictures keep to their budget."""

from __future__ import annotations

import base64
import hashlib
import re

import numpy as np
import pytest

pytest.importorskip("torchmetrics")
pytest.importorskip("bjontegaard")

from conftest import scene
from page_samples import COLOURS, HOSTILE, data_of, pixels, report, scenes

from neurcodec.evaluation import page, report_page

EMPTY: page.Page = {"notes": [], "tables": [], "plots": [], "wipes": []}


def test_names_cannot_leave_the_data() -> None:
    text = page.render(HOSTILE, EMPTY)
    assert data_of(text) == {"title": HOSTILE, **EMPTY}
    assert text.count("</script>") == page.render("", EMPTY).count("</script>")
    assert "<img" not in text and "<!--" not in text
    page.render("\udcff", EMPTY).encode()  # a file name that is no UTF-8


def test_the_policy_admits_just_these_scripts_and_styles() -> None:
    text = page.render("x", EMPTY)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None and "default-src 'none'" in policy[1]
    for tag in ("script", "style"):
        bodies = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert len(bodies) == 1
        digest = base64.b64encode(hashlib.sha256(bodies[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy[1]
    assert not re.search(r"\{\{[a-z-]+\}\}", text)
    assert not re.search(r"https?://(?!www\.w3\.org/)", text)


def test_a_number_that_json_has_not_is_refused() -> None:
    curve: page.PlotCurve = {"name": "ours", "points": [], "hull": [[0.01, float("nan")]]}
    shown: page.ClipPlot = {"clip": "one", "curves": [curve]}
    plot: page.Plot = {"metric": "m", "title": "", "unit": "", "higher": True, "clips": [shown]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        page.render("x", {**EMPTY, "plots": [plot]})


def test_pictures_keep_to_their_budget() -> None:
    pictures = scene(2, (160, 96))
    uris, quality = page.encode_within(pictures, 10_000_000)
    assert quality == page.LOSSLESS
    assert all(np.array_equal(pixels(uri), picture) for uri, picture in zip(uris, pictures, strict=True))
    full = sum(map(len, uris))
    sizes = [sum(len(page.encode_image(picture, q)) for picture in pictures) for q in page.QUALITIES]
    budget = (sizes[4] + sizes[5]) // 2
    uris, quality = page.encode_within(pictures, budget)
    assert quality == page.QUALITIES[5] and sum(map(len, uris)) == sizes[5] <= budget < full
    errors = [np.abs(pixels(uri).astype(int) - picture).mean() for uri, picture in zip(uris, pictures, strict=True)]
    assert max(errors) < 6
    assert page.encode_within(pictures, 10)[1] == page.QUALITIES[-1]


def test_wipes_hold_every_version_at_every_frame() -> None:
    wipes = page.encode_scenes(scenes(), 1_000_000)
    assert [wipe["clip"] for wipe in wipes] == ["one", HOSTILE]
    for wipe in wipes:
        assert wipe["frames"] == [3, 7] and wipe["pair"] == [1, 2] and wipe["note"].endswith("shown without loss.")
        assert [version["bytes"] for version in wipe["versions"]] == [None, 1000, 1030]
        for version in wipe["versions"]:
            colour = np.array(COLOURS[version["name"]])
            assert [tuple(pixels(uri)[5, 9]) for uri in version["images"]] == [tuple(colour), tuple(colour // 2)]


def test_report_page() -> None:
    data = data_of(report_page.build(report(), []))
    tables = {table["title"]: table for table in data["tables"]}
    assert data["wipes"] == []
    means = tables["BD-rate of ours against"]
    assert means["lead"] and not tables["BD-rate of ours-coarse against"]["lead"]
    assert means["rows"] == [[m, "-12.3 % (1)"] for m in ("vmaf (judge)", "lpips (loss)", "psnr (fidelity)")]
    assert tables["BD-rate per clip, psnr (fidelity)"]["rows"][0] == ["ours / peer", "-12.3 %", "no overlap"]
    equal = tables["Quality of ours at equal bytes"]["rows"][2]
    assert equal == ["psnr (fidelity), higher is better", "3.000 / 2.000 (1)"]
    worth = data["tables"][0]
    assert worth["title"] == "What the generator is worth" and worth["lead"]
    assert worth["rows"][0] == ["VMAF, ours", "judge", "-", "68.000", "67.000"]
    assert tables["Speed and memory"]["rows"] == [["ours", "8.0", "128", "3", "8.0", "128", "3"]]
    for table in data["tables"]:
        assert all(len(row) == len(table["header"]) for row in table["rows"])


def test_report_page_curves() -> None:
    plots = {plot["metric"]: plot for plot in data_of(report_page.build(report(), []))["plots"]}
    assert plots["lpips"]["kind"] == "loss" and not plots["lpips"]["higher"] and plots["psnr"]["kind"] == "fidelity"
    assert [clip["clip"] for clip in plots["psnr"]["clips"]] == ["one", HOSTILE]
    ours, _, peer = plots["lpips"]["clips"][0]["curves"]
    assert ours["points"][1] == {"bpp": 0.004, "bytes": 2000, "value": 0.2, "label": "setting 8"}
    assert ours["hull"] == [[point["bpp"], point["value"]] for point in ours["points"]]  # each is better than the last
    assert len(peer["points"]) == 4 and peer["points"][0]["label"] == "setting 0 at 1/2"
    assert peer["hull"][0] == [0.003, 0.42]


def test_values_that_are_no_numbers_are_left_out() -> None:
    data = report()
    for point, value in zip(data["clips"][0]["points"], (float("nan"), None), strict=False):
        point["metrics"]["vmaf"] = value
    curve = data_of(report_page.build(data, []))["plots"][0]["clips"][0]["curves"][0]
    assert [point["label"] for point in curve["points"]] == ["setting 16", "setting 24", "setting 32"]
