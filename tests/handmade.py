"""Networks built by hand, whose neurons are known, and the texts that they read.

`counting()` reads "AaXaaXYbbb\\n": a state A or B, a's with X's mixed in, Y, as many b's, the end of the line.

| neuron | name      | cell state                                                                       |
|--------|-----------|----------------------------------------------------------------------------------|
|      0 | counter   | +1 at each a, -1 at each b, blind to X (its input gate is 0 there), 0 after "\\n" |
|      1 | latch     | 1 after an A, -1 after a B, held until the Y, then 0                             |
|      2 | clock     | +0.1 at every step, whatever is read: follows `count_a` through position alone   |
|      3 | dead      | 0, always                                                                        |
|      4 | saturated | 0.7 of the last one, + 1, at X + 0.8: its hidden state is near 1 after a step|
|      5 | switch    | 1 at X and Y, -1 at all else                                                     |
|      6 | next      | after the Y: 1 where "\\n" comes next, -1 where a b does; 0 before it             |

`copying()` reads "bacXbac\\n". A letter is a: 1, b: 0, c: -1, and all other characters are 0.

| neuron | name   | cell state                                                               |
|--------|--------|--------------------------------------------------------------------------|
|      0 | slot_1 | the first letter, from when it is read to the end                        |
|    1-4 | last_k | the k-th last letter read; last_4 is the next character after the X      |
|      5 | begun  | 1 at every step, so that it never varies; slot_1 knows the first step by it |

All gates are 0 or 1 in float32 but where a comment says otherwise, so states are what one works out on paper.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor, nn

import pipeline
from pipeline.models.recurrent_lm import RecurrentLM
from schemas.experiment import Architecture
from schemas.signals import STACKED

OPEN, SHUT = 100.0, -100.0  # sigmoid is 1 and 0 in float32 exactly, tanh is 1 and -1
TENTH = float(np.arctanh(0.1))
EIGHT_TENTHS = float(np.arctanh(0.8))
SEVEN_TENTHS = float(np.log(7 / 3))  # sigmoid is 0.7


@dataclass(frozen=True)
class Handmade:
    """A network of one LSTM layer, and what it reads."""

    model: RecurrentLM
    vocabulary: str  # the character of each token
    texts: tuple[str, ...]  # all different
    neurons: tuple[str, ...]  # the name of each

    def tokens(self, text: str) -> Tensor:
        """A text's tokens, (steps,) int64."""
        return torch.tensor([self.vocabulary.index(character) for character in text])

    def signals(self, texts: tuple[str, ...] | None = None) -> dict[str, np.ndarray]:
        """Every signal over some texts (all), laid end to end: (neurons, steps) float32 each."""
        parts: dict[str, list[np.ndarray]] = {}
        for text in self.texts if texts is None else texts:
            captured = pipeline.capture(self.model)(self.tokens(text)[None])["recurrent"]
            for name in captured:
                parts.setdefault(name, []).append(captured[name][0, 0, 0].numpy().T)
        return {name: np.concatenate(own, 1) for name, own in parts.items()}


def counting() -> Handmade:
    """See the table of this module."""
    neurons = ("counter", "latch", "clock", "dead", "saturated", "switch", "next")
    weights = _Weights("\nABXYab", neurons)

    weights.set("counter", "input_gate", SHUT, a=OPEN, b=OPEN)
    weights.set("counter", "forget_gate", OPEN, end=SHUT)
    weights.set("counter", "candidate", 0.0, a=OPEN, b=SHUT)
    weights.set("latch", "input_gate", SHUT, A=OPEN, B=OPEN)
    weights.set("latch", "forget_gate", OPEN, Y=SHUT)
    weights.set("latch", "candidate", 0.0, A=OPEN, B=SHUT)
    weights.set("clock", "input_gate", OPEN)
    weights.set("clock", "forget_gate", OPEN)
    weights.set("clock", "candidate", TENTH)
    weights.set("saturated", "input_gate", OPEN)
    weights.set("saturated", "forget_gate", SEVEN_TENTHS)
    weights.set("saturated", "candidate", OPEN, X=EIGHT_TENTHS)
    weights.set("switch", "input_gate", OPEN)
    weights.set("switch", "forget_gate", SHUT)
    weights.set("switch", "candidate", SHUT, X=OPEN, Y=OPEN)
    # Before the last b the counter shows tanh(1) = 0.76, before the others tanh(2) = 0.96 or more: between them
    # lies 0.86. At Y a b always comes next.
    weights.set("next", "input_gate", SHUT, Y=OPEN, b=OPEN)
    weights.set("next", "forget_gate", SHUT)
    weights.set("next", "candidate", 0.0, Y=10 * SHUT, b=0.86 * 4 * OPEN)
    weights.read("next", "candidate", "counter", 4 * SHUT)
    for neuron in neurons:
        if neuron != "dead":
            weights.set(neuron, "output_gate", OPEN)
    return Handmade(weights.model, weights.vocabulary, _counting_texts(), neurons)


