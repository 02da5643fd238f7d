"""`spacy bispn convert`: every format through the command, its options, and what it says is wrong."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from pipelines import demo_texts
from samples import BIORELEX, PAIR, SPERT, Run, docs_in, facts, write

from spacy_bispn.converters.formats.jsonl import write_jsonl
from spacy_bispn.records import AnnotatedText


def test_convert_jsonl(run: Run, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "in.jsonl", [PAIR])
    result = run("convert", tmp_path / "in.jsonl", tmp_path / "new" / "out.spacy")
    assert "1 texts in" in result.output
    (doc,) = docs_in(tmp_path / "new" / "out.spacy")
    assert facts(doc) == [("Tem2", "BINDS", "Dal92")]


@pytest.mark.parametrize(("options", "found"), [(["--punctuation"], 3), ([], 2)])
def test_convert_biorelex_reports_what_does_not_fit_the_tokens(
    run: Run, tmp_path: Path, options: list[str], found: int
) -> None:
    source, report = write(tmp_path / "in.json", BIORELEX), tmp_path / "made" / "report.json"
    result = run("convert", source, tmp_path / "out.spacy", "-f", "biorelex", "--report", report, *options)
    (doc,) = docs_in(tmp_path / "out.spacy")
    assert len(doc.spans["bispn"]) == found
    said = json.loads(report.read_text("utf8"))
    assert (said["texts"], said["entities"], said["relations"]) == (1, 3, 1)
    lost = (said["unplaced_entities"], said["unplaced_relations"])
    assert lost == ((0, 0) if found == 3 else (1, 1))
    assert said["discontiguous"] == said["cross_window"] == 0
    if found == 3:
        assert facts(doc) == [("ORC", "binds", "Cdc6p")], "of a symmetric pair the earlier one is the head"
        assert said["unplaced"] == []
    else:
        assert facts(doc) == []
        assert [line.split(":")[0] for line in said["unplaced"]] == ["b1", "b1"]
        assert "'Cdc6p' (protein) at 10 ends inside a token" in said["unplaced"][0]
        assert "2 entities and relations could not be placed" in result.output


def test_convert_counts_relations_that_no_usual_window_holds(run: Run, tmp_path: Path) -> None:
    text = "Tem2 binds" + " and binds" * 254 + " Dal92 and Dal93."  # 511 tokens with the first, 513 with both
    spans = [[0, 4, "P"], *([text.index(name), text.index(name) + 5, "P"] for name in ("Dal92", "Dal93"))]
    item = {"id": "a", "text": text, "entities": spans, "relations": [[0, 1, "BINDS"], [0, 2, "BINDS"]]}
    source, report = write(tmp_path / "in.jsonl", item), tmp_path / "report.json"
    result = run("convert", source, tmp_path / "out.spacy", "-f", "jsonl", "--report", report)
    said = json.loads(report.read_text("utf8"))
    assert (said["relations"], said["unplaced_relations"], said["cross_window"]) == (2, 0, 1)
    assert "1 relations join what lies more than 512 tokens apart" in " ".join(result.output.split())


def test_convert_a_fold_of_spert(run: Run, tmp_path: Path) -> None:
    source = write(tmp_path / "in.json", SPERT)
    splits = write(tmp_path / "splits.json", {"folds": [{"train": [0, 1, 2], "test": [3]}]})
    base = ["convert", source, tmp_path / "out.spacy", "--format", "spert", "--splits", splits]
    for part, count in (("train", 3), ("test", 1)):
        run(*base, "--part", part)
        docs = docs_in(tmp_path / "out.spacy")
        assert [facts(doc) for doc in docs] == [[("Aspirin", "Adverse", "rash")]] * count
        assert [token.text for token in docs[0]] == SPERT[0]["tokens"]


def test_convert_holds_out_a_share(run: Run, tmp_path: Path) -> None:
    texts = demo_texts(20)
    write_jsonl(tmp_path / "in.jsonl", texts)

    def convert(seed: int) -> tuple[list[str], list[str]]:
        parts = tmp_path / "train.spacy", tmp_path / "dev.spacy"
        run("convert", tmp_path / "in.jsonl", parts[0], "--dev", parts[1], "--share", 0.25, "--seed", seed)
        return tuple([doc.text for doc in docs_in(part)] for part in parts)  # type: ignore[return-value]

    rest, held = convert(seed=1)
    assert (len(rest), len(held)) == (15, 5)
    assert sorted(rest + held) == sorted(text.text for text in texts)
    assert convert(seed=1) == (rest, held)
    assert convert(seed=2) != (rest, held)


def test_convert_holds_out_a_share_to_test_on_beside_the_other(run: Run, tmp_path: Path) -> None:
    texts = demo_texts(20)
    write_jsonl(tmp_path / "in.jsonl", [*texts, replace(texts[0], id="copy")])
    source, train, dev, test = (
        tmp_path / name for name in ("in.jsonl", "train.spacy", "dev.spacy", "t.spacy")
    )
    options = ("--share", 0.2, "--drop-recurring", test)
    said = " ".join(run("convert", source, train, "--dev", dev, "--test", test, *options).output.split())
    parts = [[doc.text for doc in docs_in(path)] for path in (train, dev, test)]
    assert len({*parts[1]}) == len({*parts[2]}) == 4
    assert not {*parts[1]} & {*parts[2]} and not {*parts[0]} & {*parts[1], *parts[2]}
    assert {*parts[0], *parts[1], *parts[2]} == {text.text for text in texts} and f"texts in {test}" in said
    run("convert", source, train, "--dev", dev, "--share", 0.2)
    assert [doc.text for doc in docs_in(dev)] == parts[1], "which does not depend on --test"
    run("convert", source, train, "--test", test, "--share", 0.2)
    assert [doc.text for doc in docs_in(test)] == parts[1]


def test_convert_to_folders_for_corpora_that_do_not_fit_in_memory(run: Run, tmp_path: Path) -> None:
    texts = demo_texts(20)
    write_jsonl(tmp_path / "in.jsonl", texts)
    found = []
    for names in (("train.spacy", "dev.spacy"), ("train", "dev")):
        train, dev = (tmp_path / name for name in names)
        said = " ".join(run("convert", tmp_path / "in.jsonl", train, "--dev", dev).output.split())
        assert f"18 texts in {train}" in said and f"2 texts in {dev}" in said
        files = [path / "00001.spacy" if path.is_dir() else path for path in (train, dev)]
        found.append([[(doc.text, facts(doc)) for doc in docs_in(file)] for file in files])
    assert found[0] == found[1]
    said = " ".join(run("convert", tmp_path / "in.jsonl", tmp_path / "train", code=1).output.split())
    for part in ("a folder with something in it", "expected the name of a .spacy file", "give another name"):
        assert part in said
    (tmp_path / "in.jsonl").write_text("{}\n")
    run("convert", tmp_path / "in.jsonl", tmp_path / "other", "--format", "jsonl", code=1)
    assert not list(tmp_path.glob("other*"))


def test_a_small_corpus_has_something_to_hold_out(run: Run, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "in.jsonl", demo_texts(3))
    run("convert", tmp_path / "in.jsonl", tmp_path / "train.spacy", "--dev", tmp_path / "dev.spacy")
    assert len(docs_in(tmp_path / "dev.spacy")) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-f", "conll"], ["'conll'", "bioc, bioc-json, biorelex, brat", "choose one"]),
        (["-f", "spert"], ["expected a list", "Check the file's format"]),
        (["--splits", "SOURCE"], ["'jsonl'", "expected 'spert'", "leave out --splits"]),
        (
            ["-f", "spert", "--splits", "SOURCE", "--part", "dev"],
            ["part is 'dev'", "expected train or test", "choose one of these"],
        ),
        (["--dev", "dev.spacy", "--share", "2"], ["2.0", "between 0 and 1", "0.1 is usual"]),
        (["--dev", "dev.spacy"], ["there is 1 text", "at least 2", "leave out --dev"]),
        (["--test", "t.spacy"], ["there is 1 text", "at least 2", "--dev or --test"]),
        (["--dev", "dev.spacy", "--test", "t.spacy"], ["there is 1 text", "at least 3", "--dev or --test"]),
        (["--dev", "d", "--test", "t", "--share", "0.5"], ["0.5", "between 0 and 0.5", "0.1 is usual"]),
        (["--dev", "dev.spacy", "--test", "dev.spacy"], ["--dev and --test are both", "another name"]),
        (["--test", "OUTPUT/t.spacy"], ["--test is", "two places side by side", "another name"]),
        (["--dev", "out", "--test", "out/t.spacy"], ["--test is", "--dev is out", "two places side by side"]),
        (["--share", "0.2"], ["--share is 0.2 without --dev or --test", "both or neither", "add --dev"]),
        (["--seed", "1"], ["--seed is 1 without --dev or --test", "both or neither", "add --dev"]),
        (["--fold", "0"], ["--fold is 0 without --splits", "both or neither", "add --splits"]),
        (["--part", "test"], ["--part is test without --splits", "both or neither", "add --splits"]),
        (["--report", "SOURCE"], ["SOURCE and --report are both", "a place for each", "another name"]),
        (["--dev", "OUTPUT"], ["OUTPUT and --dev are both", "a place for each", "another name"]),
        (["--dev", "OUTPUT/dev.spacy"], ["two places side by side", "give one of them another name"]),
        (["--lang", "zz"], ["--lang is 'zz'", "expected the code of a language", "correct it, or install"]),
        (
            ["--pairs", "nearest"],
            ["'jsonl'", "expected 'bioc' or 'bioc-json'", "leave out --pairs"],
        ),
        (
            ["--discontiguous", "drop"],
            ["'jsonl'", "expected 'bioc' or 'bioc-json'", "leave out --disc"],
        ),
        (
            ["--level", "x"],
            ["level is 'x'", "expected sentence, document, or how many sentences", "choose one"],
        ),
        (
            ["-f", "dygie", "--level", "x"],
            ["level is 'x'", "expected sentence, document, or how many sentences", "choose one"],
        ),
    ],
)
def test_convert_says_what_is_wrong(run: Run, tmp_path: Path, options: list[str], words: list[str]) -> None:
    source = tmp_path / "in.jsonl"
    write_jsonl(source, [PAIR])
    places = {"SOURCE": str(source), "OUTPUT": str(tmp_path / "out.spacy")}
    filled = [re.sub("SOURCE|OUTPUT", lambda found: places[found[0]], option) for option in options]
    output = " ".join(run("convert", source, tmp_path / "out.spacy", *filled, code=1).output.split())
    assert "cannot be converted" in output
    for word in words:
        assert word in output
    assert list(tmp_path.iterdir()) == [source]


def test_convert_takes_texts_of_any_length(run: Run, tmp_path: Path) -> None:
    long = AnnotatedText("0", "Tem2 binds Dal92. " + "x " * 500_000, PAIR.extraction)
    write_jsonl(tmp_path / "in.jsonl", [long])
    run("convert", tmp_path / "in.jsonl", tmp_path / "out.spacy")
    (doc,) = docs_in(tmp_path / "out.spacy")
    assert len(doc.text) > 1_000_000 and facts(doc) == [("Tem2", "BINDS", "Dal92")]


def test_convert_makes_all_of_its_outputs_or_none(run: Run, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "in.jsonl", demo_texts(3))
    below = tmp_path / "in.jsonl" / "out.spacy"
    said = run("convert", tmp_path / "in.jsonl", below, "--dev", tmp_path / "dev.spacy", code=1).output
    assert "File exists" in " ".join(said.split())
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_convert_reads_a_pipe_of_a_format_that_is_named(run: Run, tmp_path: Path) -> None:
    pipe, content = tmp_path / "pipe", tmp_path / "in.jsonl"
    write_jsonl(content, [PAIR])
    os.mkfifo(pipe)
    named = ["--format", "jsonl"]
    for options, code in ((named, 0), ([], 1), ([*named, "--dev", tmp_path / "dev.spacy"], 1)):
        writer = subprocess.Popen(f"cat {content} > {pipe}", shell=True)
        said = " ".join(run("convert", pipe, tmp_path / "out.spacy", *options, code=code).output.split())
        writer.kill()
        assert code == 0 or "is a pipe, expected a file or a folder" in said
    assert len(docs_in(tmp_path / "out.spacy")) == 1


def test_convert_reads_a_pipe_of_lines(run: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(f"printf '7|t|Tem2\\n7|a|\\n' > {tmp_path / 'pipe'}", shell=True):
        run("convert", tmp_path / "pipe", tmp_path / "out.spacy", "--format", "pubtator")
    assert [doc.text for doc in docs_in(tmp_path / "out.spacy")] == ["Tem2"]


def dygie(*relations: list[object]) -> str:
    """One document of two sentences as a line."""
    ner = [[[0, 0, "P"], [2, 2, "P"]], [[3, 3, "P"]]]
    words = [["Tem2", "binds", "Dal92"], ["Rok5", "sleeps"]]
    item = {"doc_key": "a", "sentences": words, "ner": ner, "relations": [list(relations), []]}
    return json.dumps(item) + "\n"


def test_convert_finds_the_format_by_the_content(run: Run, tmp_path: Path) -> None:
    source, output, report = (tmp_path / name for name in ("in.json", "out.spacy", "report.json"))
    source.write_text(dygie([0, 0, 2, 2, "BINDS"], [3, 3, 0, 0, "LIKES"]), encoding="utf8")
    run("convert", source, output, "--report", report)
    assert [facts(doc) for doc in docs_in(output)] == [[("Tem2", "BINDS", "Dal92")], []]
    assert json.loads(report.read_text("utf8"))["dropped"] == {"relations that join two texts": 1}
    run("convert", source, output, "--level", "document", "--negative", "BINDS", "--symmetric", "LIKES")
    assert [facts(doc) for doc in docs_in(output)] == [[("Tem2", "LIKES", "Rok5")]]


def test_convert_cuts_documents_into_sentences(run: Run, tmp_path: Path) -> None:
    source, output, report = (tmp_path / name for name in ("in.jsonl", "out.spacy", "report.json"))
    entities = [[0, 4, "P"], [11, 16, "P"], [18, 22, "P"]]
    relations = [[0, 1, "BINDS"], [2, 0, "LIKES"]]
    item = {"id": "a", "text": "Tem2 binds Dal92. Rok5 sleeps.", "entities": entities, "relations": relations}
    source.write_text(json.dumps(item), encoding="utf8")
    run("convert", source, output, "--level", "sentence", "--report", report)
    assert [doc.text for doc in docs_in(output)] == ["Tem2 binds Dal92.", "Rok5 sleeps."]
    assert [facts(doc) for doc in docs_in(output)] == [[("Tem2", "BINDS", "Dal92")], []]
    found = json.loads(report.read_text("utf8"))
    assert found["dropped"] == {"relations that join two texts": 1} and found["texts"] == 2
    run("convert", source, output, "--level", "document")
    assert [len(facts(doc)) for doc in docs_in(output)] == [2]


@pytest.mark.parametrize("options", [[], ["--punctuation"]])
def test_sentences_do_not_end_inside_a_number_whatever_the_tokens(
    run: Run, tmp_path: Path, options: list[str]
) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out.spacy"
    item = {"id": "a", "text": "At 0.5 mg it binds. Not at 0.7.", "entities": [], "relations": []}
    source.write_text(json.dumps(item), encoding="utf8")
    run("convert", source, output, "--level", "sentence", *options)
    assert [doc.text for doc in docs_in(output)] == ["At 0.5 mg it binds.", "Not at 0.7."]


def test_documents_are_held_out_with_all_of_their_sentences(run: Run, tmp_path: Path) -> None:
    source, output, dev = (tmp_path / name for name in ("in.jsonl", "out.spacy", "dev.spacy"))
    texts = [" ".join(f"Tem{number} sleeps." for _ in range(number + 1)) for number in range(6)]
    items = [{"id": "a:0", "text": text, "entities": [], "relations": []} for text in [*texts, " "]]
    source.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf8")
    run("convert", source, output, "--dev", dev, "--share", "0.4", "--level", "sentence")
    ours, theirs = ({doc.text for doc in docs_in(path)} for path in (output, dev))
    assert len(ours | theirs) == 7 and len(theirs) == 3 and not ours & theirs
    assert len([*docs_in(output), *docs_in(dev)]) == 22


def test_lost_between_sentences_are_relations_alone(run: Run, tmp_path: Path) -> None:
    source, report = tmp_path / "in.jsonl", tmp_path / "report.json"
    entities = [[0, 4, "P"], [13, 18, "P"]]
    relations = [[0, 1, "LIKES"], [1, 0, "LIKES"], [0, 1, "LIKES"], [0, 1, "NO"], [1, 0, "NO"]]
    item = {"id": "a", "text": "Tem2 sleeps. Dal92 too.", "entities": entities, "relations": relations}
    source.write_text(json.dumps(item), encoding="utf8")
    options = ("--symmetric", "LIKES", "--negative", "NO", "--level", "sentence")
    run("convert", source, tmp_path / "out.spacy", *options, "--report", report)
    found = json.loads(report.read_text("utf8"))
    assert found["dropped"] == {"negative relations": 2, "relations that join two texts": 1}
    assert (found["duplicate_relations"], found["relations"]) == (2, 0)


def test_convert_recommends_a_level_and_says_what_each_loses(run: Run, tmp_path: Path) -> None:
    source, output, report = (tmp_path / name for name in ("in.jsonl", "out.spacy", "report.json"))
    text, ends = "Tem2 binds Dal92. " * 12, [[18 * at, 18 * at + 4, "P"] for at in range(12)]
    relations = [[0, 0, "LIKES"], [0, 1, "LIKES"], [2, 5, "LIKES"], *([at, at, "BINDS"] for at in range(12))]
    item = {"id": "a", "text": text, "entities": ends, "relations": relations}
    source.write_text(json.dumps(item), encoding="utf8")
    for options, crossing in (([], "keep"), (["--level", "2"], "chosen"), (["--negative", "LIKES"], "none")):
        output_lines = " ".join(run("convert", source, output, "--report", report, *options).output.split())
        found = json.loads(report.read_text("utf8"))["levels"]
        if crossing == "none":
            assert "0 of 12 relations (0.0%) cross sentences" in output_lines
            assert "recommended: --level sentence: 0 of 12 relations (0.0%) are lost" in output_lines
            assert (found["distances"], found["recommended"]) == ({"0": 12}, "sentence")
            continue
        assert (
            "2 of 15 relations (13.3%) cross sentences: 13 within 1, 14 within 2, 14 within 3" in output_lines
        )
        assert "recommended: --level document: smaller texts lose more than 3%" in output_lines
        assert found["distances"] == {"0": 13, "1": 1, "3": 1}
        assert {one["level"]: one["lost"] for one in found["compared"]} == {
            "sentence": 2, "2": 1, "3": 1, "5": 1, "document": 0,
        }  # fmt: skip
    assert "cost of a step" in output_lines


@pytest.mark.parametrize(("level", "texts"), [("sentence", 5), ("2", 3), ("4", 2), ("9", 1), ("document", 1)])
@pytest.mark.parametrize("form", ["jsonl", "dygie", "brat"])
def test_every_format_is_cut_into_passages(
    run: Run, tmp_path: Path, form: str, level: str, texts: int
) -> None:
    source, output = tmp_path / "in", tmp_path / "out.spacy"
    words = ["Tem2", "sleeps", "."]
    if form == "brat":
        source.mkdir()
        (source / "a.txt").write_text(" ".join(words * 5))
        (source / "a.ann").write_text("T1\tP 0 4\tTem2\nT2\tP 14 18\tTem2\nR1\tLIKES Arg1:T1 Arg2:T2\n")
    else:
        item = {
            "jsonl": {
                "text": " ".join(words * 5), "entities": [[0, 4, "P"], [14, 18, "P"]],
                "relations": [[0, 1, "LIKES"]],
            },
            "dygie": {
                "sentences": [words] * 5, "ner": [[[0, 0, "P"]], [[3, 3, "P"]], [], [], []],
                "relations": [[[0, 0, 3, 3, "LIKES"]], [], [], [], []],
            },
        }  # fmt: skip
        source.write_text(json.dumps(item[form]) + "\n")
    run("convert", source, output, "--level", level)
    docs = docs_in(output)
    assert len(docs) == texts
    assert sum(len(facts(doc)) for doc in docs) == (level != "sentence")


BRAT = {
    "a.txt": "Tem2 binds Dal92.",
    "a.ann": "T1\tP 0 4\tTem2\nT2\tP 11 16\tDal92\nT3\tC 0 4;11 16\tTem2 Dal92\n",
}


@pytest.mark.parametrize("options", [[], ["--format", "brat"]])
def test_convert_a_folder_of_brat(run: Run, tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "in").mkdir()
    for name, content in BRAT.items():
        (tmp_path / "in" / name).write_text(content + "R1\tBINDS Arg1:T1 Arg2:T2\n" * (name == "a.ann"))
    report, output = tmp_path / "report.json", tmp_path / "in" / "out.spacy"
    run("convert", tmp_path / "in", output, "--report", report, *options)
    assert [facts(doc) for doc in docs_in(output)] == [[("Tem2", "BINDS", "Dal92")]]
    assert json.loads(report.read_text("utf8"))["dropped"] == {"discontiguous mentions": 1}
    run("convert", tmp_path / "in", output, "--report", report, "--discontiguous", "cover", *options)
    assert json.loads(report.read_text("utf8"))["noted"] == {"discontiguous mentions covered by one span": 1}


@pytest.mark.parametrize(("pairs", "count"), [([], 2), (["--pairs", "all"], 2), (["--pairs", "nearest"], 1)])
def test_convert_relations_between_concepts(run: Run, tmp_path: Path, pairs: list[str], count: int) -> None:
    rows = "7\t0\t4\tTem2\tP\tA\n7\t11\t16\tDal92\tP\tB\n7\t18\t22\tTem2\tP\tA\n7\tBINDS\tA\tB\n"
    (tmp_path / "in.txt").write_text(f"7|t|Tem2 binds Dal92.\n7|a|Tem2.\n{rows}", encoding="utf8")
    run("convert", tmp_path / "in.txt", tmp_path / "out.spacy", *pairs)
    assert [len(facts(doc)) for doc in docs_in(tmp_path / "out.spacy")] == [count]


def test_convert_says_which_formats_it_cannot_tell_apart(run: Run, tmp_path: Path) -> None:
    source = write(tmp_path / "in.json", {"words": ["Tem2"]})
    output = " ".join(run("convert", source, tmp_path / "out.spacy", code=1).output.split())
    for part in ("the keys 'words'", "bioc, bioc-json, biorelex, brat", "Pass --format"):
        assert part in output


def test_convert_refuses_a_folder_of_nothing_it_knows(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for options in ([], ["--format", "jsonl"]):
        output = run("convert", tmp_path / "in", tmp_path / "out.spacy", *options, code=1).output
        assert "cannot be converted" in output and not (tmp_path / "out.spacy").exists()


def test_a_bad_item_stops_convert_unless_it_is_lenient(run: Run, tmp_path: Path) -> None:
    source, output, report = (tmp_path / name for name in ("in.json", "out.spacy", "report.json"))
    source.write_text(dygie() + dygie([0, 0, 1, 1, "BINDS"]), encoding="utf8")
    said = " ".join(run("convert", source, output, code=1).output.split())
    assert "line 2: found a relation to the span (1, 1)" in said and not output.exists()
    said = run("convert", source, output, "--lenient", "--report", report).output
    assert "1 items could not be read and are missing from the output" in said
    assert len(docs_in(output)) == 2
    (error,) = json.loads(report.read_text("utf8"))["errors"]
    assert "in.json, line 2" in error


def test_a_lenient_convert_that_can_read_nothing_fails(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "in.json"
    source.write_text(dygie([0, 0, 1, 1, "BINDS"]), encoding="utf8")
    said = " ".join(run("convert", source, tmp_path / "out.spacy", "--lenient", code=1).output.split())
    assert "expected at least one text" in said and "line 1: found a relation" in said
    assert not (tmp_path / "out.spacy").exists()


def test_convert_wants_a_file_that_exists(run: Run, tmp_path: Path) -> None:
    output = run("convert", tmp_path / "none", tmp_path / "out.spacy", code=2).output
    assert "does not exist" in " ".join(output.replace("│", " ").split())
