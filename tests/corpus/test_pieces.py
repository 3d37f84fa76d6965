from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.corpus import pieces as room
from pipeline.corpus.pieces import Shard, TextPiece, plan_pieces, text_shards
from pipeline.corpus.survey import Division, Survey, Surveyor, divide
from pipeline.tasks.vocabulary import Vocabulary
from schemas.corpus import SPLITS, Document
from schemas.errors import UsageError
from schemas.experiment import CorpusSettings
from schemas.task_settings import TextSettings

VOCABULARY = Vocabulary("\nabc0123456789")


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "CHARACTERS_PER_PIECE", 40)
    monkeypatch.setattr(room, "SEQUENCES_PER_SHARD", 3)
    monkeypatch.setattr(room, "STEPS_PER_SHARD", 30)


def planned(documents: list[Document], window: int, each: int = 2) -> tuple[Survey, Division]:
    """So many documents a source."""
    surveyor = Surveyor()
    for number, document in enumerate(documents):
        surveyor.add(number // each, document)
    survey = surveyor.survey()
    settings = TextSettings(name="text", files=["-"], window=window)
    return survey, divide(survey, settings, CorpusSettings(train=0, valid=3, probe=4), "train")


def shards(documents: list[Document], window: int, each: int = 2) -> Iterator[Shard]:
    for piece in plan_pieces(*planned(documents, window, each), window)[0]:
        travelled = TextPiece.model_validate(piece.model_dump(mode="json"))
        here = documents[each * piece.sources[0] : each * piece.sources[1]]
        yield from text_shards(here, travelled, window, VOCABULARY)


def texts(count: int) -> list[Document]:
    return [Document(f"d{n}", f"{n}\n" + "abc" * (n % 7) + "\n") for n in range(count)]


@given(count=st.integers(12, 40), window=st.sampled_from([0, 2, 5, 100]), each=st.sampled_from([1, 2, 50]))
def test_shards_hold_what_the_plan_says_and_every_text_once(count: int, window: int, each: int) -> None:
    documents = texts(count)
    survey, division = planned(documents, window, each)
    bounds = plan_pieces(survey, division, window)[1]
    found = list(shards(documents, window, each))
    for code, split in enumerate(SPLITS):
        own = [shard for shard in found if shard.split == split]
        assert [shard.number for shard in own] == list(range(len(bounds[split]) - 1))
        for shard, (first, stop) in zip(own, pairwise(bounds[split]), strict=True):
            assert sorted(set(shard.steps["sequence"].to_pylist())) == list(range(first, stop))
        rows = pa.concat_tables(shard.documents for shard in own).to_pylist()
        assert [row["document"] for row in rows] == np.flatnonzero(division.splits == code).tolist()
        steps = pa.concat_tables(shard.steps for shard in own)
        for row in rows:
            of = range(row["sequence"], row["sequence"] + row["sequences"])
            covered = "".join(s["char"] for s in steps.to_pylist() if s["sequence"] in of)
            text = documents[row["document"]].text
            whole = len(text) - (1 if window and len(text) % window == 1 else 0)
            assert text.startswith(covered)
            assert (row["name"], row["characters"]) == (documents[row["document"]].name, len(text))
            assert len(covered) == (min(whole, row["sequences"] * window) if window else len(text))


def test_a_large_source_makes_several_pieces() -> None:
    pieces, _ = plan_pieces(*planned(texts(40), 5, each=50), 5)
    assert len(pieces) > 5
    assert {piece.sources for piece in pieces} == {(0, 1)}
    assert [piece.skip for piece in pieces] == [piece.document for piece in pieces]


def test_a_target_is_the_next_character_of_the_sequence() -> None:
    steps = next(shards(texts(12), 5)).steps.to_pylist()
    for now, then in pairwise(steps):
        assert now["target"] == (then["char"] if then["sequence"] == now["sequence"] else None)
        assert VOCABULARY.characters[now["token"]] == now["char"]
    assert not any(step["determined"] for step in steps)


def test_documents_that_changed_since_the_plan_are_noticed() -> None:
    documents = texts(12)
    piece = plan_pieces(*planned(documents, 5), 5)[0][0]
    tables = [shard.documents for shard in shards(documents, 5) if shard.documents is not None]
    planned_names = {name for table in tables for name in table["name"].to_pylist()}
    used = next(d for d in documents if d.name in planned_names)
    other = [d._replace(text=d.text.replace(d.text[0], "7")) if d is used else d for d in documents]
    for changed in (documents[1:], other, documents[:1]):
        with pytest.raises(UsageError, match="have changed since the run began"):
            list(text_shards(changed, piece, 5, VOCABULARY))


def test_nothing_of_a_changed_document_is_given() -> None:
    """A shard that was given may have been written: it must be the planned one."""
    documents = texts(12)
    for piece in plan_pieces(*planned(documents, 5), 5)[0]:
        here = documents[2 * piece.sources[0] : 2 * piece.sources[1]]
        right = [shard.steps for shard in text_shards(here, piece, 5, VOCABULARY)]
        for place in range(len(here)):
            changed = [d._replace(text=d.text[::-1]) if n == place else d for n, d in enumerate(here)]
            try:
                for found, expected in zip(text_shards(changed, piece, 5, VOCABULARY), right, strict=False):
                    assert found.steps.equals(expected)
            except UsageError:
                pass


def test_a_character_that_the_vocabulary_lacks_is_told() -> None:
    documents = texts(12)
    piece = plan_pieces(*planned(documents, 5), 5)[0][0]
    with pytest.raises(UsageError, match=r"d\d+ holds the character 'a', which training never saw"):
        list(text_shards(documents, piece, 5, Vocabulary("\n0123456789")))


def test_rare_characters_are_read_as_the_unknown_one() -> None:
    piece = plan_pieces(*planned(texts(12), 5), 5)[0][0]
    some = next(text_shards(texts(12), piece, 5, Vocabulary("\n0123456789�", unknown="�")))
    assert set("abc").isdisjoint(some.steps["char"].to_pylist())
    assert "�" in some.steps["char"].to_pylist()
