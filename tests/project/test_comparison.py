"""Tables that have the paper's figures beside ours, from files in metrics/ that are written by hand."""

from __future__ import annotations

from pathlib import Path

import corpus_statistics
import folders  # noqa: F401, which makes the scripts modules
import pytest
import spacy
from comparison import COLUMNS
from paper import EPOCHS, SYSTEMS, TABLE_1, TABLE_4, Statistics
from pipelines import PUNCTUATION, demo_texts
from test_results import NEW, STRICT, put, put_bench, put_run, table

from spacy_bispn.corpus import to_docbin

SOURCE = ["MiniLM", "2 (12 min)", "CPU, 2 threads", "commit `bbb2222`, 2020-02-02"]


@pytest.fixture(autouse=True)
def empty(workspace: Path) -> None:
    """Every test begins in an empty folder."""


def put_variant(study: str, key: str, name: str, relations: float) -> None:
    variant = {"name": name, "epochs": 2, "encoder": "", "minutes": 1, "development": {}, "run": NEW}
    put(f"metrics/ablation/{study}/{key}/variant.json", variant)
    put(f"metrics/ablation/{study}/{key}/biorelex.json", {**STRICT, "rel_micro_f": relations})


def test_the_paper_s_systems_stand_above_ours() -> None:
    for study, relations in (("biorelex", (0.2, 0.4)), ("biorelex-paper", (0.5,))):
        for key, one in enumerate(relations):
            put_run(study, key, f"seed {key}", "biorelex", one)
    put_variant("biorelex-paper", "1", "without consistency", 0.1)
    put_variant("biorelex-paper", "4", "one supervised layer", 0.1)  # not in table 2
    header, _, *rows = table("biorelex", "biorelex systems")
    assert header[-4:] == ["encoder", "epochs", "hardware", "source"]
    named = {row[0]: row[1:] for row in rows}
    assert list(named)[-3:] == [
        "spacy-bispn, mean of 2 (deviation)", "spacy-bispn, paper", "spacy-bispn, paper: without consistency",
    ]  # fmt: skip
    paper = "He and Tang (2023), table 2"
    assert named["BiSPN"] == ["87.5", "", "67.0", "", "BioBERT-base", "75", "Tesla V100", paper]
    assert named["KECI (2021)"] == ["87.4", "", "66.1", "", *["not stated"] * 3, paper]
    assert named["spacy-bispn, mean of 2 (deviation)"][2:] == ["30.0 (14.1)", "40.0 (0.0)", *SOURCE]
    assert named["spacy-bispn, paper"][2:] == ["50.0", "40.0", *SOURCE]
    assert named["spacy-bispn, paper: without consistency"][2:] == [
        "10.0", "40.0", "random weights", "2 (1 min)", *SOURCE[2:],
    ]  # fmt: skip


def test_scores_by_a_published_convention_have_a_table_of_their_own() -> None:
    put_run("biorelex", 1, "seed 1", "biorelex", 0.3)
    official = {"biorelex": {"entities": {"f": 0.8}, "relations": {"f": 0.7}}}
    put("metrics/runs/biorelex/1/biorelex_published.json", {"scores": official})
    header, _, *rows = table("biorelex", "biorelex published-systems")
    assert header[:3] == ["system", "official mentions", "official relations"]
    named = {row[0]: row[1:3] for row in rows}
    assert (named["BiSPN"], named["spacy-bispn"]) == (["87.5", "67.0"], ["80.0", "70.0"])


def test_a_vote_is_a_system() -> None:
    put_run("text2dt-paper", 1, "seed 1", "text2dt", 0.3)
    found = {"strict": {"entities": {"f": 0.9}, "relations": {"f": 0.8}}}
    put("metrics/runs/text2dt-paper/ensemble.json", {"voters": ["1", "2"], "scores": found, "run": NEW})
    *_, last = table("text2dt", "text2dt systems")
    assert last == ["spacy-bispn, paper, vote of 2", "90.0", "", "80.0", "", SOURCE[0], "2", *SOURCE[2:]]


def test_a_table_of_the_paper_alone_needs_no_run() -> None:
    rows = table("ace05", "ace05 systems")[2:]
    assert len(rows) == 7 and {row[-1] for row in rows} == {"He and Tang (2023), table 2"}


