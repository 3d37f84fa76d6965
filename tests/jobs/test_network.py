"""A network that was trained elsewhere: by file, by flags, in Python, and all that can be wrong with it."""

import json
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import pipeline
from jobs.__main__ import main
from jobs.dump_module import dump_module
from jobs.main_path import run_stages
from jobs.run.experiment_file import load_experiment
from jobs.run.opening import open_run
from jobs.run.reading import read_model
from jobs.runners.ray import RayRunner
from pipeline.models.network import logits_of
from schemas.errors import UsageError
from tests.conftest import STAGE_NAMES, digests, tree
from tests.jobs.stranger import CHARACTERS, TEXT, flags, forget, write_experiment, write_stranger


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with the stranger's files; its package is forgotten at the end."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    forget(tmp_path)


def test_file_flags_and_either_form_of_weights_give_the_same_lake(folder: Path) -> None:
    write_stranger(folder)
    write_experiment(folder)
    assert main(flags()) == 0
    first = digests("lake")
    assert {path.split("/")[0] for path in first} == {
        "runs",
        "documents",
        "steps",
        "models",
        "checkpoints",
        "activations",
        "predictions",
    }
    assert main(["dump", "stranger.toml", "--runner", "local", "--root", "by_file"]) == 0
    assert digests("by_file") == first
    assert main([*flags(weights="weights.pt")[:-1], "from_pt"]) == 0
    assert digests("from_pt") == first
    assert main([*flags(), "--plan"]) == 0
    assert main(["run", "stranger.toml", "--runner", "local", "--root", "lake"]) == 0
    assert digests("lake") == first, "there was nothing left to do"


def test_every_value_is_the_networks_own(folder: Path) -> None:
    """Against torch's own forward pass, one sequence at a time."""
    module = write_stranger(folder).eval()
    assert main(flags()) == 0
    lake = pipeline.open("lake")
    (model,) = lake.fetch("from models").to_pylist()
    expected = {"model": "lstm-2x7-imported", "cell": "lstm", "layers": 2, "hidden_size": 7, "seed": None}
    assert {key: model[key] for key in expected} == expected
    assert model["parameters"] == sum(parameter.numel() for parameter in module.parameters())
    steps = lake.fetch("from steps order by sequence, step").to_pylist()
    windows = [TEXT[start : start + 30] for start in range(0, len(TEXT), 30)]
    assert len(steps) == len(TEXT)
    assert {step["split"] for step in steps} == {"probe"}
    text = "".join(step["char"] for step in steps)
    assert text == "".join(windows), "one file keeps its order"
    for sequence, window in enumerate(windows):
        tokens = torch.tensor([[CHARACTERS.index(character) for character in window]])
        with torch.no_grad():
            hidden, _ = module.lstm(module.embedding(tokens))  # type: ignore[operator]
            loss = nn.functional.cross_entropy(logits_of(module, tokens)[0, :-1], tokens[0, 1:], reduction="none")
        where = f"where sequence = {sequence}"
        stored = lake.fetch(
            f"select hidden_state as h from activations {where} and layer = 1 order by neuron, step"
        )
        np.testing.assert_allclose(
            stored["h"].to_numpy().reshape(7, len(window)), hidden[0].t().numpy(), atol=1e-6
        )
        told = lake.fetch(f"select loss from predictions {where} order by step")["loss"].to_pylist()
        assert told == [*(pytest.approx(value, abs=1e-5) for value in loss.tolist()), None]


