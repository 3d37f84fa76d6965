"""A few rows as a notebook shows them."""

from html import escape

import pyarrow as pa

from pipeline.queries.number import shown_number

_WIDEST = 200  # characters of a cell


def html_rows(table: pa.Table, more: str = "") -> str:
    """An HTML table: numbers to the right, texts as they are, NULL as nothing; `more` stands below it."""
    right = [pa.types.is_integer(field.type) or pa.types.is_floating(field.type) for field in table.schema]
    names = "".join(f"<th>{escape(name)}</th>" for name in table.column_names)
    columns = [column.to_pylist() for column in table.columns]
    rows = "".join(
        f"<tr>{''.join(_cell(value, is_right) for value, is_right in zip(row, right, strict=True))}</tr>"
        for row in zip(*columns, strict=True)
    )
    below = f"<p>{escape(more)}</p>" if more else ""
    return f"<table><thead><tr>{names}</tr></thead><tbody>{rows}</tbody></table>{below}"


def _cell(value: object, is_right: bool) -> str:  # noqa: FBT001  # of a private helper
    text = "" if value is None else shown_number(value) if isinstance(value, float) else str(value)
    text = text if len(text) <= _WIDEST else f"{text[:_WIDEST]}…"
    side = "right" if is_right else "left"
    return f'<td style="text-align: {side}; white-space: pre-wrap">{escape(text)}</td>'
