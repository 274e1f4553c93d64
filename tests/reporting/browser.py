"""Real Chromium for the tests of pages: opened, resized, clicked, looked at."""

import base64
import fcntl
import io
import json
import os
import select
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

CHROMIUM = next(
    (path for name in ("chromium", "google-chrome", "chrome") if (path := shutil.which(name))), ""
)
Pixels = NDArray[np.int16]


class Browser:
    """Headless Chromium over two pipes (DevTools protocol): no driver and no socket is needed."""

    FLAGS = (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"),
        *("--no-first-run", "--disable-extensions", "--disable-background-networking"),
        *("--disable-breakpad", "--hide-scrollbars", "--window-size=1100,900"),
    )

    def __init__(self, profile: Path, *more: str) -> None:
        commands, self._send = os.pipe()
        self._receive, answers = os.pipe()
        null = os.open(os.devnull, os.O_RDWR)
        # Chromium reads from 3 and writes to 4; sources are moved out of the way of these first.
        sources = [fcntl.fcntl(source, fcntl.F_DUPFD, 20) for source in (null, null, null, commands, answers)]
        actions = [(os.POSIX_SPAWN_DUP2, source, target) for target, source in enumerate(sources)]
        arguments = [CHROMIUM, *self.FLAGS, f"--user-data-dir={profile}", "--remote-debugging-pipe", *more]
        environment = {**os.environ, "HOME": str(profile)}
        self._pid = os.posix_spawn(CHROMIUM, arguments, environment, file_actions=actions, setsid=True)
        for descriptor in (null, commands, answers, *sources):
            os.close(descriptor)
        self._count, self._buffer, self._session = 0, b"", None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._count:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def _next(self, seconds: float = 60) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            assert select.select([self._receive], [], [], seconds)[0], "Chromium does not answer"
            part = os.read(self._receive, 1 << 20)
            assert part, "Chromium has ended"
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(line)

    def open(self, page: Path) -> None:
        self.call("Page.navigate", url=page.as_uri())
        self.until("document.readyState === 'complete' && location.protocol === 'file:'")

    def value(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def answer(self, promise: str) -> Any:
        """What a promise comes to."""
        found = self.call("Runtime.evaluate", expression=promise, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not self.value(expression):
            assert time.monotonic() < end, expression
            time.sleep(0.05)

    def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        """The window of a phone or a screen, in light or dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def press(self, key: str, code: int = 0) -> None:
        """A key, pressed and released."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text
            )

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.mouse("mousePressed", *start, button="left", buttons=1, clickCount=1)
        for share in (0.25, 0.5, 0.75, 1.0):
            x, y = (a + share * (b - a) for a, b in zip(start, end, strict=True))
            self.mouse("mouseMoved", x, y, button="left", buttons=1)
        self.mouse("mouseReleased", *end, button="left", clickCount=1)

    def click(self, selector: str) -> None:
        x, y, width, height = self.box(selector)
        at = (x + width / 2, y + height / 2)
        self.mouse("mousePressed", *at, button="left", buttons=1, clickCount=1)
        self.mouse("mouseReleased", *at, button="left", clickCount=1)

    def box(self, selector: str) -> tuple[float, ...]:
        return tuple(
            self.value(
                f"(b => [b.x, b.y, b.width, b.height])(document.querySelector({json.dumps(selector)})"
                ".getBoundingClientRect())"
            )
        )

    def stage(self) -> Pixels:
        """RGB of the stage as it is seen."""
        # Two frames: one for what was asked for, one to be shown.
        self.call(
            "Runtime.evaluate",
            expression="new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))",
            awaitPromise=True,
        )
        x, y, width, height = self.box(".v3d-stage")
        clip = {"x": x, "y": y, "width": width, "height": height, "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", clip=clip)["data"]
        return np.asarray(Picture.open(io.BytesIO(base64.b64decode(shot))).convert("RGB"), np.int16)

    def close(self) -> None:
        os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._send)
        os.close(self._receive)
