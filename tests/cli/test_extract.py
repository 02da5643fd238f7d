"""`spacy bispn extract`, called in this process: what it writes, how it goes on, what it says of failures."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import spacy
from click.testing import Result
from pipelines import initialize, make_nlp, make_text, pipe_of, tiny
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from typer.testing import CliRunner

from spacy_bispn.batch_inference import annotate as batches
from spacy_bispn.batch_inference.annotate import Source, annotate
from spacy_bispn.batch_inference.columns import FIELDS
from spacy_bispn.cli import app
from spacy_bispn.cli.outputs import Failures, open_output, resume, unfinished
from spacy_bispn.cli.texts import count_texts, stream_texts
from spacy_bispn.converters.formats.jsonl import read_jsonl
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation

TEXTS = [f"Tem{number} binds Dal{number * 7}, twice." for number in range(11)]


@Language.component("fails_on_question_marks")
def fails_on_question_marks(doc: Doc) -> Doc:
    if "?" in doc.text:
        raise ValueError(f"cannot answer {doc.text!r}")
    return doc


def run(*words: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["extract", *(str(word) for word in words)])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained pipeline without thresholds, which says a lot; a question mark is too much for it."""
    zero = {"type_threshold": 0.0, "relation_threshold": 0.0, "boundary_threshold": 0.0}
    learned = {"queries": "learned", "positional_queries": False, "entity_queries": 6, "relation_queries": 4}
    nlp = make_nlp(tiny(learned, **zero))
    initialize(nlp, [make_text("Tem2 binds Dal92.", [("Tem2", "P"), ("Dal92", "P")], [(0, 1, "BINDS")])])
    pipe_of(nlp).cfg["relation_labels"] = ["binds"]
    nlp.add_pipe("fails_on_question_marks", first=True)
    folder = tmp_path_factory.mktemp("model")
    nlp.to_disk(folder)
    return folder


@pytest.fixture(scope="module")
def nlp(model: Path) -> Language:
    nlp = spacy.load(model)
    nlp.max_length = 1000  # which is not saved
    return nlp


@pytest.fixture(autouse=True)
def loaded_once(model: Path, nlp: Language, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "load_model", lambda name: nlp if name == str(model) else spacy.blank("en"))