def copying() -> Handmade:
    """See the table of this module."""
    neurons = ("slot_1", "last_1", "last_2", "last_3", "last_4", "begun")
    weights = _Weights("\nXabc", neurons)
    for neuron in neurons:
        weights.set(neuron, "input_gate", OPEN)
        weights.set(neuron, "forget_gate", SHUT)
        weights.set(neuron, "output_gate", OPEN)

    weights.set("begun", "candidate", OPEN)
    weights.set("slot_1", "forget_gate", OPEN)
    weights.read("slot_1", "input_gate", "begun", 4 * SHUT)  # which shows 0 before the first step, then 0.76
    for reader in ("slot_1", "last_1"):
        weights.set(reader, "candidate", 0.0, a=OPEN, c=SHUT)
    for reader, read in zip(neurons[2:5], neurons[1:4], strict=True):
        weights.read(reader, "candidate", read, OPEN)  # tanh(100 * 0.76) = 1: nothing is lost on the way
    texts = tuple(f"{letters}X{letters}\n" for letters in map("".join, product("abc", repeat=3)))
    return Handmade(weights.model, weights.vocabulary, texts, neurons)


class _Weights:
    """A network of one LSTM layer, without any weight but those that are set."""

    def __init__(self, vocabulary: str, neurons: tuple[str, ...]) -> None:
        self.vocabulary, self._neurons = vocabulary, neurons
        self.model = RecurrentLM(
            Architecture(cell="lstm", layers=1, hidden_size=len(neurons), vocabulary_size=len(vocabulary))
        )
        for parameter in self.model.parameters():
            nn.init.zeros_(parameter)
            parameter.requires_grad_(False)

    def set(self, neuron: str, gate: str, otherwise: float, **at: float) -> None:
        """A gate or candidate before its squashing: at some characters (`end` is the line's), and otherwise."""
        at = {"\n" if name == "end" else name: value for name, value in at.items()}
        row = torch.tensor([at.get(character, otherwise) for character in self.vocabulary])
        self._named("weight_ih_l0")[self._row(neuron, gate)] = row

    def read(self, neuron: str, gate: str, other: str, weight: float) -> None:
        """How much of another neuron's hidden state a gate or candidate adds."""
        self._named("weight_hh_l0")[self._row(neuron, gate), self._neurons.index(other)] = weight

    def _named(self, name: str) -> Tensor:
        parameters: Mapping[str, Tensor] = dict(self.model.recurrent.named_parameters())
        return parameters[name]

    def _row(self, neuron: str, gate: str) -> int:
        return STACKED["lstm"].index(gate) * len(self._neurons) + self._neurons.index(neuron)


def _counting_texts() -> tuple[str, ...]:
    """Every state and n of 1..8, each with several mixtures of X's; the same at each call."""
    drawn, texts = random.Random(0), set()
    for state, n, noise in product("AB", range(1, 9), (0, 2, 4, 6)):
        letters = list("a" * n + "X" * noise)
        drawn.shuffle(letters)
        texts.add(f"{state}{''.join(letters)}Y{'b' * n}\n")
    return tuple(sorted(texts))
