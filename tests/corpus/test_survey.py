import numpy as np
import pytest

from pipeline.corpus.survey import Survey, Surveyor, alphabet, divide, fitted, windows_of
from schemas.corpus import SPLITS, Document
from schemas.errors import UsageError
from schemas.experiment import CorpusSettings
from schemas.task_settings import TextSettings


def settings(**others: object) -> TextSettings:
    return TextSettings.model_validate({"name": "text", "files": ["-"], "window": 4, **others})


def survey_of(texts: list[str]) -> Survey:
    surveyor = Surveyor()
    for number, text in enumerate(texts):
        surveyor.add(number, Document(f"{number}.txt", text))
    surveyor.add(len(texts), "too short")
    return surveyor.survey()


TEXTS = [f"{number:02} {'x' * (number % 5)}\n" for number in range(40)]


def test_a_survey_counts_characters_and_knows_texts_wherever_they_lay(monkeypatch: pytest.MonkeyPatch) -> None:
    survey = survey_of(["aab", "é\n"])
    assert survey.characters.tolist() == [3, 2]
    assert survey.counts == {"\n": 1, "a": 2, "b": 1, "é": 1}
    assert (survey.left_out, survey.suffixes) == ({"too short": 1}, {".txt": 2})
    assert survey.digest != survey_of(["é\n", "aab"]).digest
    monkeypatch.setattr("pipeline.corpus.survey._COUNTED_AT_ONCE", 2)
    assert survey_of(["aab", "é\n"]).digest == survey.digest


def test_the_same_texts_in_other_files_are_cut_in_other_pieces_and_make_another_run() -> None:
    surveyor = Surveyor()
    for text in TEXTS:
        surveyor.add(0, Document("all.txt", text))
    assert surveyor.survey().digest != survey_of(TEXTS).digest


def test_a_line_has_the_suffix_of_its_file() -> None:
    surveyor = Surveyor()
    for name in ("a.py:1", "a.py:22", "b.py.gz", "c.tar.gz/d.java"):
        surveyor.add(0, Document(name, "text"))
    assert surveyor.survey().suffixes == {".py": 3, ".java": 1}


@pytest.mark.parametrize("last", ["train", "probe"])
def test_what_the_rest_came_to_gives_the_same_division_when_it_is_said(last: str) -> None:
    survey, sizes = survey_of(TEXTS), {"train": 12, "valid": 5, "probe": 7} | {last: 0}
    division = divide(survey, settings(), CorpusSettings(**sizes), last)
    told = CorpusSettings(**{split: division.size(split) for split in SPLITS})
    assert divide(survey, settings(), told, last).splits.tolist() == division.splits.tolist()


def test_rare_characters_become_the_unknown_one_and_too_many_are_refused() -> None:
    survey = survey_of(["aaab", "aa𝄞"])
    assert alphabet(survey, settings()) == "ab𝄞"
    assert alphabet(survey, settings(rare=2)) == "a�"
    with pytest.raises(UsageError, match=r"has 3 different characters, more than task\.maximum_vocabulary = 2"):
        alphabet(survey, settings(maximum_vocabulary=2))


def test_a_remainder_of_one_character_makes_no_sequence() -> None:
    lengths = np.array([2, 4, 5, 6, 8, 9])
    assert windows_of(lengths, 4).tolist() == [1, 1, 1, 2, 2, 2]
    assert windows_of(lengths, 0).tolist() == [1] * 6


def test_each_document_lies_in_one_split_that_its_text_and_the_seed_decide() -> None:
    corpus = CorpusSettings(train=20, valid=5, probe=7)
    survey = survey_of(TEXTS)
    division = divide(survey, settings(), corpus)
    assert [division.size(split) for split in SPLITS] == [20, 5, 7]
    turned = divide(survey_of(TEXTS[::-1]), settings(), corpus)
    assert turned.splits[::-1].tolist() == division.splits.tolist()
    other = divide(survey, settings(), corpus.model_copy(update={"seed": 1}))
    assert other.splits.tolist() != division.splits.tolist()


def test_one_split_may_take_the_rest() -> None:
    survey = survey_of(TEXTS)
    whole = windows_of(survey.characters, 4)
    division = divide(survey, settings(), CorpusSettings(train=0, valid=5, probe=7), "train")
    train = division.of("train")
    assert division.size("train") == whole[train].sum()
    assert len(train) + len(division.of("valid")) + len(division.of("probe")) == len(TEXTS)


@pytest.mark.parametrize("seed", range(20))
def test_equal_texts_never_lie_in_two_splits(seed: int) -> None:
    survey = survey_of([text for text in TEXTS[:12] for _ in range(3)])
    corpus = CorpusSettings(seed=seed, train=6, valid=4, probe=4)
    kept = divide(survey, settings(duplicates="keep"), corpus).splits.reshape(12, 3)
    assert all(len(set(row) - {-1}) <= 1 for row in kept.tolist())
    dropped = divide(survey, settings(), corpus).splits.reshape(12, 3)
    assert (dropped[:, 1:] == -1).all()


def test_too_few_are_refused() -> None:
    survey = survey_of(TEXTS[:3])
    with pytest.raises(UsageError, match=r"holds 4 sequences in 3 documents, .* ask for 30: probe has too few"):
        divide(survey, settings(), CorpusSettings(train=10, valid=10, probe=10))
    with pytest.raises(UsageError, match=r"the corpus is empty: no document with enough characters.*1 too short"):
        divide(survey_of([]), settings(), CorpusSettings())


def of_lengths(lengths: list[int]) -> Survey:
    surveyor = Surveyor()
    for place, length in enumerate(lengths):
        surveyor.add(place, Document(f"{place}.txt", f"{place}" + "x" * (length - len(f"{place}"))))
    return surveyor.survey()


def sizes_of(lengths: list[int], **corpus: int) -> tuple[int, int, int]:
    sizes, division = fitted(of_lengths(lengths), settings(window=10), CorpusSettings(**corpus))
    assert all(division.size(split) == getattr(sizes, split) or getattr(sizes, split) == 0 for split in SPLITS)
    return division.size("train"), division.size("valid"), division.size("probe")


def test_a_short_text_has_small_splits_unless_they_were_asked_for() -> None:
    train, valid, probe = sizes_of([100] * 100)
    assert (valid, probe) == (100, 100)
    assert train == 800
    assert sizes_of([100] * 100, train=300) == (300, 100, 100)
    assert sizes_of([100] * 100, probe=7)[2] == 7
    assert sizes_of([100_000] * 30) == (20_000, 1_000, 1_000), "a long one has the defaults"
    with pytest.raises(UsageError, match="train has too few"):
        sizes_of([100] * 100, train=5_000)


@pytest.mark.parametrize("lengths", [[500, 500, 500], [100, 90, 10_000], [20, 30_000, 20, 20], [20, 20, 20]])
def test_three_documents_are_enough(lengths: list[int]) -> None:
    assert min(sizes_of(lengths)) >= 1


@pytest.mark.parametrize("lengths", [[10_000], [5_000, 5_000], []])
def test_fewer_are_told_as_too_few(lengths: list[int]) -> None:
    with pytest.raises(UsageError, match=r"splits need 3, for no document lies in two|the corpus is empty"):
        sizes_of(lengths)
