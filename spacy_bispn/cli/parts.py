"""Input in parts and a Parquet file for each: what the workers of an engine do, whichever it is.

A part is a few minutes of work: a stretch of a file, or several small files. Its file has a name that
depends on what the part is made of, and is there when it is whole. Paths are those of fsspec: local ones,
or URLs such as `s3://bucket/texts/*.parquet`.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import chain, islice
from json import dumps, loads
from pathlib import Path
from typing import Any
from uuid import uuid4

from spacy_bispn.batch_inference.annotate import Source
from spacy_bispn.batch_inference.columns import arrow_schema
from spacy_bispn.batch_inference.predictor import BatchPredictor
from spacy_bispn.cli.texts import decode_text, parse_line
from spacy_bispn.converters import FilePosition
from spacy_bispn.settings import SettingError, Shown

KINDS = (".parquet", ".jsonl", ".txt")
PART_BYTES = 2**22  # of input in a part
ROWS = 1024  # read, predicted on and written at once
SUCCESS, TEMPORARY = "_SUCCESS", "_temporary"  # engines take names with "_" for no data
LINES = {"id": str, "text": str, "other_keys": str}  # columns of JSON Lines and text


@dataclass(frozen=True)
class Piece:
    """A stretch of a file: bytes, or rows of Parquet. The end is exclusive."""

    path: str
    start: int
    end: int


@dataclass(frozen=True)
class Part:
    """What becomes one file.

    name: that of the file.
    source: the input as it was given.
    kind: the suffix of its files.
    whole: whether each file is one text.
    root: the folder that ids of texts are relative to.
    """

    name: str
    source: str
    kind: str
    whole: bool
    root: str
    pieces: tuple[Piece, ...]

    def to_json(self) -> str:
        """As a string, for an engine to send."""
        return dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Part:
        """The part of which this is the `to_json`."""
        item = loads(line)
        return cls(**item | {"pieces": tuple(Piece(**piece) for piece in item["pieces"])})


def open_filesystem(path: str) -> tuple[Any, str]:
    """The filesystem of a path or URL, and the path in it."""
    from fsspec.core import url_to_fs

    found: tuple[Any, str] = url_to_fs(path)
    return found


def plan(source: str, model: str) -> list[Part]:
    """The parts of a file, a folder or a glob. The same input and model give the same parts.

    A folder stands for its files of one kind, also in folders below; each `.txt` in it is one text. Names
    that begin with "." or "_" do not count.

    Raises SettingError where there are no such files, or files of several kinds.
    """
    fs, path = open_filesystem(source)
    folder = fs.isdir(path)
    found = fs.find(path, detail=True) if folder else fs.glob(path, detail=True)
    if not folder and fs.isfile(path):
        found = {path: fs.info(path)}
    root = path if folder else re.split(r"[*?\[]", path)[0].rpartition("/")[0]
    files = {
        name: info for name, info in sorted(found.items())
        if info["type"] == "file" and not re.search(r"/[._]", name[len(root) :])
    }  # fmt: skip
    kinds = {kind: sum(name.endswith(kind) for name in files) for kind in KINDS}
    there = [kind for kind, count in kinds.items() if count]
    if len(there) != 1:
        counts = ", ".join(f"{kinds[kind]} {kind}" for kind in there) or f"none of {len(files)}"
        advice = "name one kind with a glob in quotes, such as 'texts/**/*.jsonl'"
        raise SettingError(
            "SOURCE", Shown(f"{source}, with files {counts}"), f"one of {', '.join(KINDS)}", advice
        )
    kind = there[0]
    whole = folder and kind == ".txt"
    pieces = (
        (piece, weight, info)
        for name, info in files.items()
        if name.endswith(kind)
        for piece, weight in _pieces(fs, name, info["size"], kind, whole)
    )
    parts = []
    for number, group in enumerate(_grouped(pieces)):
        # what shows that a file is no longer what it was, as far as its filesystem knows
        state = [
            (asdict(piece), info["size"], str(info.get("mtime", info.get("ETag"))))
            for piece, _, info in group
        ]
        digest = sha256(dumps([model, whole, state]).encode()).hexdigest()[:16]
        name = f"part-{number:05d}-{digest}.parquet"
        parts.append(Part(name, source, kind, whole, root, tuple(piece for piece, *_ in group)))
    return parts


def _pieces(fs: Any, path: str, size: int, kind: str, whole: bool) -> Iterator[tuple[Piece, int]]:
    """The pieces of a file, each with how much of a part it is, in bytes."""
    end, step = size, size if whole else PART_BYTES
    if kind == ".parquet":
        from pyarrow.parquet import ParquetFile

        with fs.open(path, "rb") as file:
            end = ParquetFile(file).metadata.num_rows
        step = max(1, end * PART_BYTES // max(size, 1))
    for start in range(0, end, max(step, 1)):
        stop = min(start + step, end)
        # files of Parquet may differ in their columns: none shares a part with another
        yield Piece(path, start, stop), PART_BYTES if kind == ".parquet" else stop - start


def _grouped(pieces: Iterable[tuple[Piece, int, Any]]) -> Iterator[list[tuple[Piece, int, Any]]]:
    group: list[tuple[Piece, int, Any]] = []
    for piece in pieces:
        if group and sum(weight for _, weight, _ in group) + piece[1] > PART_BYTES:
            yield group
            group = []
        group.append(piece)
    if group:
        yield group


class PartWriter:
    """Predicts on one part and writes its file; an actor of Ray, a function for Spark.

    The call takes `Part.to_json` and returns how many texts the part has and how many of them failed.
    """

    def __init__(self, predictor: BatchPredictor, output: str) -> None:
        self.predictor, self.output = predictor, output

    def __call__(self, row: dict[str, str]) -> dict[str, int]:
        """Write a part, in place of what another attempt wrote."""
        from pyarrow import parquet

        part = Part.from_json(row["part"])
        fs, folder = open_filesystem(self.output)
        growing = f"{folder}/{TEMPORARY}/{part.name}-{uuid4().hex}"
        fs.makedirs(f"{folder}/{TEMPORARY}", exist_ok=True)
        texts = failed = 0
        writer = None
        with fs.open(growing, "wb") as file:
            for table in self._tables(part):
                writer = writer or parquet.ParquetWriter(file, table.schema)
                writer.write_table(table)
                texts += len(table)
                failed += len(table) - table["error"].null_count
            if writer:
                writer.close()
        fs.mv(growing, f"{folder}/{part.name}")
        return {"texts": texts, "failed": failed}

    def _tables(self, part: Part) -> Iterator[Any]:
        """What becomes of a part, some rows at a time; at least one table."""
        import pyarrow

        fs, _ = open_filesystem(part.source)
        if part.kind == ".parquet":
            yield from map(self.predictor, chain.from_iterable(_rows(fs, piece) for piece in part.pieces))
            return
        lines = chain.from_iterable(_lines(fs, part, piece) for piece in part.pieces)
        schema = arrow_schema(LINES)
        rows = list(islice(lines, ROWS))
        while True:
            _, new = self.predictor.columns([source for source, _ in rows])
            items = [{"id": source.id, "text": source.text, "other_keys": other} for source, other in rows]
            table = pyarrow.Table.from_pylist(items, schema=schema)
            for field in new.schema:
                table = table.append_column(field, new[field.name])
            yield table
            rows = list(islice(lines, ROWS))
            if not rows:
                return


def _rows(fs: Any, piece: Piece) -> Iterator[Any]:
    """Rows of a Parquet file as tables, without reading the row groups beside them."""
    import pyarrow
    from pyarrow.parquet import ParquetFile

    with fs.open(piece.path, "rb") as file:
        parquet = ParquetFile(file)
        at = 0
        for group in range(parquet.num_row_groups):
            count = parquet.metadata.row_group(group).num_rows
            if piece.start < at + count and at < piece.end:
                begin = at
                for batch in parquet.iter_batches(ROWS, row_groups=[group]):
                    first, last = max(piece.start - begin, 0), min(piece.end - begin, len(batch))
                    if first < last:
                        yield pyarrow.Table.from_batches([batch.slice(first, last - first)])
                    begin += len(batch)
            at += count


def _lines(fs: Any, part: Part, piece: Piece) -> Iterator[tuple[Source, str | None]]:
    """The texts of a piece, each with the other keys of its object. A line belongs where it begins."""
    path, name = Path(piece.path), piece.path[len(part.root) :].lstrip("/")
    with fs.open(piece.path, "rb") as file:
        if part.whole:
            content = file.read().removeprefix(BOM_UTF8)
            if content.strip():
                at = FilePosition(path, "whole file")
                yield decode_text(at, content, 0, name.removesuffix(part.kind)), None
            return
        if piece.start:
            file.seek(piece.start - 1)
            file.readline()
        start = file.tell()
        while start < piece.end and (line := file.readline()):
            content = line if start else line.removeprefix(BOM_UTF8)
            if content.strip():
                source = parse_line(FilePosition(path, f"byte {start}"), content, 0, f"{name}:{start}")
                yield source, _other_keys(source, content, part.kind)
            start += len(line)


def _other_keys(source: Source, line: bytes, kind: str) -> str | None:
    """The keys of an object beside `id` and `text`, as JSON."""
    if kind != ".jsonl" or source.error:
        return None
    item = {key: value for key, value in loads(line).items() if key not in ("id", "text")}
    return dumps(item, ensure_ascii=False) if item else None
