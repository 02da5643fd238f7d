"""Going on with a trained component: labels that are new are learnt, the old ones stay."""

from __future__ import annotations

from pathlib import Path

import pytest
import spacy
from pipelines import demo_texts, initialize, make_examples, make_nlp, make_text, pipe_of, tiny, train
from spacy.language import Language
from spacy.tokens import Span

from spacy_bispn.model.left_out import LeftOut
from spacy_bispn.model.optimizers import AdamW, create_adamw
from spacy_bispn.records import AnnotatedText
from spacy_bispn.settings import SettingError

OLD = [
    make_text("Tem2 binds Dal92.", [("Tem2", "PROTEIN"), ("Dal92", "PROTEIN")], [(0, 1, "BINDS")]),
    make_text("EG-75 binds Rov5.", [("EG-75", "DRUG"), ("Rov5", "PROTEIN")], [(0, 1, "BINDS")]),
]
NEW = [make_text("Rov5 docks KV-487.", [("Rov5", "PROTEIN"), ("KV-487", "GENE")], [(0, 1, "DOCKS")])]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved pipeline that knows the old texts by heart."""
    nlp = make_nlp(tiny({"encoder": {"@misc": "spacy-bispn.RandomEncoder.v1", "width": 48, "layers": 2,
                                     "heads": 4, "dropout": 0.0, "vocabulary": 300}}))  # fmt: skip
    train(nlp, initialize(nlp, [*OLD, *demo_texts(2)]), 150)
    path = tmp_path_factory.mktemp("models") / "old"
    nlp.to_disk(path)
    return path


def scores(nlp: Language, texts: list[AnnotatedText]) -> tuple[float, float]:
    found = nlp.evaluate(make_examples(nlp, texts))
    return found["ents_f"], found["rel_micro_f"]


def own_rates(rate: float) -> AdamW:
    return create_adamw(encoder_rate=rate, decoder_rate=rate)


def test_new_labels_are_learnt_and_old_ones_stay(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nlp = spacy.load(folder)
    pipe, before = pipe_of(nlp), {**pipe_of(nlp).label_data}
    assert scores(nlp, OLD) == (1.0, 1.0)
    examples, optimizer = make_examples(nlp, [*OLD, *NEW]), own_rates(1e-3)
    nlp.update(examples, sgd=optimizer)
    assert "new labels, learnt from now on: GENE, DOCKS" in caplog.text
    assert scores(nlp, OLD) == (1.0, 1.0), "room for labels changes no answer"
    for _ in range(80):
        nlp.update(examples, sgd=optimizer)
    assert scores(nlp, OLD) == (1.0, 1.0) and scores(nlp, NEW) == (1.0, 1.0)
    assert pipe.label_data == {
        "entity": [*before["entity"], "GENE"],
        "relation": [*before["relation"], "DOCKS"],
    }
    assert caplog.text.count("new labels") == 1
    (learner,) = optimizer._learners.values()
    assert {group["lr"] for group in learner.adam.param_groups} == {1e-3}, "at the full rates"
    (saved,) = own_rates(1e-3).from_bytes(optimizer.to_bytes())._saved
    assert saved.new_labels
    nlp.to_disk(tmp_path / "grown")
    loaded = spacy.load(tmp_path / "grown")
    assert scores(loaded, [*OLD, *NEW]) == (1.0, 1.0)


def test_room_for_a_label_changes_no_answer(folder: Path) -> None:
    nlp = spacy.load(folder)
    before = [nlp(text.text).to_json() for text in OLD]
    assert pipe_of(nlp).add_label("DOCKS", kind="relation") == 1
    assert pipe_of(nlp).add_label("GENE", kind="entity") == 1
    assert pipe_of(nlp).add_label("GENE", kind="entity") == 0
    assert [nlp(text.text).to_json() for text in OLD] == before
    assert pipe_of(nlp).labels[-1] == "DOCKS"


def test_a_label_needs_its_kind(folder: Path) -> None:
    pipe = pipe_of(spacy.load(folder))
    with pytest.raises(SettingError, match=r'label is .*expected "entity" or "relation": call add_label'):
        pipe.add_label("GENE")
    with pytest.raises(SettingError, match=r"the entity label is .*None.*, expected labels that are strings"):
        pipe.add_label(None, kind="entity")  # type: ignore[arg-type]


def test_labels_that_were_given_are_all_that_is_learnt() -> None:
    nlp = make_nlp()
    examples = make_examples(nlp, [*OLD, *NEW])
    labels = {"entity": ["PROTEIN", "DRUG"], "relation": ["BINDS"]}
    pipe_of(nlp).initialize(lambda: examples, nlp=nlp, labels=labels)
    losses = nlp.update(examples)
    assert pipe_of(nlp).label_data == labels and losses["bispn_unplaced"] == 2


def test_what_says_nothing_about_relations_is_named_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nlp = spacy.load(folder)
    (example,) = make_examples(nlp, NEW)
    for group in ("bispn", "bispn-relations"):
        del example.reference.spans[group]
    example.reference.ents = [example.reference.char_span(0, 4, label="OTHER")]
    for _ in range(3):
        losses = nlp.update([example])
    assert losses["bispn_unannotated"] == 1
    assert caplog.text.count("(first seen): texts that say nothing about relations, 1. Assign") == 1
    assert "OTHER" not in pipe_of(nlp).labels


def test_counts_reach_the_console_once_an_epoch(caplog: pytest.LogCaptureFixture) -> None:
    left, losses = LeftOut("bispn"), {}
    for epoch in (0.4, 0.8, 1.2, 1.6, 2.0):
        left.count(losses, "surplus", 3)
        left.count(losses, "unplaced", 0)
        left.finish_epoch(epoch)
    lines = [record.getMessage() for record in caplog.records]
    assert losses == {"bispn_surplus": 15}
    assert [line.split("): gold items that found no query, ") for line in lines] == [
        [
            f"[bispn] not learnt from ({when}",
            f"{count}. Raise model.entity_queries or model.relation_queries.",
        ]
        for when, count in (("first seen", 3), ("epoch 1", 9), ("epoch 2", 6))
    ]


def test_a_corpus_without_annotations_is_named(caplog: pytest.LogCaptureFixture) -> None:
    nlp = make_nlp()
    initialize(nlp, [make_text("Tem2 binds Dal92.", [], [])])
    for kind in ("entities", "relations"):
        assert (
            f"none of the 1 training texts has any {kind}, so that none is learnt: check how" in caplog.text
        )


def test_white_space_at_the_ends_of_gold_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    nlp = make_nlp()
    (example,) = make_examples(nlp, [make_text("Tem2  binds Dal92.", [("Dal92", "P")], [])])
    doc = example.reference
    doc.spans["bispn"] = [Span(doc, 0, 2, label="P"), Span(doc, 1, 2, label="P")]
    nlp.initialize(lambda: [example])
    said = "white space at the ends of 1 gold entities is cut off, and 1 of white space alone are left out"
    assert said in caplog.text
