"""Reads the files in a tar or zip archive in memory, and follows the links in it; nothing is extracted.

An archive that unpacks to far more than it holds is refused, and so is a link that leads out of it.
"""

from __future__ import annotations

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from posixpath import dirname, join, normpath

from robustness.data.account import is_hidden
from robustness.data.folder_digest import is_image
from robustness.errors import UserError

MOST_BYTES = 200_000_000
"""Bytes of the largest image file that is read: one of 50 million pixels without compression has 150 million."""
ALWAYS_BYTES, MOST_TIMES = 1_000_000_000, 100
"""An archive may hold this many bytes, or this many times its own size: images hardly compress further."""
MOST_OF_NAMES = 1_000_000
"""Bytes of the longest header of a member that is read; it holds names and dates."""
LINKS_IN_A_ROW, MOST_LINKED = 8, 5_000_000
"""Links to links that are followed, and files that they may add: folders that link to each other add ever more."""

Files = Iterator[tuple[str, bytes | None]]
"""The path of each file (with /), and the content of an image; None for what is no image by its name."""


def members(path: Path) -> Files:
    """Yield the files in the tar or zip archive at `path`; a link in it counts as what it leads to.

    Raises `UserError` for another file, a damaged archive, one that is too large, and a link out of the archive from a
    folder `train` or `test`.
    """
    try:
        if zipfile.is_zipfile(path):
            yield from _zip_members(path)
        elif tarfile.is_tarfile(path):
            yield from _tar_members(path)
        else:
            raise UserError(f"{path} is neither a folder nor a tar or zip archive that can be read")
    except (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError) as error:
        raise UserError(f"{path} is a damaged archive ({_words(error)}): download or copy it again") from None
    except OSError as error:  # of gzip and bz2, without a number, for damaged content
        if error.errno is not None:
            raise
        raise UserError(f"{path} is a damaged archive ({_words(error)}): download or copy it again") from None
    except RuntimeError as error:  # zipfile's word for a password
        raise UserError(f"{path} cannot be read: {error}") from None


def _words(error: Exception) -> str:
    return " ".join(str(error).split())


class _Header(tarfile.TarInfo):
    """A member's header, which is refused where it is damaged: `tarfile` takes such a header for the archive's end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise  # a block of zeros, as at the end
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"a header is damaged: {error}") from None
        if header.type in _LONG and header.size > MOST_OF_NAMES:  # read whole, before its size can be asked
            raise tarfile.ReadError(f"a header has {header.size:,} bytes")
        return header


_LONG = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)


def _tar_members(path: Path) -> Files:
    links: dict[str, str] = {}
    files: set[str] = set()
    with tarfile.open(path, tarinfo=_Header) as archive:
        for member in _within(path, archive):  # in the order of the archive: jumping back would unpack it again
            name = normpath(member.name)
            if member.issym():
                links[name] = normpath(join(dirname(name), member.linkname))
            elif member.islnk():
                links[name] = normpath(member.linkname)
            elif member.isfile():
                files.add(name)
                yield member.name, _content(archive, member) if is_image(member.name) else None
        while archive.fileobj is not None and (rest := archive.fileobj.read(1_000_000)):
            if any(rest):  # only zeros follow the end; behind them is the checksum of a compressed stream
                raise tarfile.ReadError("members follow its end, as after a hole or from another archive")
    if not links:
        return
    aliases, lost = _followed(path, links, files)
    yield from ((name, None) for name in lost)
    wanted: dict[str, list[str]] = {}
    for alias, target in aliases.items():
        wanted.setdefault(target, []).append(alias)
    with tarfile.open(path, tarinfo=_Header) as archive:
        for member in archive:
            for alias in wanted.get(normpath(member.name), []) if member.isfile() else []:
                yield alias, _content(archive, member) if is_image(alias) else None


def _within(path: Path, archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield an archive's members while their sizes are within the limits."""
    total = 0
    for member in archive:
        total += member.size
        _check_total(path, total)
        if is_image(member.name):
            check_size(f"{member.name} in {path}", member.size)
        yield member


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file is not None else b""


def _zip_members(path: Path) -> Files:
    with zipfile.ZipFile(path) as archive:
        of_windows = not any("/" in name for name in archive.namelist())  # some of its tools write backslashes
        infos = {
            normpath(info.filename.replace("\\", "/") if of_windows else info.filename): info
            for info in archive.infolist()
            if not info.is_dir()
        }
        _check_total(path, sum(info.file_size for info in infos.values()))
        links = {
            name: normpath(join(dirname(name), archive.read(info)[:4096].decode(errors="replace")))
            for name, info in infos.items()
            if stat.S_ISLNK(info.external_attr >> 16)
        }
        files = infos.keys() - links.keys()
        aliases, lost = _followed(path, links, files)
        yield from ((name, None) for name in lost)
        for name, target in {**{name: name for name in infos if name in files}, **aliases}.items():
            info = infos[target]
            if not is_image(name):
                yield name, None
                continue
            check_size(f"{info.filename} in {path}", info.file_size)
            yield name, archive.read(info)


def check_size(what: str, size: int) -> None:
    """Raise `UserError` where an image file is too large to be read."""
    if size > MOST_BYTES:
        raise UserError(f"{what} has {size:,} bytes, and at most {MOST_BYTES:,} of an image are read: remove it")


def _check_total(path: Path, total: int) -> None:
    packed = path.stat().st_size
    if total > max(ALWAYS_BYTES, MOST_TIMES * packed):
        raise UserError(
            f"{path} has {packed:,} bytes and unpacks to more than {total - 1:,}, which images do not do: if you trust "
            "it, unpack it, and set the source's 'path' to the folder"
        )


# --- links -----------------------------------------------------------------------------------------------------------


def _followed(path: Path, links: Mapping[str, str], files: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Return the paths that links add, each with the path of its file, and the links that lead to nothing.

    A link may lead to a file, a folder or another link. `links` are names and where they lead, both normal paths.
    Raises `UserError` where a link to nothing should be an image.
    """
    found = {name: name for name in files}
    for _ in range(LINKS_IN_A_ROW):
        folders = _folders(found)
        added: dict[str, str] = {}
        for link, target in links.items():
            if target in found:
                added[link] = found[target]
            elif target in folders and not link.startswith(f"{target}/"):
                inside = ((name, file) for name, file in found.items() if name.startswith(f"{target}/"))
                added |= {link + name.removeprefix(target): file for name, file in inside}
            if len(added) > MOST_LINKED:
                raise UserError(f"{path} has links that add over {MOST_LINKED:,} files, as in a circle: remove them")
        if added.keys() <= found.keys():
            break
        found |= added
    reached = found.keys() | _folders(found)
    lost = [link for link in links if link not in reached]
    if wrong := [link for link in lost if is_image(link) or _is_class_folder(link)]:
        raise UserError(
            f"{path} has {len(wrong)} link{'s' * (len(wrong) > 1)} to nothing in it, such as {wrong[0]} (to "
            f"{links[wrong[0]]}): pack the files themselves (tar --dereference, zip without --symlinks)"
        )
    return {name: file for name, file in found.items() if name in links or name != file}, lost


def _folders(names: Iterable[str]) -> set[str]:
    """Return the folders that the paths `names` are in."""
    found: set[str] = set()
    for name in names:
        while (name := dirname(name)) not in ("", "/") and name not in found:
            found.add(name)
    return found


def _is_class_folder(link: str) -> bool:
    """Return whether a link should be train, test or a folder in them."""
    parts = link.split("/")
    return bool({"train", "test"} & set(parts)) and not any(map(is_hidden, parts))
