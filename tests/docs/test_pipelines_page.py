"""docs/pipelines.md: its blocks run in their order and print what the page says, its commands work."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
from pages import DOCS, Block, blocks
from pipelines import PUNCTUATION, demo_texts, initialize, make_nlp, make_text, save_bert, scores, tiny, train
from running import run_blocks
from spacy.tokens import DocBin
from spacy.training import Example
from thinc.api import Config

from spacy_bispn import create_reader, get_relations
from spacy_bispn.corpus import to_docbin
from spacy_bispn.model.schema import Schema

pytestmark = pytest.mark.slow

SHARED = "One transformer for several components"
PAGE = blocks(DOCS / "pipelines.md")
BLOCKS = [block for block in PAGE if block.section != SHARED]
NAMES = [("Rov-Dal complex", "complex"), ("Rov", "protein"), ("Dal", "protein"), ("Tem", "protein")]
LINKS = [(0, 3, "binds"), (1, 0, "part_of"), (2, 0, "part_of")]
BINDS, NOTHING = [("ORC", "complex"), ("ATP", "chemical")], "The weather is fine."
TEXTS = [
    make_text("The Rov-Dal complex binds Tem in yeast.", NAMES, LINKS),
    make_text("ORC binds ATP.", BINDS, [(0, 1, "binds")]),
    make_text(NOTHING, [], []),
]
PLACES = {"yeast": "ORGANISM", "Paris": "GPE", "Anna": "PERSON"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the page names: a trained component, somebody's pipeline, a corpus and texts."""
    place = tmp_path_factory.mktemp("pipelines")
    nlp = make_nlp(tiny())
    examples = initialize(nlp, TEXTS)
    train(nlp, examples, 60)
    assert scores(nlp, examples) == (1.0, 1.0)
    (place / "training").mkdir()
    nlp.to_disk(place / "training" / "model-best")
    own_pipeline().to_disk(place / "own")
    blank = spacy.blank("en", config=PUNCTUATION)
    to_docbin(blank, demo_texts(100))[0].to_disk(place / "train.spacy")  # fewer are an error of debug data
    to_docbin(blank, TEXTS)[0].to_disk(place / "dev.spacy")
    (place / "texts.txt").write_text("\n".join(text.text for text in TEXTS), "utf-8")
    return place


def own_pipeline() -> spacy.Language:
    """A pipeline with a tagger and an NER that have learnt a little by heart."""
    nlp = spacy.blank("en")
    for name in ("sentencizer", "tagger", "ner"):
        nlp.add_pipe(name)
    examples = []
    for text in (TEXTS[0].text, "ORC binds ATP.", NOTHING, "He met Anna in Paris."):
        doc = nlp.make_doc(text)
        tags = ["V" if word.text in ("binds", "is", "met") else "N" for word in doc]
        ents = [
            (found.start(), found.end(), PLACES[found[0]]) for found in re.finditer("|".join(PLACES), text)
        ]
        examples.append(Example.from_dict(doc, {"tags": tags, "entities": ents}))
    sgd = nlp.initialize(lambda: examples)
    for _ in range(30):
        nlp.update(examples, sgd=sgd)
    return nlp


def expected(block: Block) -> str:
    """What a block prints, as its lines with `# >` say."""
    return "".join(f"{line}\n" for line in re.findall(r"^ *# > (.*)$", block.content, re.M))


def test_the_page_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert {block.language for block in BLOCKS} == {"python", "bash", "ini"}
    names: dict[str, Any] = {}
    for block in (x for x in BLOCKS if x.language == "python"):
        run_blocks([block], folder, names)
        assert capsys.readouterr().out == expected(block), block.section
    assert sum(expected(block).count("\n") for block in BLOCKS) > 20
    assert [span.label_ for span in names["both"].spans["bispn"]].count("complex") == 1
    assert names["html"].count("Rov") and "part_of" not in names["html"]
    assert "part_of" in str(names["drawing"])


def test_the_schema_of_the_page_can_be_trained_with(caplog: pytest.LogCaptureFixture) -> None:
    (block,) = (x for x in BLOCKS if x.language == "ini" and "schema" in x.content)
    config = Config().from_str(f"[components]\n\n{block.content}")["components"]["bispn"]
    assert config.pop("factory") == "bispn"
    nlp = make_nlp(tiny(**config))
    initialize(nlp, TEXTS)
    schema = Schema.of(nlp.get_pipe("bispn").cfg)
    assert schema.permits("protein", "part_of", "complex") and not schema.permits(
        "complex", "part_of", "protein"
    )
    assert (schema.per_head, schema.per_tail, schema.self_relations) == ({"part_of": 1}, {}, False)
    assert "schema forbids" not in caplog.text and "more than relations_per_head" not in caplog.text


def test_the_given_entities_of_the_page_can_be_trained_with(folder: Path) -> None:
    (block,) = (x for x in BLOCKS if x.language == "ini" and "given" in x.content)
    config = Config().from_str(f'[paths]\ntrain = "train.spacy"\n[components]\n[corpora]\n{block.content}')
    component, reader = config["components"]["bispn"], config["corpora"]["train"]
    assert component.pop("factory") == "bispn"
    nlp = make_nlp(tiny(**component))
    examples = list(create_reader(folder / reader["path"], given_spans=reader["given_spans"])(nlp))
    nlp.initialize(lambda: examples)
    assert nlp.get_pipe("bispn").update(examples[:8])["bispn"] > 0
    doc = nlp(examples[0].predicted)
    assert {*map(str, doc.spans["given"])} == {*map(str, doc.spans["bispn"])} != set()


def test_ner_and_bispn_learn_over_one_transformer(folder: Path) -> None:
    pytest.importorskip("spacy_transformers")
    save_bert(folder / "sentence-transformers" / "all-MiniLM-L6-v2")
    names: dict[str, Any] = {}
    said = run_blocks([block for block in PAGE if block.section == SHARED], folder, names)
    assert "LOSS TRANS" in said and "SPANS_BISP" in said
    assert names["nlp"].pipe_names == ["transformer", "ner", "bispn"]
    saved = srsly.read_json(folder / "both.json")
    assert {name: saved[name] for name in names["bispn"]} == names["bispn"]
    assert isinstance(names["ner"], float)


def test_the_commands_run(folder: Path) -> None:
    said = run_blocks([block for block in BLOCKS if block.language == "bash"], folder)
    plain = re.sub("\x1b\\[[0-9;]*m", "", said)
    first, *others = re.split(r"=+ Results =+", plain)[1:]
    assert "NER F" in first and "SPAN" not in first, "no relation is in spaCy's report by default"
    assert len(others) == 2, "of evaluate and of benchmark, with --spans-key"
    for report in others:
        assert re.search(r"SPAN F +100\.00", report)
        assert re.search(r"SPANS \(per type\)[^\d]*binds +100\.00", report)
    assert srsly.read_json(folder / "metrics.json")["rel_micro_f"] == 1.0
    assert "words/s" in plain and re.search(r"Best threshold: \S+ with rel_micro_f value of 1.0", plain)
    assert "Corpus is loadable" in plain
    found = DocBin().from_disk(folder / "found.spacy").get_docs(spacy.blank("en").vocab)
    assert sum(len(get_relations(doc)) for doc in found) == 4
    (meta,) = (folder / "packages").glob("*/en_mixed/meta.json")
    described = srsly.read_json(meta)
    assert any(need.startswith("spacy-bispn") for need in described["requirements"])
    assert described["components"] == ["sentencizer", "ner", "bispn"]
