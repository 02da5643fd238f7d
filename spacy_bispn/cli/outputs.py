"""What extraction writes, a text at a time, and where a file that was left unfinished goes on.

A form is a context manager that yields `write(position, text)`; positions count the texts of the input.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path

from spacy_bispn.batch_inference.annotate import Source
from spacy_bispn.batch_inference.columns import DIGITS, FIELDS, arrow_schema, to_rows
from spacy_bispn.converters.formats.jsonl import to_item
from spacy_bispn.records import AnnotatedText
from spacy_bispn.settings import SettingError, Shown

Write = Callable[[int, AnnotatedText], None]

PARQUET = ".parquet"
BLOCK = 2**24  # bytes of CSV that become Parquet at once, more than any row has


@contextmanager
def jsonl_output(path: Path, append: bool) -> Iterator[Write]:
    """The package's own format, with the lists `entity_scores` and `relation_scores`."""
    with path.open("a" if append else "w", encoding="utf-8", newline="\n") as file:

        def write(_: int, text: AnnotatedText) -> None:
            found = text.extraction
            scores = {
                "entity_scores": [round(entity.score, DIGITS) for entity in found.entities],
                "relation_scores": [round(relation.score, DIGITS) for relation in found.relations],
            }
            file.write(json.dumps(to_item(text) | scores, ensure_ascii=False) + "\n")

        yield write


@contextmanager
def csv_output(path: Path, append: bool) -> Iterator[Write]:
    """A header and the rows of `to_rows`."""
    with path.open("a" if append else "w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, FIELDS)  # rows end as RFC 4180 has it: a lone "\r" in a cell is quoted
        if not file.tell():
            table.writeheader()

        def write(position: int, text: AnnotatedText) -> None:
            named = {"position": position, "id": text.id}
            table.writerows(named | row for row in to_rows(text))

        yield write


def unfinished(path: Path) -> Path:
    """The file that grows while texts are read: Parquet is made of rows as CSV when they are all there."""
    return path.with_name(f"{path.name}.part.csv") if path.suffix == PARQUET else path


def parquet_output(path: Path, append: bool) -> AbstractContextManager[Write]:
    """The rows of `to_rows`. The file is there when it is whole; until then, see `unfinished`.

    Raises SettingError where pyarrow is missing.
    """
    if find_spec("pyarrow") is None:
        shown = Shown("one of Parquet, but there is no pyarrow")
        advice = "pip install 'spacy-bispn[parquet]', or write .jsonl or .csv"
        raise SettingError(str(path), shown, "it to be installed", advice)
    return _parquet(path, append)


@contextmanager
def _parquet(path: Path, append: bool) -> Iterator[Write]:
    rows = unfinished(path)
    with csv_output(rows, append) as write:
        yield write
    _to_parquet(rows, path)
    rows.unlink()


def _to_parquet(rows: Path, path: Path) -> None:
    """Rows as CSV to Parquet, a block at a time."""
    from pyarrow import compute, parquet
    from pyarrow import csv as arrow_csv

    schema = arrow_schema(FIELDS)
    part = path.with_name(f"{path.name}.part")
    try:
        with (
            arrow_csv.open_csv(
                rows,
                read_options=arrow_csv.ReadOptions(block_size=BLOCK),
                parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=schema, null_values=[""], strings_can_be_null=True
                ),
            ) as blocks,
            parquet.ParquetWriter(str(part), schema) as table,
        ):
            for block in blocks:
                ids = compute.fill_null(block["id"], "")  # an id may be empty, and is there all the same
                table.write_batch(block.set_column(schema.get_field_index("id"), schema.field("id"), ids))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


FORMS: dict[str, Callable[[Path, bool], AbstractContextManager[Write]]] = {
    ".jsonl": jsonl_output,
    ".csv": csv_output,
    PARQUET: parquet_output,
}


def open_output(path: Path, append: bool) -> AbstractContextManager[Write]:
    """The output whose form the suffix names. Raises SettingError for a suffix without one."""
    if path.suffix not in FORMS:
        expected = f"one of {', '.join(FORMS)}"
        raise SettingError(
            f"the suffix of {path}", path.suffix, expected, "name another, the suffix chooses what is written"
        )
    return FORMS[path.suffix](path, append)


class Failures:
    """The side file of an output: a line for each text that could not be read or predicted on."""

    def __init__(self, output: Path) -> None:
        self.path = output.with_name(f"{output.name}.errors.jsonl")
        self.positions: set[int] = set()

    def keep(self, before: int | None = None) -> None:
        """Read what is there and keep what comes before a position; a half line goes."""
        lines = self.path.read_bytes().splitlines(keepends=True) if self.path.exists() else []
        rows = {line: json.loads(line)["position"] for line in lines if line.endswith(b"\n")}
        kept = {line: at for line, at in rows.items() if before is None or at < before}
        self.positions = set(kept.values())
        if kept:
            self.path.write_bytes(b"".join(kept))
        else:
            self.path.unlink(missing_ok=True)

    def add(self, source: Source, error: str) -> None:
        """Write one down, at once: it must never be behind the output."""
        self.positions.add(source.position)
        item = {"position": source.position, "id": source.id, "error": error}
        with self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(item, ensure_ascii=False) + "\n")


def resume(path: Path, failures: Failures) -> tuple[int, Source | None]:
    """Cut off what is half written: the position to go on with, and the last text of an unfinished output.

    JSONL goes on behind its last whole line. CSV goes on with the last text that has rows, whose rows
    are written again; that text's own text is not known.

    Raises ValueError where the file was not written by extraction.
    """
    try:
        failures.keep()
        position, last = (_whole_rows if path.suffix == ".csv" else _whole_lines)(path, failures.positions)
    except (ValueError, KeyError, TypeError, StopIteration, csv.Error) as error:
        raise ValueError(
            f"{path}: found content that cannot be continued ({error}), expected what this command wrote "
            f"before it stopped: name another file, or begin anew with --force."
        ) from error
    failures.keep(before=position)
    return position, last


def _whole_lines(path: Path, failed: set[int]) -> tuple[int, Source | None]:
    count = size = 0
    last = b""
    with path.open("rb+") as file:
        for line in file:
            if line.endswith(b"\n"):
                count, size, last = count + 1, size + len(line), line
        file.truncate(size)
    # Every text has a line in the output or in the side file, which may be ahead of it.
    position = written = 0
    for position in range(count + len(failed) + 1):
        if position not in failed:
            if written == count:
                break
            written += 1
    if not last:
        return position, None
    item = json.loads(last)
    at = max(one for one in range(position) if one not in failed)
    return position, Source(at, item["id"], item["text"])


def _whole_rows(path: Path, failed: set[int]) -> tuple[int, Source | None]:
    at = start = begin = 0
    last: Source | None = None
    record = b""
    with path.open("rb+") as file:
        for line in file:
            record, at = record + line, at + len(line)
            # Inside a quoted value the number of quotes is odd: such a line ends no row.
            if not line.endswith(b"\n") or record.count(b'"') % 2:
                continue
            if start:  # the first row is the header
                number, name = next(csv.reader([record.decode("utf-8")]))[:2]
                if last is None or last.position != int(number):
                    last, begin = Source(int(number), name, ""), start
            elif record.decode("utf-8").strip() != ",".join(FIELDS):
                raise ValueError("another header")
            record, start = b"", at
        file.truncate(begin)
    return (last.position, last) if last else (0, None)