def write(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf8")
    return path


def errors(output: Path) -> list[dict[str, Any]]:
    path = output.with_name(f"{output.name}.errors.jsonl")
    return [json.loads(line) for line in path.read_text("utf8").splitlines()] if path.exists() else []


# what is written


def test_jsonl_is_the_packages_own_format_with_scores(model: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    items = [{"text": TEXTS[0], "id": "a"}, {"text": TEXTS[1], "id": 7}, {"text": TEXTS[2]}]
    write(source, [json.dumps(items[0]), "", *map(json.dumps, items[1:])])
    assert "3 texts in" in run(model, source, tmp_path / "new" / "out.jsonl").output
    texts = read_jsonl(tmp_path / "new" / "out.jsonl").texts
    assert [(text.id, text.text) for text in texts] == [("a", TEXTS[0]), ("7", TEXTS[1]), ("2", TEXTS[2])]
    lines = (tmp_path / "new" / "out.jsonl").read_text("utf8").splitlines()
    for line, text in zip(lines, texts, strict=True):
        item = json.loads(line)
        assert len(item["entity_scores"]) == len(text.extraction.entities) > 0
        assert len(item["relation_scores"]) == len(item["relations"])
        assert all(0 <= score <= 1 for score in item["entity_scores"])


def test_csv_has_a_row_for_each_entity_and_relation(model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "in.txt", TEXTS[:3])
    run(model, source, tmp_path / "out.csv")
    run(model, source, tmp_path / "out.jsonl")
    with (tmp_path / "out.csv").open(encoding="utf8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = read_jsonl(tmp_path / "out.jsonl").texts
    found = [x for text in texts for x in text.extraction.entities]
    assert [(row["start"], row["end"], row["label"]) for row in rows if row["kind"] == "entity"] == [
        (str(x.start), str(x.end), x.label) for x in found
    ]
    relations = [row for row in rows if row["kind"] == "relation"]
    assert len(relations) == sum(len(text.extraction.relations) for text in texts)
    for row in relations:
        text = TEXTS[int(row["position"])]
        assert row["head"] == text[int(row["head_start"]) : int(row["head_end"])]
        assert row["tail_label"] == "P" and row["text"] == ""


def test_parquet_has_the_rows_of_csv(model: Path, tmp_path: Path) -> None:
    from pyarrow import parquet

    source = write(tmp_path / "in.txt", TEXTS[:3])
    run(model, source, tmp_path / "out.csv")
    run(model, source, tmp_path / "out.parquet")
    with (tmp_path / "out.csv").open(encoding="utf8", newline="") as file:
        expected = list(csv.DictReader(file))
    rows = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows] == expected


def test_parquet_goes_on_as_if_it_had_never_stopped(model: Path, tmp_path: Path) -> None:
    from pyarrow import parquet

    source, output = write(tmp_path / "in.txt", TEXTS), tmp_path / "out.parquet"
    run(model, source, tmp_path / "out.csv", "-b", 4)
    run(model, source, output, "-b", 4)
    whole, rows = parquet.read_table(output), (tmp_path / "out.csv").read_bytes()
    output.unlink()
    for size in (0, len(rows) // 2, len(rows)):
        unfinished(output).write_bytes(rows[:size])
        said = " ".join(run(model, source, output, "-b", 4, code=1).output.split())
        assert "out.parquet.part.csv, which exists, expected a new file: continue it with --resume" in said
        run(model, source, output, "-b", 4, "--resume")
        assert parquet.read_table(output).equals(whole)
        before = output.stat().st_mtime_ns
        said = " ".join(run(model, source, output, "--resume").output.split())
        assert "out.parquet is whole" in said
        assert output.stat().st_mtime_ns == before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.csv", "out.parquet"]
        output.unlink()


def test_parquet_of_texts_in_which_nothing_is_found(tmp_path: Path) -> None:
    from pyarrow import parquet

    with open_output(tmp_path / "out.parquet", append=False) as put:
        put(0, AnnotatedText("a", "x", Extraction()))
    table = parquet.read_table(tmp_path / "out.parquet")
    assert (table.num_rows, table.column_names) == (0, list(FIELDS))


def test_parquet_of_an_empty_id_and_a_huge_entity(tmp_path: Path) -> None:
    from pyarrow import parquet

    huge = "x" * 3_000_000
    with open_output(tmp_path / "out.parquet", append=False) as put:
        put(0, AnnotatedText("", huge, Extraction((Entity(0, len(huge), "A"),))))
    (row,) = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert (row["id"], row["text"], row["head"]) == ("", huge, None)


def test_processes_cannot_share_a_gpu(model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "in.txt", TEXTS)
    result = run(model, source, tmp_path / "a.jsonl", "--gpu-id", 0, "--n-process", 2, code=1)
    printed = " ".join(result.output.split())
    assert "--n-process is 2 with a GPU, expected 1: forked processes cannot use it" in printed


def test_processes_and_batches_change_nothing(model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "in.txt", [*TEXTS, "why?"])
    run(model, source, tmp_path / "a.jsonl", "-b", 4, code=1)
    run(model, source, tmp_path / "b.jsonl", "-b", 4, "--n-process", 2, code=1)
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert errors(tmp_path / "a.jsonl") == errors(tmp_path / "b.jsonl") != []


# failures


def test_a_text_fails_alone_and_is_named(model: Path, tmp_path: Path) -> None:
    items = [json.dumps({"id": name, "text": text}) for name, text in zip("abcd", TEXTS[:4], strict=True)]
    items[1] = json.dumps({"id": "b", "text": "why?"})
    items[2:2] = ["{", json.dumps({"text": 1}), json.dumps({"text": "x", "id": []})]
    items += [json.dumps({"id": "long", "text": "x " * 600})]
    source = tmp_path / "in.jsonl"
    source.write_bytes("\n".join([*items, ""]).encode() + b'{"text": "\xff"}\n')
    said = " ".join(run(model, source, tmp_path / "out.jsonl", code=1).output.split())
    assert "3 texts in" in said and "6 of 9 texts failed" in said
    found = {x["id"]: x["error"] for x in errors(tmp_path / "out.jsonl")}
    assert [x.id for x in read_jsonl(tmp_path / "out.jsonl").texts] == ["a", "c", "d"]
    assert found["b"] == "ValueError: cannot answer 'why?'"
    assert "invalid JSON" in found["2"] and "a value of type str" in found["3"]
    assert "expected a string or a whole number" in found["4"]
    assert "1000" in found["long"] and "UTF-8" in found["8"]


def test_a_batch_that_a_component_gives_up_is_tried_text_by_text(
    model: Path, nlp: Language, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = type(pipe_of(nlp))
    predict = pipe.predict

    def careful(self: Any, docs: Any) -> Any:
        if any("Tem3" in doc.text for doc in docs):
            raise MemoryError("too much")
        return predict(self, docs)

    source = write(tmp_path / "in.txt", TEXTS)
    run(model, source, tmp_path / "whole.jsonl", "-b", 4)
    monkeypatch.setattr(pipe, "predict", careful)
    run(model, source, tmp_path / "out.jsonl", "-b", 4, code=1)
    assert errors(tmp_path / "out.jsonl") == [{"position": 3, "id": "3", "error": "MemoryError: too much"}]
    whole = read_jsonl(tmp_path / "whole.jsonl").texts
    assert read_jsonl(tmp_path / "out.jsonl").texts == whole[:3] + whole[4:]


class Picky:
    """A component that takes no error handler, as spaCy's `ner` and `parser`, and raises for one text."""

    def __call__(self, doc: Doc) -> Doc:
        if "Tem3" in doc.text:
            raise ValueError("not Tem3")
        return doc

    def pipe(self, stream: Iterable[Doc], **_: Any) -> Iterator[Doc]:
        yield from map(self, stream)


Language.component("picky", func=Picky())


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_component_without_an_error_handler_fails_for_its_text_alone(model: Path, processes: int) -> None:
    mixed = spacy.load(model)
    mixed.add_pipe("picky")
    texts = [Source(number, str(number), text) for number, text in enumerate(TEXTS)]
    found = [one for _, one in annotate(mixed, iter(texts), 2, processes)]
    wrong = {number: one for number, one in enumerate(found) if isinstance(one, str)}
    assert len(found) == len(TEXTS) and wrong == {3: "ValueError: not Tem3"}


def test_a_pipeline_with_an_ner(model: Path) -> None:
    """spaCy's `ner` has a `set_error_handler` that raises AttributeError."""
    mixed = spacy.load(model)
    gold = Example.from_dict(mixed.make_doc("Tem2"), {"entities": [(0, 4, "P")]})
    mixed.add_pipe("ner", first=True).initialize(lambda: [gold], nlp=mixed)
    texts = [Source(number, str(number), text) for number, text in enumerate([*TEXTS, "why?"])]
    found = [one for _, one in annotate(mixed, iter(texts), 4, 1)]
    assert [isinstance(one, Doc) for one in found] == [True] * len(TEXTS) + [False]
    assert found[-1] == "ValueError: cannot answer 'why?'"


# going on


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_going_on_equals_never_having_stopped(model: Path, tmp_path: Path, suffix: str) -> None:
    texts = [*TEXTS[:3], "why?", *TEXTS[3:], "how?"]
    source, output = write(tmp_path / "in.txt", texts), tmp_path / f"out{suffix}"
    run(model, source, output, "-b", 4, code=1)
    side = tmp_path / f"out{suffix}.errors.jsonl"
    whole, failed = output.read_bytes(), side.read_bytes()
    for size in (0, len(whole) // 3, len(whole) // 2, len(whole) - 1, len(whole)):
        output.write_bytes(whole[:size])  # the side file may be ahead
        run(model, source, output, "-b", 4, "--resume", code=1)
        assert (output.read_bytes(), side.read_bytes()) == (whole, failed)


ODD = make_text('a "b"\nc,\rd ü e\rf', [('"b"\nc', "x,y"), ("d", '"'), ("e\rf", "z")], [(0, 1, "r\n")])


def work(output: Path, position: int, count: int = 7) -> None:
    """Write some texts of which every third fails and the last says nothing, as the command does."""
    failures = Failures(output)
    failures.keep(before=position)
    with open_output(output, append=bool(position)) as put:
        for number in range(position, count):
            if number % 3 == 1:
                failures.add(Source(number, str(number), ""), "no")
            else:
                extraction = ODD.extraction if number < count - 1 else Extraction()
                put(number, AnnotatedText(str(number), ODD.text, extraction))


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_every_place_to_stop_at(tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"out{suffix}"
    work(output, 0)
    side = Failures(output).path
    whole, failed = output.read_bytes(), side.read_bytes()
    for size in range(len(whole) + 1):
        output.write_bytes(whole[:size])
        side.write_bytes(failed)
        position, last = resume(output, Failures(output))
        if last is not None:
            assert last.id == str(last.position) and last.position % 3 != 1
            assert last.text == (ODD.text if suffix == ".jsonl" else "")
        if not position:
            output.unlink()
        work(output, position)
        assert (output.read_bytes(), side.read_bytes()) == (whole, failed), size


def test_parquet_holds_whatever_a_text_may_hold(tmp_path: Path) -> None:
    from pyarrow import parquet

    for suffix in (".csv", ".parquet"):
        work(tmp_path / f"out{suffix}", 0)
    with (tmp_path / "out.csv").open(encoding="utf8", newline="") as file:
        expected = list(csv.DictReader(file))
    rows = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows] == expected
    assert {row["text"] for row in rows} == {'"b"\nc', "d", "e\rf", None}


def test_a_finished_output_stays_as_it_is_and_force_begins_anew(model: Path, tmp_path: Path) -> None:
    source, output = write(tmp_path / "in.txt", ["why?", *TEXTS[:2]]), tmp_path / "out.jsonl"
    run(model, source, output, "--resume", code=1)  # nothing to go on with: it begins
    whole = output.read_bytes()
    run(model, source, output, "--resume", code=1)
    assert output.read_bytes() == whole
    run(model, write(source, TEXTS[:1]), output, "--force")
    assert output.read_bytes().count(b"\n") == 1 and errors(output) == []


# what is wrong


@pytest.mark.parametrize(
    ("source", "output", "content", "options", "words"),
    [
        ("in.csv", "out.jsonl", None, [], ["'.csv'", "expected .txt or .jsonl", "one text a line"]),
        ("in.txt", "out.xml", None, [], ["'.xml'", "one of .jsonl, .csv, .parquet", "the suffix chooses"]),
        ("in.txt", "out.jsonl", "", [], ["which exists", "expected a new file", "--resume", "--force"]),
        ("in.txt", "out.jsonl", "a\n", ["-r"], ["cannot be continued", "what this command wrote", "--force"]),
        ("in.txt", "out.csv", "a,b\n1,2\n", ["-r"], ["another header", "what this command wrote", "--force"]),
        (
            "in.txt",
            "out.jsonl",
            '{"id": "0", "text": "z"}\n',
            ["-r"],
            ["'0' 'z'", "the same input", "--force"],
        ),
        (
            "in.txt",
            "out.parquet",
            "",
            [],
            ["which exists", "a new file", "continue it with --resume"],
        ),
        ("in.jsonl", "in.jsonl", "{}", ["-F"], ["SOURCE and OUTPUT", "a place for each", "another name"]),
        ("in.txt", "out.jsonl", None, ["-m"], ["no components", "factory 'bispn'", "name a pipeline"]),
    ],
)
def test_extract_says_what_is_wrong(
    model: Path,
    tmp_path: Path,
    source: str,
    output: str,
    content: str | None,
    options: list[str],
    words: list[str],
) -> None:
    write(tmp_path / source, TEXTS)
    if content is not None:
        (tmp_path / output).write_text(content, encoding="utf8")
    name = "other" if options == ["-m"] else model
    flags = [option for option in options if option != "-m"]
    said = " ".join(run(name, tmp_path / source, tmp_path / output, *flags, code=1).output.split())
    for word in words:
        assert word in said
    assert not (tmp_path / output).exists() or (tmp_path / output).read_text("utf8") == content


def test_parquet_wants_pyarrow(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spacy_bispn.cli.outputs.find_spec", lambda name: None)
    source = write(tmp_path / "in.txt", TEXTS)
    said = " ".join(run(model, source, tmp_path / "out.parquet", code=1).output.split())
    assert "there is no pyarrow" in said and "pip install 'spacy-bispn[parquet]'" in said


# texts


def test_the_files_of_a_glob_are_read_in_their_order(model: Path, tmp_path: Path) -> None:
    for name, texts in (("a/2.txt", TEXTS[:2]), ("a/b/1.txt", TEXTS[2:5]), ("a/3.md", ["no"])):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path / name, texts)
    said = " ".join(run(model, tmp_path / "a" / "**" / "*.txt", tmp_path / "out.jsonl").output.split())
    assert "5 texts: the lines of 2 files of" in said
    texts = read_jsonl(tmp_path / "out.jsonl").texts
    assert [(x.id, x.text) for x in texts] == [(str(number), TEXTS[number]) for number in range(5)]
    said = " ".join(run(model, tmp_path / "*.csv", tmp_path / "new.jsonl", code=1).output.split())
    assert "where there is no file, expected a file, folder or glob: correct it" in said


def test_texts_are_streamed_from_any_position(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\n \n\ntwo \x85 still\nthree")
    texts = list(stream_texts(path))
    assert [text.text for text in texts] == ["one", "", "three"]
    assert "undecodable" in texts[1].error
    assert count_texts(path) == 3 and list(stream_texts(path, 2)) == texts[2:]


def test_columns_have_one_meaning_each() -> None:
    assert list(FIELDS)[:8] == ["position", "id", "kind", "label", "score", "text", "start", "end"]
    assert list(FIELDS)[8:12] == ["head", "head_label", "head_start", "head_end"]


def test_scores_are_rounded(tmp_path: Path) -> None:
    head = Entity(0, 1, "A", 0.123456)
    with open_output(tmp_path / "a.jsonl", append=False) as put:
        put(0, AnnotatedText("a", "x", Extraction((head,), (Relation(head, head, "r", 2 / 3),))))
    item = json.loads((tmp_path / "a.jsonl").read_text("utf8"))
    assert (item["entity_scores"], item["relation_scores"]) == ([0.1235], [0.6667])


def numbered(count: int) -> Iterator[Source]:
    return (Source(number, str(number), TEXTS[number % 11]) for number in range(count))


def test_long_streams_are_cut_into_segments(nlp: Language, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "SEGMENT", 1)
    found = [(x.position, str(doc)) for x, doc in annotate(nlp, numbered(7), 2, 1)]
    assert found == [(number, TEXTS[number]) for number in range(7)]


def folder_of_texts(path: Path) -> Path:
    (path / "b" / "c").mkdir(parents=True)
    (path / ".hidden").mkdir()
    files = {
        "two.txt": b"Tem2 binds Dal92.\n\nTwice.\n",
        "b/c/one.v1.txt": b"\xef\xbb\xbfTem1 binds Dal7.",
        "b/bad.txt": b"Tem \xff",
        "b/empty.txt": b"",
        "blank.txt": b" \n",
        ".hidden/no.txt": b"no",
        "notes.md": b"no text",
    }
    for name, content in files.items():
        (path / name).write_bytes(content)
    return path


def test_a_folder_has_a_text_a_file(model: Path, tmp_path: Path) -> None:
    source, output = folder_of_texts(tmp_path / "in"), tmp_path / "out.jsonl"
    said = " ".join(run(model, source, output, code=1).output.split())
    assert "3 texts: the .txt files of" in said and "1 of 3 texts failed" in said
    assert "2 blank ones and 2 other files are left out" in said
    texts = read_jsonl(output).texts
    assert [(text.id, text.text) for text in texts] == [
        ("b/c/one.v1", "Tem1 binds Dal7."), ("two", "Tem2 binds Dal92.\n\nTwice.\n")
    ]  # fmt: skip
    ((failed),) = errors(output)
    assert failed["id"] == "b/bad" and "bad.txt, whole file: found undecodable bytes" in failed["error"]
    assert count_texts(source) == 3 and [x.id for x in stream_texts(source, 2)] == ["two"]


def test_a_folder_goes_on_where_it_stopped(model: Path, tmp_path: Path) -> None:
    source, output = folder_of_texts(tmp_path / "in"), tmp_path / "out.jsonl"
    run(model, source, output, code=1)
    whole = output.read_bytes()
    output.write_bytes(whole[: len(whole) // 2])
    run(model, source, output, "--resume", code=1)
    assert output.read_bytes() == whole


def test_a_folder_without_texts_is_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    said = " ".join(run(model, tmp_path / "in", tmp_path / "out.jsonl", code=1).output.split())
    for part in ("a folder without .txt files", "expected some, a text each", "give the folder that holds"):
        assert part in said


def test_lines_are_said_to_be_the_texts(model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "in.txt", TEXTS[:2])
    said = " ".join(run(model, source, tmp_path / "out.jsonl").output.split())
    assert "2 texts: the lines of" in said and "that are not blank" in said
