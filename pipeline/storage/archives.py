"""The files in a file: an archive's members, archives within it, and what is compressed as what it holds.

    src.tar.gz      →   src.tar.gz/a.py   src.tar.gz/lib/b.zip/c.py
    notes.txt.bz2   →   notes.txt.bz2

Names tell what is what, in any case. An archive is read to its verified end, or refused.
"""

import contextlib
import io
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple, Self, cast

from pipeline.storage.unpacking import ENDS_EARLY, buffered, compression_of, compression_within, unpacked
from schemas.errors import StorageError

TAR = (".tar", ".tgz", ".taz", ".tbz", ".tbz2", ".txz", ".tlz", ".tzst")
ZIP = (".zip", ".jar", ".whl")
FOREIGN = (".7z", ".rar", ".lz4", ".lz", ".lzo", ".cab", ".arj")  # what nothing here opens
LINK, NO_FILE = "linked within an archive", "not a regular file"
_NESTED = 8  # archives in one another; there are some that hold themselves
_ZIP_END = 66_000  # bytes at the end of a zip among which the number of its files is
_SPOOLED = 16_000_000  # bytes of an inner archive that are held in memory, not in a file


class Opened(NamedTuple):
    """A file to be read, or why one is left out."""

    name: str
    stream: IO[bytes] | None
    left_out: str = ""


Wanted = Callable[[str], bool]  # whether a member is to be read, by its path in the archive


def is_archive(name: str) -> bool:
    """Whether a file, or what it is compressed from, is an archive by its name."""
    return _plain(name).endswith(TAR + ZIP)


def files_in(name: str, file: IO[bytes], wanted: Wanted, depth: int = 0) -> Iterator[Opened]:
    """The files that a file stands for: itself, or what it holds; each is to be read before the next.

    Raises StorageError, EOFError or what the libraries raise for an archive that is damaged, was cut, or is of a
    kind that cannot be opened.
    """
    plain = _plain(name)
    if plain.endswith(FOREIGN):
        raise StorageError(f"{name} is an archive of a kind that is not read: unpack it, or exclude it")
    if depth > _NESTED:
        raise StorageError(f"{name} lies in more than {_NESTED} archives: unpack it, or exclude it")
    if not plain.endswith(TAR + ZIP):
        yield Opened(name, unpacked(file, compression_of(name)))
        return

    is_tar = plain.endswith(TAR)
    packing = "" if is_tar else compression_of(name)  # a tar is unpacked by what it begins with
    members = _tar_members if is_tar else _zip_members
    with (
        contextlib.nullcontext(buffered(file))
        if not (depth or packing)
        else _copy(unpacked(file, packing)) as archive
    ):
        for member in members(name, archive, wanted):
            if member.stream is None:
                yield member
            else:
                yield from files_in(member.name, member.stream, wanted, depth + 1)


def _plain(name: str) -> str:
    """A file's name in lower case without the suffix of its compression."""
    return name.lower().removesuffix(compression_of(name))


@contextlib.contextmanager
def _copy(file: IO[bytes]) -> Iterator[io.BufferedReader]:
    """A copy of a file, which can be read again from its start."""
    with tempfile.SpooledTemporaryFile(max_size=_SPOOLED) as copy:
        shutil.copyfileobj(file, copy)
        copy.seek(0)
        yield buffered(cast(IO[bytes], copy))


def _zip_members(name: str, file: io.BufferedReader, wanted: Wanted) -> Iterator[Opened]:
    with zipfile.ZipFile(file) as archive:
        members = sorted(archive.infolist(), key=lambda member: member.filename)
        _check_list(name, file, members)
        for member in members:
            if member.is_dir() or not wanted(member.filename):
                continue
            if stat.S_ISLNK(member.external_attr >> 16):
                yield Opened(f"{name}/{member.filename}", None, LINK)
            elif member.flag_bits & 1:
                raise StorageError(
                    f"{name}/{member.filename} is encrypted: unpack it with its password, or exclude it"
                )
            else:
                with archive.open(member) as stream:
                    yield Opened(f"{name}/{member.filename}", stream)