def test_rows_of_earlier_runs_stay_where_the_paper_alone_has_figures() -> None:
    names = ("system", "sentences a second at batch 8", "of the bare encoder", *COLUMNS)
    row = "| ade, spacy-bispn, CPU | 9.0 | 0.5 | a | 1 | CPU | commit unknown |"
    old = f"| {' | '.join(names)} |\n|---|\n{row}"
    page = f"Before.\n<!-- speed -->\n\n{old}\n\nA line.\n\n<!-- /speed -->\nAfter.\n"
    Path("page.md").write_text(page, "utf8")
    table("demo", "speed")
    assert Path("page.md").read_text("utf8") == page
    put_bench("demo_bench", "x86_64")
    systems = [row[0] for row in table("demo", "speed")[2:]]
    assert {"ade, spacy-bispn, CPU", "demo, spacy-bispn, CPU"} <= {*systems} and len(systems) == 13


def test_systems_of_earlier_runs_stay() -> None:
    put_run("biorelex", 1, "seed 1", "biorelex", 0.3)
    assert table("biorelex", "biorelex systems")[-1][0] == "spacy-bispn"
    Path("metrics/runs/biorelex").rename("metrics/runs/biorelex-paper")
    assert [row[0] for row in table("biorelex", "biorelex systems")[-2:]] == [
        "spacy-bispn",
        "spacy-bispn, paper",
    ]


def test_density() -> None:
    for corpus in ("ace05", "demo"):
        for minimum in (0, 2):
            variant = {
                "name": f"at least {minimum}",
                "texts": {"train": 9, "test": 4},
                "epochs": 2,
                "run": NEW,
            }
            folder = f"metrics/density/{corpus}-paper/{minimum}"
            put(f"{folder}/variant.json", {**variant, "encoder": "MiniLM"})
            put(f"{folder}/{corpus}.json", STRICT)
    rows = table("ace05", "ace05 density")[2:]
    scores = ["50.0", "60.0", "30.0", "40.0"]
    assert rows[-1] == ["spacy-bispn, paper", "2", "9", "4", *scores, SOURCE[0], "2", *SOURCE[2:]]
    source = "He and Tang (2023), table 4"
    assert rows[3] == [
        "BiSPN",
        "1",
        "2643",
        "597",
        "",
        "",
        "63.4",
        "",
        "BERT-base",
        "70",
        "Tesla V100",
        source,
    ]
    assert len(rows) == 8
    Path("page.md").unlink()
    assert len(table("demo", "demo density")[2:]) == 2, "the paper has this experiment for ACE05 alone"


def test_the_statistics_of_a_corpus_stand_below_the_paper_s() -> None:
    texts = demo_texts(9)
    Path("corpus/ade").mkdir()
    for part, some in (("train", texts[:5]), ("test", texts[5:]), ("unseen", texts)):
        to_docbin(spacy.blank("en", config=PUNCTUATION), some)[0].to_disk(Path("corpus/ade", f"{part}.spacy"))
    corpus_statistics.main("ade", Path("corpus/ade"))
    header, _, *rows = table("ade", "statistics")
    named = {row[0]: row[1:] for row in rows}
    assert header[0] == "corpus"
    assert list(named) == ["ace05, paper", "biorelex, paper", "ade, paper", "ade, here", "text2dt, paper"]
    assert named["ade, paper"][:-1] == ["4272", "20.3", "2", "1", "17808", "6821", "4.17", "1.60"]
    entities = [entity for text in texts for entity in text.extraction.entities]
    relations = [relation for text in texts for relation in text.extraction.relations]
    nlp = spacy.blank("en", config=PUNCTUATION)
    assert named["ade, here"][:-1] == [
        "9", f"{sum(len(nlp.make_doc(text.text)) for text in texts) / 9:.1f}",
        str(len({x.label for x in entities})), str(len({x.label for x in relations})),
        str(len(entities)), str(len(relations)), f"{len(entities) / 9:.2f}", f"{len(relations) / 9:.2f}",
    ]  # fmt: skip


def test_a_corpus_without_texts_is_not_counted(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        corpus_statistics.main("ade", Path("corpus"))
    assert "the corpus has 0 texts, expected some: convert it" in " ".join(capsys.readouterr().out.split())


def test_what_the_paper_prints_agrees_with_itself() -> None:
    for corpus, found in TABLE_1.items():
        assert isinstance(found, Statistics)
        assert found.relations / found.sentences == pytest.approx(found.relations_each, abs=0.006), corpus
    for table_ in SYSTEMS.values():
        assert table_.keys() <= EPOCHS.keys()
        for systems in table_.values():
            best = systems["BiSPN"].relations
            ablated = [score.relations for name, score in systems.items() if name.startswith("BiSPN without")]
            assert len(ablated) == 3 and max(ablated) <= best  # type: ignore[type-var, operator]
    # 4.6.2: the distances in brackets
    gaps = [round(found["BiSPN"] - found["PL-Marker"], 1) for _, _, found in TABLE_4.values()]
    assert gaps == [-1.0, -0.4, 0.3]
