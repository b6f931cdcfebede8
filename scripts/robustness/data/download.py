"""Fetches one file of a source and makes sure that it is the right one.

Reads a mirror, the file's own addresses, or what somebody placed in the downloads folder by hand; writes
`folder/name`, and `folder/name.part` until the checksum has been verified. A download that is cut off, changed on its
way or not available is resumed or ends in one sentence, never in a damaged dataset.
"""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import logging
import shutil
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import IO, Any

from robustness.errors import UserError
from robustness.runtime.progress import Progress

ATTEMPTS = 3  # per place
CHUNK_BYTES = 1 << 18
TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})

log = logging.getLogger(__name__)


class _Unavailable(Exception):
    """Raised when a place did not give the file, with the reason; `worth_retrying` says whether it may do so later."""

    def __init__(self, reason: str, worth_retrying: bool = False) -> None:
        super().__init__(reason)
        self.worth_retrying = worth_retrying


def fetch(
    name: str,
    sha256: str,
    addresses: Sequence[str],
    mirror: str | None,
    folder: Path,
    *,
    first_wait: float = 1.0,
    timeout: float = 30.0,
) -> Path:
    """Make sure that `folder/name` exists with the checksum `sha256` (hexadecimal), and return its path.

    A file that already exists is used as it is. Otherwise `mirror` (a folder, the file itself, or a base address)
    is asked, then each of `addresses` (base addresses or folders) in order. An address is tried `ATTEMPTS` times, with
    `first_wait` seconds before the second attempt and twice as long before each further one; `timeout` seconds without
    a byte end an attempt. Processes that fetch the same file wait for each other.

    Raises `UserError` when the file in `folder` has another checksum (it is left alone), when an address has a scheme
    other than https (or http to this computer), and when no place has the file, with each place's reason.
    """
    from filelock import FileLock, Timeout

    if Path(name).name != name:
        raise UserError(f"'{name}' is not a plain file name: give the source's file a 'name' without folders")
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f".{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("another process is fetching %s: waiting for it", name)
        lock.acquire()
    try:
        return _fetch_locked(name, sha256.lower(), addresses, mirror, folder, first_wait, timeout)
    finally:
        lock.release()


def _fetch_locked(
    name: str,
    sha256: str,
    addresses: Sequence[str],
    mirror: str | None,
    folder: Path,
    first_wait: float,
    timeout: float,
) -> Path:
    path, part = folder / name, folder / f"{name}.part"
    if path.exists():
        _check_present(path, sha256)
        log.info("%s exists already, checksum verified", path)
        return path
    places = [place for place in (mirror, *addresses) if place]
    for place in places:
        _check_scheme(place)

    # The last run may have been ended after its last byte and before it could rename the file.
    if part.exists() and _sha256(part) == sha256:
        return part.replace(path)
    failures = []
    for place in places:
        try:
            if _is_address(place):
                _download(_join(place, name), part, sha256, first_wait, timeout)
            else:
                _copy(Path(place).expanduser(), name, part, sha256)
        except _Unavailable as failure:
            log.warning("%s: %s", place, failure)
            failures.append(f"{place} ({failure})")
        else:
            log.info("%s fetched from %s, checksum verified", path, place)
            return part.replace(path)
    tried = "; ".join(failures) or "no mirror and no address is configured"
    raise UserError(
        f"{name} could not be fetched: {tried}. If this machine has no internet, run `snakemake --cores 1 fetch` (with "
        f"the same --configfile) on one that has, and bring its 'downloads' folder here, to {folder}; or give a folder "
        "that holds the file with --config mirror=FOLDER. Then run the same command again"
    )


def _check_present(path: Path, sha256: str) -> None:
    found = _sha256(path)
    if found != sha256:
        raise UserError(
            f"{path} is not the expected file: its SHA-256 is {found}, expected {sha256}; "
            "delete it to have it fetched, or put the right file in its place"
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- places ----------------------------------------------------------------------------------------------------------


def _is_address(place: str) -> bool:
    return "://" in place


def _check_scheme(place: str) -> None:
    if _is_address(place) and (reason := _refusal(place)):
        raise UserError(f"the address {place} is refused: {reason}; use an https:// address or a local folder")


def _refusal(address: str) -> str | None:
    """Return why `address` may not be asked, or None."""
    parts = urllib.parse.urlsplit(address)
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname)):
        return None
    if parts.scheme == "http":
        return "plain http is allowed only to this computer"
    return f"'{parts.scheme}' is not a scheme that files are fetched with"


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _join(base: str, name: str) -> str:
    return f"{base.rstrip('/')}/{urllib.parse.quote(name)}"


def _copy(place: Path, name: str, part: Path, sha256: str) -> None:
    """Copy the file from a local folder (or `place` itself if it is a file) to `part`, if its checksum is right."""
    if not place.exists():
        raise _Unavailable("no such folder")
    origin = place / name if place.is_dir() else place
    if not origin.is_file():
        raise _Unavailable(f"holds no {name}")
    try:
        found = _sha256(origin)
    except OSError as error:
        raise _Unavailable(f"not readable: {error.strerror}") from error
    if found != sha256:
        raise _Unavailable(_wrong_checksum(found, sha256))
    with _named_in_errors(part):
        shutil.copyfile(origin, part)
    # What counts is what was written, should the original have changed meanwhile.
    if _sha256(part) != sha256:
        part.unlink()
        raise _Unavailable("changed while it was copied")