def _check_list(name: str, file: io.BufferedReader, members: list[zipfile.ZipInfo]) -> None:
    """Raise StorageError where a zip holds more than its list of files and its comment, all that zipfile reads."""
    file.seek(0)
    begins = file.read(4)
    file.seek(max(0, file.seek(0, io.SEEK_END) - _ZIP_END))
    end = file.read()
    at = end.rfind(b"PK\5\6")
    count = int.from_bytes(end[at + 10 : at + 12], "little")
    if count == 0xFFFF and (large := end.rfind(b"PK\6\6", 0, at)) >= 0:
        count = int.from_bytes(end[large + 32 : large + 40], "little")
    if count != len(members):
        raise StorageError(f"{name} is damaged: it should list {count:,} files, and lists {len(members):,}")
    if begins == b"PK\3\4" and min((member.header_offset for member in members), default=0):
        raise StorageError(f"{name} holds more than its list of files says, as two archives in one file do")
    rest = len(end) - at - 22 - int.from_bytes(end[at + 20 : at + 22], "little")  # beyond the comment
    if rest < 0:
        raise StorageError(f"{name} is damaged: its comment is cut short")
    if rest and any(end[-rest:]):  # zeros are padding
        raise StorageError(f"{name} goes on after its end, for {rest:,} bytes: mend it, or exclude it")


def _tar_members(name: str, file: io.BufferedReader, wanted: Wanted) -> Iterator[Opened]:
    """The members of a tar; hard links after the others, for which it is read again."""
    targets: dict[str, str] = {}  # by the name of the link
    for member, stream in _each_in_tar(name, file):
        if member.islnk():
            targets[member.name] = targets.get(member.linkname, member.linkname)
        elif not member.isdir() and wanted(member.name):
            left_out = "" if stream else LINK if member.issym() else NO_FILE
            yield Opened(f"{name}/{member.name}", stream, left_out)

    links: dict[str, list[str]] = {}
    for link, target in targets.items():
        if wanted(link):
            links.setdefault(target, []).append(link)
    if links:
        file.seek(0)
        yield from _linked(name, file, links)


def _linked(name: str, file: io.BufferedReader, links: dict[str, list[str]]) -> Iterator[Opened]:
    """The members that hard links stand for, by the names of the links, which are taken out of `links`."""
    for member, stream in _each_in_tar(name, file):
        if stream and member.name in links:
            with _copy(stream) as copy:
                for link in links.pop(member.name):
                    copy.seek(0)
                    yield Opened(f"{name}/{link}", copy)
    for target, (link, *_) in links.items():
        raise StorageError(f"{name}/{link} is a link to {target}, which the archive does not hold: exclude it")


def _each_in_tar(name: str, file: io.BufferedReader) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    plain = unpacked(file, compression_within(file.peek(10), name))
    # Zeros are no end: an archive may have been appended to another.
    with _Tar.open(fileobj=plain, mode="r|", ignore_zeros=True, tarinfo=_Member) as tar:
        for member in tar:
            tar.members = []  # type: ignore[attr-defined]  # else it keeps one for each member of the archive
            yield member, tar.extractfile(member) if member.isreg() else None


class _Tar(tarfile.TarFile):
    """A tar that knows whether it has seen the mark of its end."""

    has_ended = False


class _Member(tarfile.TarInfo):
    """A member whose damaged header is an error: the standard library takes it for the end of the archive."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> Self:
        """The next member. Raises ReadError where there should be one, or the mark of the end, and is neither."""
        assert isinstance(tarfile_, _Tar)
        try:
            member = super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            tarfile_.has_ended = True
            raise
        except tarfile.EmptyHeaderError:  # type: ignore[attr-defined]
            if not tarfile_.has_ended:
                raise EOFError(ENDS_EARLY) from None
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(
                f"it is damaged at byte {tarfile_.offset:,} of what it holds: {error}"
            ) from None
        tarfile_.has_ended = False
        return member
