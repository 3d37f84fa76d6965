"""Hypotheses by an SQL expression, on rows of `steps` that can be checked by eye."""

import pyarrow as pa
import pytest

from pipeline.queries.expression import check_expression, expression_rows
from schemas.corpus import STEPS
from schemas.errors import UsageError
from schemas.score_settings import Definition

TEXT = "aXbX\n"


def steps(first: int) -> pa.Table:
    """Two sequences of TEXT, from a number on."""
    columns = {
        "sequence": [first] * 5 + [first + 1] * 5,
        "step": [0, 1, 2, 3, 4] * 2,
        "token": [1, 2, 3, 2, 0] * 2,
        "char": list(TEXT) * 2,
        "target": [*TEXT[1:], None] * 2,
        "determined": [False] * 10,
    }
    return pa.table(columns, schema=STEPS.schema)


EXPRESSIONS: dict[str, tuple[str, list[float | None]]] = {  # an expression, its values over the first sequence
    "null on the text it is tried on": ("case when char = 'X' then 1 end", [None, 1, None, 1, None]),
    "null everywhere": ("case when char = 'q' then 2.5 end", [None] * 5),
    "null itself": ("null", [None] * 5),
    "null in a later shard": ("case when sequence < 100 then step end", [0, 1, 2, 3, 4]),
    "a boolean that is null": ("case when char = 'X' then target = 'b' end", [None, 1, None, 0, None]),
    "null but at the last": ("nullif(determined, false)", [None] * 5),
    "a decimal": ("step / 2 + 0.25", [0.25, 0.75, 1.25, 1.75, 2.25]),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_may_say_nothing_at_any_step(name: str) -> None:
    sql, values = EXPRESSIONS[name]
    definition = Definition(name="h", sql=sql)
    check_expression(definition)
    assert expression_rows(definition, steps(0))["value"].to_pylist() == values * 2
    later = expression_rows(definition, steps(100))["value"].to_pylist()
    assert later == ([None] * 10 if "later shard" in name else values * 2)


def test_text_names_a_category() -> None:
    rows = expression_rows(Definition(name="h", sql="case when char <> 'b' then char || target end"), steps(0))
    assert rows["category"].to_pylist() == ["aX", "Xb", None, "X\n", None] * 2
    assert rows["value"].null_count == 10


def test_text_is_no_yes_or_no() -> None:
    with pytest.raises(UsageError, match="h: char gives VARCHAR, against its yes_no = true"):
        check_expression(Definition(name="h", sql="char", yes_no=True))


def test_no_rows_give_none() -> None:
    assert len(expression_rows(Definition(name="h", sql="step", yes_no=True), steps(0).slice(0, 0))) == 0


@pytest.mark.parametrize("sql", ["1 / (step - 1)", "'nan'::double", "case when step = 1 then 'inf'::float end"])
def test_what_is_no_finite_number_is_refused(sql: str) -> None:
    with pytest.raises(UsageError, match="h gives infinite values or NaN: let it give NULL there"):
        expression_rows(Definition(name="h", sql=sql), steps(0))


def test_yes_no_is_held_to_what_there_is() -> None:
    with pytest.raises(UsageError, match="gives other values than 0 and 1"):
        expression_rows(Definition(name="h", sql="case when char = 'X' then 2 end", yes_no=True), steps(0))
    rows = expression_rows(Definition(name="h", sql="case when char = 'X' then 1 end", yes_no=True), steps(0))
    assert rows["value"].null_count == 6