def test_a_run_goes_on_to_scores_and_answers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_stranger(folder)
    write_experiment(
        folder,
        more='checkpoint = 500\n[score]\nhypotheses = ["bracket_depth", "in_comment"]\nlanguage = "python"\n',
    )
    assert main(["run", "stranger.toml", "--runner", "local", "--root", "lake"]) == 0
    out = capsys.readouterr().out
    assert "lstm-2x7-imported" in out
    assert "Which neuron follows bracket_depth?" in out
    assert pipeline.open("lake").fetch("select distinct checkpoint as c from scores")["c"].to_pylist() == [500]
    assert main(["runs", "--json", "--root", "lake"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["status"] == "complete"
    assert main(["show", "stranger", "lstm-2x7-imported", "L1/N6", "--root", "lake", "--limit", "1"]) == 0
    assert "def f(a):⏎" in capsys.readouterr().out


def test_plan_and_help_say_what_there_is_to_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_stranger(folder)
    assert main([*flags(), "--plan"]) == 0
    planned = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert [line[:2] for line in planned] == [["generate", "1"], ["train", "1"], ["dump", "1"]]
    assert planned[2][4] == str(len(TEXT) * (14 + 1))
    assert not Path("lake").exists()
    with pytest.raises(SystemExit):
        main(["dump", "--help"])
    assert "--model char_rnn:make_model --weights char_rnn.safetensors" in capsys.readouterr().out


def test_the_lake_needs_no_file_from_outside_but_the_code(folder: Path) -> None:
    module = write_stranger(folder, "tied").eval()
    write_experiment(folder, factory="tied")
    run = open_run(load_experiment("stranger.toml"), "lake", str(folder))
    assert main(["dump", "stranger.toml", "--runner", "local", "--root", "lake"]) == 0
    for name in ("weights.safetensors", "weights.pt", "vocabulary.json", "corpus.txt"):
        Path(name).unlink()
    again, vocabulary = read_model(run, "gru-1x7-imported", 0)
    assert "".join(vocabulary.characters) == CHARACTERS
    tokens = torch.tensor([[1, 2, 3]])
    assert torch.equal(again(tokens), module(tokens))
    config = json.loads(next(Path("lake").glob("checkpoints/**/config.json")).read_text())
    assert config["network"]["model"] == "stranger:tied"
    assert str(folder) not in json.dumps(config)


def test_other_weights_or_another_vocabulary_are_another_run(folder: Path) -> None:
    write_stranger(folder)
    path = str(write_experiment(folder))

    def run_id() -> str:
        return open_run(load_experiment(path), "lake", str(folder)).id

    first = run_id()
    other = folder / "elsewhere"
    other.mkdir()
    for name in ("weights.safetensors", "vocabulary.json", "corpus.txt"):
        (folder / name).rename(other / name)
    moved = (folder / "stranger.toml").read_text()
    for name in ("weights.safetensors", "vocabulary.json", "corpus.txt"):
        moved = moved.replace(name, f"elsewhere/{name}")
    (folder / "stranger.toml").write_text(moved)
    assert run_id() == first, "where the files lie plays no part"
    (other / "vocabulary.json").write_text(json.dumps({"characters": CHARACTERS[::-1]}))
    second = run_id()
    tensors = load_file(other / "weights.safetensors")
    tensors["readout.bias"] += 1
    save_file(tensors, other / "weights.safetensors")
    assert len({first, second, run_id()}) == 3


def test_files_that_change_while_a_run_goes_on_are_noticed(folder: Path) -> None:
    write_stranger(folder)
    run = open_run(load_experiment(str(write_experiment(folder))), "lake", str(folder))
    tensors = load_file("weights.safetensors")
    tensors["readout.bias"] += 1
    save_file(tensors, "weights.safetensors")
    assert run.network
    with pytest.raises(UsageError, match="the network stranger:make has changed since the run began"):
        run.network.open()
    Path("vocabulary.json").write_text(json.dumps(list(CHARACTERS[::-1])))
    with pytest.raises(UsageError, match=r"vocabulary\.json has changed since the run began"):
        run.vocabulary()


def test_a_tokenizer_gives_steps_of_several_characters(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_stranger(folder)
    (folder / "pieces.py").write_text(
        "import re\nimport json\nPIECES = json.load(open('vocabulary.json'))\n"
        "def cut(text): return [PIECES.index(p) for p in re.findall(r'    |return|.|\\n', text)]\n"
    )
    (folder / "vocabulary.json").write_text(json.dumps([*CHARACTERS[2:], "return", "    "]))
    words = ["--tokenizer", "pieces:cut", "--set", 'score.hypotheses=["bracket_depth"]', "--name", "pieces"]
    words += ["--set", "score.language=python"]
    assert main([*flags(), *words]) == 0
    lake = pipeline.open("lake")
    chars = lake.fetch("select char from steps order by sequence, step")["char"].to_pylist()
    assert {"return", "    "} <= set(chars)
    assert "".join(chars) == TEXT
    capsys.readouterr()
    assert main(["show", "pieces", "lstm-2x7-imported", "L0/N0", "--root", "lake", "--limit", "1"]) == 0
    shown = capsys.readouterr().out.splitlines()
    digits = shown[next(place for place, line in enumerate(shown) if line.startswith("    return")) + 1]
    assert len(set(digits[:4])) == len(set(digits[4:10])) == 1, "a piece has one value"


def test_a_live_module_gives_the_same_tables(folder: Path) -> None:
    module = write_stranger(folder)
    assert main(flags()) == 0
    rows = pipeline.open("lake").fetch("select token from steps order by sequence, step")["token"].to_pylist()
    sequences = [rows[start : start + 30] for start in range(0, len(rows), 30)]
    module.train()
    batches: list[torch.Tensor | list[list[int]]] = [torch.tensor(sequences[:5]), sequences[5:]]
    run = dump_module(module, batches, vocabulary=CHARACTERS, root="live", name="live")
    assert module.training
    assert dump_module(module, batches, vocabulary=CHARACTERS, root="live", name="live") == run
    for table in ("steps", "activations", "predictions", "models"):
        columns = f"select * exclude (run) from {table} order by all"
        assert pipeline.open("live").fetch(columns).equals(pipeline.open("lake").fetch(columns)), table
    assert pipeline.open("live").catalog.status == {run: "complete"}
    scored = dump_module(
        module, batches, vocabulary=CHARACTERS, root="live", name="scored", hypotheses=["line_position"]
    )
    assert len(pipeline.open("live").ask("top_neurons", run=scored, hypothesis="line_position"))
    for wrong, told in (
        ([], "hold no sequence"),
        ([torch.tensor([1])], r"is \(1,\)"),
        ([[[99]]], "gave the token 99"),
    ):
        with pytest.raises(UsageError, match=told):
            dump_module(module, wrong, vocabulary=CHARACTERS, root="none")
    assert not Path("none").exists()


@pytest.mark.ray
def test_ray_workers_import_the_package_from_the_files_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = folder / "their code"
    package.mkdir()
    write_stranger(package)
    run = open_run(load_experiment(str(write_experiment(package))), "on_ray", str(package))
    with RayRunner(workers=2) as runner:
        run_stages(run, runner, STAGE_NAMES)
    assert main(["dump", "their code/stranger.toml", "--runner", "local", "--root", "here"]) == 0
    assert digests("on_ray") == digests("here")
    forget(package)


class Payload:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (Path("was_run"),)


def weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[], None]:
    def write() -> None:
        tensors = load_file("weights.safetensors")
        change(tensors)
        save_file(tensors, "weights.safetensors")

    return write


def written(name: str, data: bytes) -> Callable[[], None]:
    def write() -> None:
        Path(name).write_bytes(data)

    return write


def cut_short() -> None:
    data = Path("weights.safetensors").read_bytes()
    Path("weights.safetensors").write_bytes(data[: len(data) // 2])


def torch_saved(value: object) -> Callable[[], None]:
    return lambda: torch.save(value, "weights.pt")


def renamed(tensors: dict[str, torch.Tensor]) -> None:
    for name in [name for name in tensors if name.startswith("lstm")]:
        tensors[f"rnn.{name}"] = tensors.pop(name)


PT = ["--weights", "weights.pt"]
BAD: list[tuple[list[str], Callable[[], None] | None, str]] = [
    (["--model", "strangr:make"], None, "there is no Python module strangr in"),
    (["--model", "stranger"], None, "'stranger' is not package.module:name"),
    (["--model", "stranger:maek"], None, "stranger has no maek; it has "),
    (["--model", "stranger:nothing"], None, "stranger:nothing is a NoneType, not something to call"),
    (["--model", "broken:make"], written("broken.py", b"1/0"), "importing broken fails with ZeroDivisionError"),
    (["--model", "leaving:make"], written("leaving.py", b"exit(3)"), "importing leaving fails with SystemExit"),
    (["--model", "needing:make"], written("needing.py", b"import nowhere"), "needs the module nowhere"),
    (["--model", "stranger:needs"], None, "stranger:needs(size) needs arguments"),
    (["--model", "stranger:number"], None, "stranger:number() gives a int, not a torch.nn.Module"),
    (["--model", "stranger:fails"], None, "stranger:fails() fails with RuntimeError: no disk"),
    (["--model", "stranger:linear"], None, "does not fit the model: it lacks 0.weight"),
    (["--model", "stranger:pair"], None, "lacks first.embedding.weight, first.lstm.weight_ih_l0"),
    (["--recurrent", "gru"], None, "no recurrent module 'gru': --recurrent is one of lstm"),
    ([], weights(renamed), "lacks lstm.weight_ih_l0, lstm.weight_hh_l0, lstm.bias_ih_l0 and 5 more; has besides"),
    ([], weights(lambda w: w.update({"readout.bias": torch.zeros(3)})), "where readout.bias is (3,), not (34,)"),
    ([], weights(lambda w: w.update({"readout.bias": torch.zeros(34).half()})), "readout.bias is float16"),
    ([], weights(lambda w: w["readout.bias"].fill_(torch.nan)), "readout.bias holds NaN or infinite"),
    ([], weights(lambda w: w["lstm.bias_ih_l1"].fill_(torch.inf)), "lstm.bias_ih_l1 holds NaN or infinite"),
    ([], cut_short, "is not a whole safetensors file"),
    (["--weights", "none.safetensors"], None, "there is no "),
    (PT, torch_saved({"state_dict": {}, "epoch": 3}), "holds no state_dict but state_dict, epoch"),
    (PT, torch_saved([1, 2]), "holds no state_dict but a list"),
    (PT, torch_saved(Payload()), "holds more than tensors, and the rest is not read, for it could run code"),
    (PT, written("weights.pt", pickle.dumps(Payload(), 2)), "holds more than tensors, and the rest"),
    (PT, written("weights.pt", pickle.dumps(Payload(), 4)), "is not a file that torch.save made"),
    (PT, written("weights.pt", b"PK\x03\x04 and no more"), "is not a file that torch.save made"),
    (["--vocabulary", "none.json"], None, "there is no "),
    ([], written("vocabulary.json", b"["), "vocabulary.json is not JSON"),
    ([], written("vocabulary.json", b'["ab", "cd"]'), "say which tokenizer reads a text"),
    ([], written("vocabulary.json", b'["a", "b"]'), "has 2 texts, and the model gives 34 logits"),
    (
        [],
        written("vocabulary.json", json.dumps([*CHARACTERS, "Q"]).encode()),
        "has 35 texts, and the model embeds 34",
    ),
    ([], written("corpus.txt", b""), "the corpus is empty"),
    ([], written("corpus.txt", b"a"), "the corpus is empty: no document with enough characters"),
    (
        [],
        written("corpus.txt", b"A" * 60),
        "corpus.txt holds the character 'A', which the network's vocabulary lacks",
    ),
    (["--corpus", "none.txt"], None, "there is no "),
    (["--sequences", "999"], None, "and train + valid + probe ask for 999"),
    (["--tokenizer", "stranger:far"], None, "gave the token 999, and the vocabulary has 0 to 33"),
    (["--tokenizer", "stranger:make"], None, "corpus.txt: the tokenizer fails with TypeError"),
    (["--set", "dump.signals=['reset_gate']"], None, "dump.signals ['reset_gate'] holds none of lstm"),
    (["--set", "dump.checkpoints=[5]"], None, "dump.checkpoints [5] are not kept; the network has [0]"),
    (["--set", "training.steps=5"], None, "a [network] is dumped as it is: take [training] out"),
    (["--set", "model.cell=gru"], None, "a [network] is dumped as it is: take [model] out"),
    (["--set", "network.modle=x"], None, "unknown key network.modle: did you mean network.model?"),
    (["--name", "No Spaces"], None, "a name has lower-case letters, digits, - and _"),
]


@pytest.mark.parametrize(("words", "prepare", "told"), BAD, ids=[told[:50] for _, _, told in BAD])
def test_bad_input_is_a_sentence_and_writes_nothing(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    prepare: Callable[[], None] | None,
    told: str,
) -> None:
    write_stranger(folder)
    if prepare:
        prepare()
    before = tree(folder)
    assert main([*flags(), *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.sub(r"\S*/", "", told) in re.sub(r"\S*/", "", err)
    assert len(err.splitlines()) == 1
    after = {path: data for path, data in tree(folder).items() if "__pycache__" not in path}
    assert after == {path: data for path, data in before.items() if "__pycache__" not in path}
    assert not Path("was_run").exists()


@pytest.mark.parametrize(
    ("factory", "told"),
    [
        ("linear", "holds no nn.LSTM, nn.GRU or nn.RNN, only the module itself (Sequential), 0 (Embedding), 1"),
        ("pair", "has 2 recurrent modules: say --recurrent with one of first.lstm, second.lstm"),
        ("both", "lstm has bidirectional, which the table has no place for: use `with unrolled.capture(module)`"),
        ("projected", "lstm has proj_size, which the table has no place for"),
        ("small", "has 34 texts, and the model embeds 4 tokens"),
        ("large", "has 34 texts, and the model gives 39 logits"),
        ("bare", "the model fails on tokens (1 sequence, 2 steps) of int64 with"),
    ],
)
def test_a_network_that_the_tables_have_no_place_for_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], factory: str, told: str
) -> None:
    write_stranger(folder, factory)
    assert main(flags(factory)) == 2
    assert told in capsys.readouterr().err
    assert not Path("lake").exists()


def test_one_of_several_recurrent_modules_is_dumped(folder: Path) -> None:
    write_stranger(folder, "pair")
    assert main([*flags("pair"), "--recurrent", "second.lstm"]) == 0
    assert pipeline.open("lake").fetch("select distinct layer from activations order by all")[
        "layer"
    ].to_pylist() == [
        0,
        1,
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["dump"], "what to dump? unrolled dump EXPERIMENT, or --model"),
        (["dump", "counting", "--model", "x:y"], "counting says what to dump: leave --model out"),
        (["dump", "--model", "x:y", "--corpus", "a"], "--weights, --vocabulary not given"),
    ],
)
def test_what_to_dump_is_said_once(capsys: pytest.CaptureFixture[str], words: list[str], told: str) -> None:
    assert main(words) == 2
    assert told in capsys.readouterr().err
