"""Headless Chromium through chromedriver, by the W3C WebDriver protocol."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
)  # fmt: skip
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Left": "\ue012", "Up": "\ue013", "Right": "\ue014", "Down": "\ue015", "Home": "\ue011", "End": "\ue010"}
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def call(method: str, url: str, body: dict[str, Any] | None = None) -> Any:
    """One command; its value. RuntimeError with the driver's message when it fails."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with OPENER.open(request, timeout=60) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise RuntimeError(json.load(error)["value"]["message"]) from error


class Browser:
    """One browser window."""

    def __init__(self, session: str) -> None:
        self.session = session

    def open(self, page: Path) -> None:
        """Load a file, and forget what was logged before."""
        self.logs("browser"), self.logs("performance")
        call("POST", f"{self.session}/url", {"url": page.resolve().as_uri()})

    def run(self, script: str, *arguments: object) -> Any:
        """The value that a JavaScript function body returns."""
        return call("POST", f"{self.session}/execute/sync", {"script": script, "args": list(arguments)})

    def size(self, width: int, height: int, touch: bool = False) -> None:
        """The size of the page's area, as of a desktop or of a phone."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2 if touch else 1, "mobile": touch}
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)
        self.settle()

    def settle(self) -> None:
        """Wait until the page is laid out and its observers have run: two frames."""
        script = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()));"
        call("POST", f"{self.session}/execute/async", {"script": script, "args": []})

    def scheme(self, name: str) -> None:
        """`light` or `dark`."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.devtools("Emulation.setEmulatedMedia", {"features": features})

    def devtools(self, command: str, parameters: dict[str, Any]) -> Any:
        """One command of Chromium's DevTools protocol."""
        return call("POST", f"{self.session}/goog/cdp/execute", {"cmd": command, "params": parameters})

    def box(self, selector: str) -> dict[str, float]:
        """Where the first element stands in the window, scrolled into view: `x`, `y`, `width`, `height`."""
        script = "const e = document.querySelector(arguments[0]); e.scrollIntoView({block: 'center'});" \
                 "return e.getBoundingClientRect().toJSON()"  # fmt: skip
        return self.run(script, selector)

    def pointer(self, *steps: tuple[float, float] | str, kind: str = "mouse") -> None:
        """Move to each (x, y) of the window; "down" and "up" press and release the button."""
        actions: list[dict[str, Any]] = []
        for step in steps:
            if isinstance(step, str):
                actions.append({"type": f"pointer{step.title()}", "button": 0})
            else:
                actions.append({"type": "pointerMove", "duration": 20, "x": round(step[0]), "y": round(step[1])})
        source = {"type": "pointer", "id": kind, "parameters": {"pointerType": kind}, "actions": actions}
        call("POST", f"{self.session}/actions", {"actions": [source]})

    def keys(self, *steps: tuple[str, str]) -> None:
        """("down" or "up", key) each; a key is a character or one of KEYS."""
        actions = [{"type": f"key{step.title()}", "value": KEYS.get(key, key)} for step, key in steps]
        call("POST", f"{self.session}/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def press(self, key: str) -> None:
        """Press and release one key."""
        self.keys(("down", key), ("up", key))

    def click(self, selector: str) -> None:
        """Click into the middle of an element."""
        box = self.box(selector)
        self.pointer((box["x"] + box["width"] / 2, box["y"] + box["height"] / 2), "down", "up")

    def logs(self, kind: str) -> list[dict[str, Any]]:
        """What was logged since the last call: `browser` (console) or `performance` (network and more)."""
        return call("POST", f"{self.session}/se/log", {"type": kind})

    def requests(self) -> list[str]:
        """Addresses that were asked for since the page was opened, data URIs left out."""
        events = [json.loads(entry["message"])["message"] for entry in self.logs("performance")]
        urls = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return [url for url in urls if not url.startswith("data:")]

    def screenshot(self) -> bytes:
        """What the window shows, a PNG file."""
        return base64.b64decode(call("GET", f"{self.session}/screenshot"))

    def picture(self) -> np.ndarray:
        """What the window shows, RGB uint8 (H, W, 3)."""
        picture = cv2.imdecode(np.frombuffer(self.screenshot(), np.uint8), cv2.IMREAD_COLOR)
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


@contextmanager
def browser(driver: str, profile: Path, flags: Sequence[str] = ()) -> Iterator[Browser]:
    """Start chromedriver and a browser with a new `profile` folder; both end with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{port}/status")
        options = {"args": [*FLAGS, f"--user-data-dir={profile}", *flags]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        body = {"capabilities": {"alwaysMatch": {"browserName": "chrome", **wanted}}}
        session = call("POST", f"http://127.0.0.1:{port}/session", body)["sessionId"]
        url = f"http://127.0.0.1:{port}/session/{session}"
        try:
            yield Browser(url)
        finally:
            call("DELETE", url)
    finally:
        process.terminate()
        process.wait(20)


def _wait(url: str) -> None:
    for _ in range(200):
        try:
            if call("GET", url)["ready"]:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise RuntimeError("chromedriver did not start")
