"""A component with a schema: what it collects, refuses, reports and predicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import spacy
from kept import KEPT
from pipelines import initialize, make_examples, make_nlp, make_text, pipe_of, tiny
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span

from spacy_bispn import annotations
from spacy_bispn.evaluation.scorer import score
from spacy_bispn.model.schema import Schema
from spacy_bispn.settings import SettingError

TEXTS = [
    make_text("Tem2 binds Dal92.", [("Tem2", "PROTEIN"), ("Dal92", "PROTEIN")], [(1, 0, "BINDS")]),
    make_text("EG-75 blocks Rov5.", [("EG-75", "DRUG"), ("Rov5", "PROTEIN")], [(0, 1, "BLOCKS")]),
    make_text("EG-75 blocks Tem2.", [("EG-75", "DRUG"), ("Tem2", "PROTEIN")], [(0, 1, "BLOCKS")]),
]
NEW = [make_text("Rov5 docks KV-487.", [("Rov5", "PROTEIN"), ("KV-487", "GENE")], [(0, 1, "DOCKS")])]
OBSERVED = [["DRUG", "BLOCKS", "PROTEIN"], ["PROTEIN", "BINDS", "PROTEIN"]]
# an untrained network that predicts something at every query
EAGER = {"type_threshold": 0.0, "relation_threshold": 0.0, "boundary_threshold": 0.0, "coherence": "add"}


def eager(**settings: Any) -> Language:
    """A pipeline that predicts relations at random."""
    nlp = make_nlp(tiny({"queries": "learned"}, **{**EAGER, **settings}))
    initialize(nlp, TEXTS)
    return nlp


def predicted(nlp: Language) -> set[tuple[str, str, str]]:
    """The triples of all predicted relations."""
    docs = nlp.pipe([text.text for text in TEXTS])
    return {(x.head.label_, x.label, x.tail.label_) for doc in docs for x in doc._.relations}


def test_triples_are_collected_whatever_the_schema_is() -> None:
    nlp = make_nlp(tiny(symmetric_labels=["BINDS"]))
    initialize(nlp, TEXTS)
    assert pipe_of(nlp).cfg["observed_triples"] == OBSERVED and Schema.of(pipe_of(nlp).cfg) is None
    labels = {"entity": ["PROTEIN"], "relation": ["BINDS", "BLOCKS"]}
    pipe_of(nlp).initialize(lambda: make_examples(nlp, TEXTS), nlp=nlp, labels=labels)
    assert pipe_of(nlp).cfg["observed_triples"] == OBSERVED[1:], "the others have labels that are not learnt"


def test_predictions_are_within_the_schema(tmp_path: Path) -> None:
    free = predicted(eager())
    permitted = {(x[0], x[1], x[2]) for x in OBSERVED}
    assert free - permitted, "else there is nothing to forbid"
    nlp = eager(schema="observed")
    assert predicted(nlp) and predicted(nlp) <= permitted
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert pipe_of(loaded).cfg["observed_triples"] == OBSERVED
    assert predicted(loaded) == predicted(nlp)
    pipe_of(loaded).cfg["schema"] = "none"
    assert predicted(loaded) == free
    triples = {"schema": [*OBSERVED, [None, "BINDS", None]], "relations_per_head": [[None, 1], ["BINDS", 2]]}
    eager(**triples).to_disk(tmp_path / "triples")
    saved = pipe_of(spacy.load(tmp_path / "triples"))
    assert {name: saved.cfg[name] for name in triples} == triples
    narrow = {"components": {"bispn": {"schema": [[None, "BINDS", None]]}}}
    assert {label for _, label, _ in predicted(spacy.load(tmp_path, config=narrow))} == {"BINDS"}


def test_what_a_schema_does_is_counted_on_the_doc() -> None:
    nlp = eager(schema="observed", relations_per_head=[[None, 1]], self_relations=False)
    docs = list(nlp.pipe(text.text for text in TEXTS))
    (there,) = DocBin(docs=docs[:1]).get_docs(nlp.vocab)
    found = annotations.read(there)
    assert found.forbidden == annotations.read(docs[0]).forbidden and found.joined is not None
    changed, dropped = (
        sum(x) for x in zip(*(annotations.read(x).forbidden or (0, 0) for x in docs), strict=True)
    )
    total = sum((annotations.read(doc).joined or (0, 0))[1] for doc in docs)
    assert changed > 0 and dropped > 0
    scores = nlp.evaluate(make_examples(nlp, TEXTS))
    assert scores["bispn_schema_changed"] == pytest.approx(changed / total)
    assert scores["bispn_schema_dropped"] == pytest.approx(dropped / total)
    free = eager().evaluate(make_examples(nlp, TEXTS))
    assert free["bispn_schema_changed"] is None and free["bispn_schema_dropped"] is None
    assert score([])["bispn_schema_changed"] is None


def test_a_schema_that_forbids_everything_is_refused() -> None:
    nlp = make_nlp(tiny(schema=[["PROTEIN", "BLOCKS", "DRUG"]]))
    with pytest.raises(SettingError) as caught:
        initialize(nlp, TEXTS)
    error = caught.value
    assert error.name == "schema" and "forbids all relations of the training data" in str(error)
    assert "3 have" in error.expected and "DRUG BLOCKS PROTEIN: 2, PROTEIN BINDS PROTEIN: 1" in error.expected
    assert 'set schema = "observed"' in error.advice


def test_what_a_schema_forbids_of_the_training_data_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    nlp = make_nlp(tiny(schema=[["DRUG", "BLOCKS", None]], relations_per_tail=[["BLOCKS", 1]]))
    examples = initialize(nlp, [*TEXTS, *TEXTS[1:]])
    assert "the schema forbids 1 of 5 gold relations, which are never predicted: PROTEIN BINDS" in caplog.text
    assert "gold relations are more than relations_per_head" not in caplog.text
    losses = nlp.update(examples)
    assert losses["bispn_forbidden"] == 1
    assert "never predicted (first seen): gold relations that the schema forbids, 1. Add their" in caplog.text
    crowded = make_text("A, B block C.", [("A", "DRUG"), ("B", "DRUG"), ("C", "PROTEIN")],
                        [(0, 2, "BLOCKS"), (1, 2, "BLOCKS")])  # fmt: skip
    initialize(make_nlp(tiny(relations_per_tail=[["BLOCKS", 1]])), [crowded])
    assert (
        "1 of 2 gold relations are more than relations_per_head or relations_per_tail permit" in caplog.text
    )


def test_labels_that_the_training_data_does_not_have_are_refused() -> None:
    nlp = make_nlp(tiny(schema=[["DRUG", "BLOKS", "PROTEIN"]]))
    with pytest.raises(
        SettingError, match=r"schema is \['BLOKS'\], expected relation labels of the model .BINDS"
    ):
        initialize(nlp, TEXTS)


def test_a_bad_schema_given_at_loading_leaves_the_component_as_it_was(tmp_path: Path) -> None:
    eager().to_disk(tmp_path)
    with pytest.raises(SettingError, match="entity labels of the model"):
        spacy.load(tmp_path, config={"components": {"bispn": {"schema": [["DRUGS", None, None]]}}})
    other = make_nlp(tiny({"queries": "learned"}, schema=[["GENE", "DOCKS", None]]))
    before = dict(pipe_of(other).cfg)
    with pytest.raises(SettingError, match="labels of the model"):
        pipe_of(other).from_disk(tmp_path / "bispn")
    assert pipe_of(other).cfg == before and pipe_of(other).shim.network is None


def test_an_observed_schema_grows_with_new_data(tmp_path: Path) -> None:
    nlp = eager(schema="observed")
    nlp.to_disk(tmp_path)
    nlp = spacy.load(tmp_path)
    losses = nlp.update(make_examples(nlp, [*NEW, *TEXTS]))
    assert pipe_of(nlp).cfg["observed_triples"] == [*OBSERVED, ["PROTEIN", "DOCKS", "GENE"]]
    assert "bispn_forbidden" not in losses
    assert Schema.of(pipe_of(nlp).cfg) is not None
    nlp.to_disk(tmp_path / "grown")
    grown = pipe_of(spacy.load(tmp_path / "grown"))
    assert Schema.of(grown.cfg) == Schema.of(pipe_of(nlp).cfg)


def test_a_schema_of_triples_does_not_grow_but_counts() -> None:
    nlp = eager(schema=OBSERVED)
    losses = nlp.update(make_examples(nlp, [*NEW, *TEXTS]))
    assert losses["bispn_forbidden"] == 1
    assert "DOCKS" in pipe_of(nlp).labels


def test_models_of_earlier_versions_know_no_triples() -> None:
    folder = next(KEPT.glob("0.1.0-transformers-4.49*")) / "model"
    nlp = spacy.load(folder)
    assert pipe_of(nlp).cfg["observed_triples"] is None and Schema.of(pipe_of(nlp).cfg) is None
    with pytest.raises(
        SettingError, match=r"schema is 'observed', expected a model that was saved with the tri"
    ):
        spacy.load(folder, config={"components": {"bispn": {"schema": "observed"}}})
    pipe_of(nlp).cfg["schema"] = [[None, pipe_of(nlp).label_sets.relation[0], None]]
    nlp("Tem2 binds Dal92.")
    nlp.update(make_examples(nlp, TEXTS))
    assert pipe_of(nlp).cfg["observed_triples"] is None, (
        "those of the new texts alone would forbid the old ones"
    )


@pytest.mark.parametrize("triples", ["BINDS", [["A", "B"]], [3], {}])
def test_saved_triples_are_checked(triples: Any) -> None:
    pipe = pipe_of(eager())
    pipe.cfg["observed_triples"] = triples
    with pytest.raises(SettingError, match=r"observed_triples is .*, expected a list of triples of labels"):
        pipe.to_bytes()


@pytest.mark.parametrize("when", ["configured", "loaded", "changed"])
@pytest.mark.parametrize(
    ("window", "entities", "coherence"),
    [(64, "given", "add"), (9, "given", "add"), (64, "given", "off"), (64, "both", "snap")],
    ids=["one window", "several windows", "no coherence", "also predicted ones"],
)
def test_mentions_with_the_same_words_have_the_same_relations(
    when: str, window: int, entities: str, coherence: str, tmp_path: Path
) -> None:
    """From an untrained network whose mentions know each other, with few queries."""
    model = {
        "pool_mentions": True,
        "proposal_floor": 1e-6,
        "relation_queries": 8 if entities == "both" else 1,
        "window": window,
        "overlap": 4,
    }
    sharing = {"share_relations": when == "configured"}
    settings = EAGER | {"entities": entities, "coherence": coherence, **sharing}
    nlp = make_nlp(tiny(model, **settings))
    initialize(nlp, TEXTS)
    if when == "loaded":
        nlp.to_disk(tmp_path)
        nlp = spacy.load(tmp_path, config={"components": {"bispn": {"share_relations": True}}})
    elif when == "changed":
        pipe_of(nlp).cfg["share_relations"] = True

    def mention(span: Span) -> tuple[int, str, str]:
        return span.start, span.text, span.label_

    def read() -> tuple[Doc, list[tuple[Any, str, Any]]]:
        doc = nlp.make_doc("Tem2 binds Dal92, and Tem2 blocks Dal92 and tem2 as well as Tem2.")
        doc.ents = [Span(doc, at, at + 1, "PROTEIN") for at in (0, 2, 5, 7, 9, 13)]
        found = nlp(doc)._.relations
        return doc, [(mention(x.head), x.label, mention(x.tail)) for x in found]

    doc, shared = read()
    assert (len(pipe_of(nlp).shim.windows([doc], is_train=False)) > 1) == (window < 64)
    pipe_of(nlp).cfg["share_relations"] = False
    _, alone = read()
    pairs = {*alone}
    for head, label, tail in alone:
        heads, tails = (
            [other for other in map(mention, doc.spans["bispn"]) if other[1:] == end[1:]]
            for end in (head, tail)
        )
        pairs |= {(one, label, other) for one in heads for other in tails if one != other}
    assert len(pairs) > len(alone) > 0 and {*shared} == pairs


def test_given_entities_with_one_id_have_the_same_relations() -> None:
    model = {"relation_queries": 1, "proposal_floor": 1e-6}
    nlp = make_nlp(tiny(model, **EAGER, entities="given", share_relations=True))
    initialize(nlp, TEXTS)
    doc = nlp.make_doc("Tem2 binds Dal92, and it blocks Tem2.")
    ids = {0: "A", 2: "B", 5: "A", 7: "B"}
    doc.ents = [Span(doc, at, at + 1, "PROTEIN", kb_id=kb_id) for at, kb_id in ids.items()]
    pairs = {frozenset((x.head.start, x.tail.start)) for x in nlp(doc)._.relations}
    [things] = {frozenset(ids[at] for at in pair) for pair in pairs}
    assert pairs == {
        frozenset((one, other)) for one in ids for other in ids if {ids[one], ids[other]} == things
    } - {frozenset((at,)) for at in ids}
    assert len(pairs) == 4, "the relation is one of A and B"