def _wrong_checksum(found: str, expected: str) -> str:
    return f"wrong checksum: SHA-256 {found[:12]}…, expected {expected[:12]}…"


# --- over the network ------------------------------------------------------------------------------------------------


def _download(address: str, part: Path, sha256: str, first_wait: float, timeout: float) -> None:
    """Download `address` to `part`, resuming what is there, until its checksum is right.

    A truncated `part` is kept for the next attempt, place or run; a complete one with a wrong checksum is deleted.
    """
    for attempt in range(1, ATTEMPTS + 1):
        offset = part.stat().st_size if part.exists() else 0
        try:
            resumed = _receive(address, part, offset, timeout)
            found = _sha256(part)
            if found == sha256:
                return
            part.unlink()
            # After a resume it may be the first half, left by another place or another day, that was wrong.
            raise _Unavailable(_wrong_checksum(found, sha256), worth_retrying=resumed)
        except _Unavailable as failure:
            if attempt == ATTEMPTS or not failure.worth_retrying:
                raise
            wait = first_wait * 2 ** (attempt - 1)
            log.info("%s: %s; attempt %d of %d in %g s", address, failure, attempt + 1, ATTEMPTS, wait)
        time.sleep(wait)


def _receive(address: str, part: Path, offset: int, timeout: float) -> bool:
    """One attempt: append to `part` from `offset` on, or start over; return whether the server resumed."""
    request = urllib.request.Request(address, headers={"User-Agent": "robustness", "Accept-Encoding": "identity"})
    if offset:
        request.add_header("Range", f"bytes={offset}-")
    with _reasons(part):
        response = _opener(address).open(request, timeout=timeout)
    with response:
        resumed: bool = response.status == 206
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
            part.unlink(missing_ok=True)
            raise _Unavailable("answered with a different range than requested", worth_retrying=True)
        length = response.headers.get("Content-Length")
        start = offset if resumed else 0
        total = start + int(length) if length and length.isdecimal() else None
        with _named_in_errors(part), part.open("ab" if resumed else "wb") as file:
            received = start + _save(response, file, part, start, total)
    if total is not None and received < total:
        raise _Unavailable(f"truncated: received {received} of {total} bytes", worth_retrying=True)
    return resumed


def _save(response: Any, file: IO[bytes], part: Path, start: int, total: int | None) -> int:
    """Write the body of `response` to `file`; return the number of bytes."""
    received = 0
    with Progress(part.stem, total, "B", interval=5.0) as progress:
        progress.resume(start)
        while True:
            # Only reading is a matter of the network: a full disk, met in writing, must end the program.
            with _reasons(part):
                chunk = response.read(CHUNK_BYTES)
            if not chunk:
                return received
            file.write(chunk)
            received += len(chunk)
            progress.advance(len(chunk))


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to an address that the configuration could name."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        """Refuse `newurl`, or follow it as urllib does."""
        if reason := _refusal(newurl):
            raise _Unavailable(f"redirects to {newurl}, which is refused: {reason}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _opener(address: str) -> urllib.request.OpenerDirector:
    handlers: list[urllib.request.BaseHandler] = [_CheckedRedirects()]
    if _is_loopback(urllib.parse.urlsplit(address).hostname):
        handlers.append(urllib.request.ProxyHandler({}))  # a proxy would look for the server on its own computer
    return urllib.request.build_opener(*handlers)


@contextmanager
def _reasons(part: Path) -> Iterator[None]:
    """Turn the errors of the network into `_Unavailable` with a reason in words; on status 416 delete `part`."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # the part is longer than the file: it belongs to something else
            part.unlink(missing_ok=True)
            raise _Unavailable("refused to resume (416)", worth_retrying=True) from error
        transient = error.code in TRANSIENT_STATUS
        raise _Unavailable(f"answered {error.code} {error.reason}", worth_retrying=transient) from error
    except urllib.error.URLError as error:
        raise _of_connection(error.reason) from error
    except (OSError, http.client.HTTPException) as error:
        raise _of_connection(error) from error


def _of_connection(error: object) -> _Unavailable:
    match error:
        case TimeoutError():
            return _Unavailable("timed out", worth_retrying=True)
        case ConnectionRefusedError():
            return _Unavailable("connection refused", worth_retrying=True)
        case ssl.SSLCertVerificationError():
            return _Unavailable(f"its certificate is not trusted: {error.verify_message}")
        case http.client.IncompleteRead():
            return _Unavailable("truncated: the connection closed early", worth_retrying=True)
        case OSError():
            return _Unavailable(f"no connection: {error.strerror or error}", worth_retrying=True)
        case _:
            return _Unavailable(f"no usable answer: {error}", worth_retrying=True)


@contextmanager
def _named_in_errors(path: Path) -> Iterator[None]:
    """Give an operating system's error the name of the file that was written, which `write` itself leaves out."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
