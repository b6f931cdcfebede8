"""A headless Chromium for tests, driven over the DevTools protocol through a pipe: no package but Python's own.

Records console messages, exceptions and requests, so that a test can say that there were none.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
)
PATIENCE = 120  # seconds until an answer that has not come never will; a slow machine is no failure


def executable() -> str | None:
    """The path of a Chromium, where one is installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass
class Tab:
    """One open page, and what it has said and asked for since it was opened."""

    sending: IO[bytes]
    receiving: IO[bytes]
    session: str = ""
    said: list[str] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)
    loaded: int = 0
    _number: int = 0
    _rest: bytes = b""

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """What a method of the protocol answers; raises `RuntimeError` with the browser's words where it refuses."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.sending.write(json.dumps(message).encode() + b"\0")
        self.sending.flush()
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])
            self._note(answer)

    def open(self, path: Path) -> None:
        """Open a file and wait until all of it is there."""
        before = self.loaded
        self.call("Page.navigate", url=path.absolute().as_uri())
        while self.loaded == before:
            self._note(self._next())

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited; raises `RuntimeError` where it throws."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        codes = {"Escape": 27, "Enter": 13, "Tab": 9, "ArrowRight": 39, " ": 32}
        text = {"Enter": {"text": "\r"}, " ": {"text": " "}}.get(key, {})
        for kind in ("keyDown", "keyUp"):
            more = text if kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key], **more)

    def size(self, width: int, height: int, phone: bool = False) -> None:
        """Give the page so many CSS pixels, as a window or as a phone."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def prefer(self, scheme: str) -> None:
        """Let the system prefer light or dark colours."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, path: Path) -> None:
        """Save what is to be seen as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            if not select.select([self.receiving], [], [], PATIENCE)[0]:
                raise RuntimeError(f"the browser has said nothing for {PATIENCE} seconds")
            part = os.read(self.receiving.fileno(), 1 << 16)
            if not part:
                raise RuntimeError("the browser has ended")
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(message))

    def _note(self, event: dict[str, Any]) -> None:
        name, told = event.get("method"), event.get("params", {})
        if name == "Runtime.exceptionThrown":
            self.said.append(json.dumps(told["exceptionDetails"]))
        elif name == "Runtime.consoleAPICalled":
            self.said.append(json.dumps(told["args"]))
        elif name == "Log.entryAdded":
            self.said.append(f"{told['entry']['level']}: {told['entry']['text']}")
        elif name == "Network.requestWillBeSent":
            self.requested.append(told["request"]["url"])
        elif name == "Page.loadEventFired":
            self.loaded += 1


@contextmanager
def opened(folder: Path) -> Iterator[Tab]:
    """A tab of a Chromium that keeps its files in `folder`, until the end of the block."""
    browser = executable()
    assert browser is not None
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses to run as root in its sandbox
    # The browser reads from its descriptor 3 and writes to 4: a Python in between puts them there.
    starter = (
        "import fcntl, os, sys; a, b = (fcntl.fcntl(int(n), fcntl.F_DUPFD, 10) for n in sys.argv[1:3]); "
        "os.dup2(a, 3); os.dup2(b, 4); os.execv(sys.argv[3], sys.argv[3:])"
    )
    command = [browser, *FLAGS, *root, f"--user-data-dir={folder}", "about:blank"]
    process = subprocess.Popen(
        [sys.executable, "-c", starter, str(theirs_in), str(theirs_out), *command],
        pass_fds=(theirs_in, theirs_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    with os.fdopen(ours_out, "wb") as sending, os.fdopen(ours_in, "rb") as receiving:
        try:
            tab = Tab(sending, receiving)
            target = tab.call("Target.createTarget", url="about:blank")["targetId"]
            session = tab.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            tab.session = session
            for domain in ("Page", "Runtime", "Log", "Network"):
                tab.call(f"{domain}.enable")
            tab.size(1280, 900)
            yield tab
            tab.session = ""
            tab.call("Browser.close")
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
