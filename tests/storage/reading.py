"""What the tests of texts share: the settings of some files, and the documents in them."""

from pipeline.storage.sources import find_sources, read_documents
from schemas.corpus import Document
from schemas.task_settings import TextSettings


def settings(*patterns: object, **others: object) -> TextSettings:
    return TextSettings.model_validate({"name": "text", "files": [str(p) for p in patterns], **others})


def found(text: TextSettings) -> list[Document | str]:
    """The documents, and why something is left out."""
    return [one for source in find_sources(text) for one in read_documents(source, text)]


def documents(text: TextSettings) -> list[Document]:
    return [one for one in found(text) if isinstance(one, Document)]


def left_out(text: TextSettings) -> list[str]:
    return [one for one in found(text) if isinstance(one, str)]


def texts(text: TextSettings) -> list[str]:
    return [document.text for document in documents(text)]


def by_name(text: TextSettings) -> dict[str, str]:
    return {document.name: document.text for document in documents(text)}
