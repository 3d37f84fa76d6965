from typing import Any

import pytest

from schemas.errors import UsageError
from schemas.parse import parse_experiment
from tests.conftest import TINY


def changed(path: str, value: object) -> dict[str, Any]:
    section, key = path.split(".")
    return {**TINY, section: {**TINY[section], key: value}}  # type: ignore[dict-item]


NETWORK = {
    "name": "x",
    "task": {"name": "text", "files": ["a.txt"]},
    "network": {"model": "a:b", "weights": "a.pt", "vocabulary": "v.json"},
}


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (changed("training.step", 3), "unknown key training.step: did you mean training.steps?"),
        (changed("task.maxium", 3), "unknown key task.maxium: did you mean task.maximum?"),
        ({**TINY, "traning": {}}, "unknown key traning: did you mean training?"),
        (changed("model.cell", ["lstn"]), "unknown model.cell.0 'lstn': did you mean 'lstm'?"),
        (changed("task.name", "countng"), "unknown task 'countng': did you mean 'counting'?"),
        (changed("training.steps", "many"), "training.steps should be a valid integer, not 'many'"),
        (changed("task.maximum", 0), "task.maximum should be greater than 0, not 0"),
        (changed("training.steps", True), "training.steps should be a valid integer, not True"),
        (changed("dump.signals", ["cell_stat"]), "unknown dump.signals.0 'cell_stat': did you mean 'cell_state'?"),
        (changed("dump.signals", ["cell_state"]), "dump.signals ['cell_state'] holds none of feedforward"),
        (changed("training.clip", float("inf")), "training.clip should be a finite number, not inf"),
        ({**TINY, "counting": 3}, "unknown key counting: "),
        (changed("dump.checkpoints", [5]), "dump.checkpoints [5] are not kept; training keeps [0, 12]"),
        (changed("model.layers", [5]), "layers must be 1 to 4, not [5]"),
        ({"name": "x"}, "task is missing"),
        ({"name": "x", "task": {"name": "tokens", "maximum": 1}}, "unknown key task.maximum: known here: name"),
        (changed("corpus.train", 0), "corpus.train should be greater than 0, not 0"),
        ({**NETWORK, "training": {"steps": 3}}, "a [network] is dumped as it is: take [training] out"),
        ({**NETWORK, "network": {"modle": "a:b"}}, "network.model is missing"),
        ({**NETWORK, "task": TINY["task"], "corpus": {"probe": 0}}, "the task counting has no end"),
        ({**TINY, "start": {"keep": 1.0}}, "start.keep is for cells with a gate that keeps the state, lstm, gru"),
        ({**TINY, "start": {"readout": -1.0}}, "start.readout should be greater than or equal to 0, not -1.0"),
        (
            {**TINY, "start": {"readout": "torhc"}},
            "unknown start.readout 'torhc': did you mean 'torch'? known: torch",
        ),
        ({**TINY, "start": {"below": float("nan")}}, "start.below should be a finite number, not nan"),
        ({**TINY, "start": {"below": float("inf")}}, "start.below should be a finite number, not inf"),
        ({**TINY, "start": {"recurent": 1.0}}, "unknown key start.recurent: did you mean start.recurrent?"),
        ({**NETWORK, "start": {"readout": 1.0}}, "a [network] is dumped as it is: take [start] out"),
        (changed("training.dropout", 0.5), "training.dropout lies between layers, and model.layers has 1"),
        (changed("training.dropout", 1.0), "training.dropout should be less than 1, not 1.0"),
        (
            {"name": "x", "task": {**NETWORK["task"], "window": 64}, "training": {"truncate": 65}},  # type: ignore[dict-item]
            "training.truncate 65 is longer than the sequences, of which task.window 64 makes the length",
        ),
        (
            {**TINY, "name": "No Spaces"},
            "a name has lower-case letters, digits, - and _, and begins with a letter, unlike",
        ),
    ],
)
def test_an_error_says_what_is_wrong(document: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_experiment(document, "tiny.toml")
    assert str(caught.value).startswith("tiny.toml: ")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_network_has_the_whole_corpus_unless_it_is_said() -> None:
    experiment = parse_experiment(NETWORK, "t")
    assert (experiment.corpus.train, experiment.corpus.valid, experiment.corpus.probe) == (0, 0, 0)
    assert parse_experiment({**NETWORK, "task": TINY["task"]}, "t").corpus.probe == 1000
    assert parse_experiment({**NETWORK, "corpus": {"probe": 7}}, "t").corpus.probe == 7
    assert experiment.dumped_checkpoints == (0,)


def test_what_is_stored_of_an_experiment_can_be_read_again() -> None:
    for document in (TINY, NETWORK):
        experiment = parse_experiment(document, "t")
        assert parse_experiment(experiment.model_dump(), "t") == experiment
    assert "training" not in parse_experiment(NETWORK, "t").model_dump()
    assert "network" not in parse_experiment(TINY, "t").model_dump()


def test_a_networks_files_count_by_content() -> None:
    identity = parse_experiment(NETWORK, "t").identity
    assert identity["network"] == {"model": "a:b"}


def test_a_setting_at_its_default_decides_nothing() -> None:
    identity = parse_experiment(TINY, "t").identity
    assert parse_experiment(changed("training.learning_rate", 0.01), "t").identity == identity
    assert parse_experiment(changed("training.learning_rate", 0.02), "t").identity != identity


def test_a_single_value_is_a_list_of_one() -> None:
    assert parse_experiment(changed("model.cell", "gru"), "t").model.cell == ["gru"]


def test_the_grid_holds_every_combination() -> None:
    experiment = parse_experiment({**TINY, "model": {**TINY["model"], "seeds": 2}}, "t")  # type: ignore[dict-item]
    names = [model.name for model in experiment.model.grid()]
    assert len(names) == len(set(names)) == 5 * 2 * 2
    assert names[0] == "feedforward-1x5-seed0"


@pytest.mark.parametrize(
    ("checkpoints", "kept"), [(1, (12,)), (2, (0, 12)), (3, (0, 6, 12)), (100, tuple(range(13)))]
)
def test_checkpoints_are_first_between_and_last(checkpoints: int, kept: tuple[int, ...]) -> None:
    experiment = parse_experiment(changed("training.checkpoints", checkpoints), "t")
    assert experiment.training.checkpoint_steps == kept
    assert set(kept) <= set(experiment.training.evaluation_steps)


def test_where_it_runs_and_what_comes_later_is_not_its_identity() -> None:
    one = parse_experiment(TINY, "t")
    other = parse_experiment(changed("dump.precision", "half"), "t")
    assert one.identity == other.identity
    assert parse_experiment(changed("training.steps", 13), "t").identity != one.identity
    assert parse_experiment({**TINY, "revision": "2"}, "t").identity != one.identity
