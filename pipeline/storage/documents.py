"""The files that a text task reads, by glob or URI, in the order of their names."""

import sysconfig
from collections.abc import Iterator
from fnmatch import fnmatch

import fsspec

from schemas.corpus import Document
from schemas.errors import StorageError, UsageError
from schemas.fingerprint import fingerprint
from schemas.task_settings import TextSettings


def read_documents(settings: TextSettings) -> list[Document]:
    """Every file that the settings name, decoded.

    Raises UsageError for a file that is not UTF-8 (unless the settings replace or skip it), StorageError for
    one that cannot be read.
    """
    documents: list[Document] = []
    total = 0
    for pattern in settings.files:
        for name, data in _read(pattern, settings):
            total += len(data)
            if total > settings.maximum_bytes:
                return documents
            text = _decode(name, data, settings)
            if text:
                documents.append(Document(name, text))
    return documents


def read_file(path: str) -> bytes:
    """A file's bytes, by path or URI. Raises UsageError when it is not there, StorageError when unreadable."""
    try:
        with fsspec.open(path, "rb") as stream:
            data: bytes = stream.read()
    except (ValueError, ImportError) as error:
        raise UsageError(f"{path!r} is no path or URI that fsspec knows: {error}") from None
    except FileNotFoundError:
        raise UsageError(f"there is no {path}") from None
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from None
    return data


def digest_documents(documents: list[Document]) -> str:
    """A digest of the texts and their order, wherever they lay."""
    return fingerprint([document.text for document in documents])


def _read(pattern: str, settings: TextSettings) -> Iterator[tuple[str, bytes]]:
    where = pattern.replace("{stdlib}", sysconfig.get_path("stdlib"))
    try:
        opened = sorted(fsspec.open_files(where, "rb", expand=True), key=lambda file: file.path)
    except (ValueError, ImportError) as error:
        raise UsageError(f"task.files: {pattern!r} is no path or URI that fsspec knows: {error}") from None
    for file in opened:
        name = file.path.rsplit("/", 1)[-1]
        kept = any(fnmatch(name, mask) for mask in settings.include)
        if not kept or any(fnmatch(name, mask) for mask in settings.exclude):
            continue
        try:
            with file as stream:
                data = stream.read()
        except IsADirectoryError:
            continue
        except FileNotFoundError:
            raise UsageError(f"task.files: there is no {file.path}") from None
        except OSError as error:
            raise StorageError(f"cannot read {file.path}: {error.strerror or error}") from None
        yield file.path, data


def _decode(name: str, data: bytes, settings: TextSettings) -> str:
    errors = "replace" if settings.not_utf8 == "replace" else "strict"
    try:
        text = data.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        if settings.not_utf8 == "skip":
            return ""
        raise UsageError(
            f'{name} is not UTF-8 (byte {error.start}): set task.not_utf8 = "replace" or "skip", or exclude it'
        ) from None
    if text.isascii() or settings.not_ascii == "keep":
        return text
    if settings.not_ascii == "skip":
        return ""
    return "".join(c if c.isascii() else "\N{REPLACEMENT CHARACTER}" for c in text)
