"""Tables of a Markdown file from what stands in metrics/, here written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import srsly
from results import main

STRICT = {"ents_f": 0.5, "ents_boundary_f": 0.6, "rel_micro_f": 0.3, "rel_boundary_f": 0.4}


def put(path: str, content: Any) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    srsly.write_json(path, content)


def put_run(study: str, key: int, name: str, corpus: str, relations: float) -> None:
    put(f"metrics/runs/{study}/{key}/variant.json", {"name": name, "epochs": 2, "minutes": 12.4})
    put(f"metrics/runs/{study}/{key}/{corpus}.json", {**STRICT, "rel_micro_f": relations})


def table(corpus: str, name: str) -> list[list[str]]:
    """The cells of a table after all tables of a corpus were written."""
    page = Path("page.md")
    if not page.exists():
        page.write_text(f"Before.\n<!-- {name} -->\nnot yet run\n<!-- /{name} -->\nAfter.\n", "utf8")
    main(page, corpus)
    text = page.read_text("utf8")
    assert text.startswith("Before.\n") and text.endswith("After.\n")
    inside = text.split(f"<!-- {name} -->")[1].split(f"<!-- /{name} -->")[0]
    return [line[2:-2].split(" | ") for line in inside.strip().splitlines()]


@pytest.fixture(autouse=True)
def empty(place: Path) -> None:
    """Every test begins in an empty folder."""


def test_runs_have_a_mean_and_a_standard_deviation() -> None:
    for key, relations in ((10, 0.3), (2, 0.2), (3, 0.4)):
        put_run("demo", key, f"seed {key}", "demo", relations)
    header, _, *rows = table("demo", "demo runs")
    assert header[:2] == ["run", "entities"] and header[-3:] == ["relations, boundaries", "epochs", "minutes"]
    assert [row[0] for row in rows] == ["seed 2", "seed 3", "seed 10", "mean of 3", "standard deviation"]
    assert [row[3] for row in rows] == ["20.0", "40.0", "30.0", "30.0", "10.0"]
    assert rows[0] == ["seed 2", "50.0", "60.0", "20.0", "40.0", "2", "12"]


def test_figures_without_a_place_in_the_file_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    put_run("ade", 0, "fold 0", "ade", 0.3)
    page = Path("page.md")
    for content in ("Nothing here.\n", "<!-- demo runs -->\n<!-- /demo runs -->\n"):
        assert not capsys.readouterr().out, "a page without such tables misses none"
        page.write_text(content, "utf8")
        main(page, "ade")
        assert page.read_text("utf8") == content
    said = " ".join(capsys.readouterr().out.split())
    assert "ade runs: no place in page.md; it goes between <!-- ade runs --> and <!-- /ade runs -->" in said


def test_what_speed_costs() -> None:
    speed = {"median": 9.0, "min": 8.0, "max": 10.0}
    timed = {"sentences_per_second": speed, "times": dict.fromkeys(speed, 1.5)}
    put("metrics/demo_trade.json", {"fewer bits": {**STRICT, **timed}})
    _, _, row = table("demo", "demo trade")
    assert row == ["fewer bits", "50.0", "60.0", "30.0", "40.0", "9.0 (8.0 to 10.0)", "1.50 (1.50 to 1.50)"]


def test_a_single_run_has_neither() -> None:
    put_run("demo", 1, "seed 1", "demo", 0.3)
    assert len(table("demo", "demo runs")) == 3


def test_folds_are_averaged_by_the_conventions_of_their_corpus() -> None:
    for fold, macro in enumerate((0.7, 0.8)):
        put_run("ade", fold, f"fold {fold}", "ade", 0.3)
        scores = {"spert": {"entities": {"f": macro}, "relations": None}}
        put(f"metrics/runs/ade/{fold}/ade_published.json", {"scores": scores})
    header, _, *rows = table("ade", "ade runs")
    column = header.index("entities, macro")
    assert [row[column] for row in rows] == ["70.0", "80.0", "75.0", "7.1"]
    # what one fold does not have, no mean is made of
    assert [row[column + 1] for row in rows] == [""] * 4


def test_a_vote_stands_below_the_voters() -> None:
    for seed in (1, 2, 3):
        put_run("text2dt", seed, f"seed {seed}", "text2dt", 0.3)
    found = {"entities": {"f": 0.9}, "relations": {"f": 0.8}}
    scores = {"strict": found, "boundaries": found, "text2dt": {"relations": {"f": 0.85}}}
    put("metrics/runs/text2dt/ensemble.json", {"voters": ["1", "2", "3"], "scores": scores})
    *_, last = table("text2dt", "text2dt runs")
    assert last[:6] == ["vote of 3", "90.0", "90.0", "80.0", "80.0", "85.0"]


def test_runs_whose_model_is_chosen_on_the_test_file_have_a_table_of_their_own() -> None:
    put_run("biorelex-released", 1, "seed 1", "biorelex", 0.9)
    put_run("biorelex", 1, "seed 1", "biorelex", 0.3)
    assert table("biorelex", "biorelex-released runs")[2][3] == "90.0"


def test_an_ablation_has_its_development_scores_too() -> None:
    variant = {"name": "as configured", "minutes": 3.2, "development": {"ents_f": 0.51, "rel_micro_f": 0.22}}
    put("metrics/ablation/demo/0/variant.json", variant)
    put("metrics/ablation/demo/0/demo.json", STRICT)
    row = table("demo", "demo ablation")[2]
    assert row == ["as configured", "51.0", "22.0", "50.0", "60.0", "30.0", "40.0", "3"]


def test_an_ablation_with_several_seeds_has_means_and_deviations() -> None:
    for key, relations in (("0", 0.2), ("0-7", 0.4), ("1", 0.1)):
        variant = {"name": f"variant {key[0]}", "minutes": 2.0, "development": STRICT}
        put(f"metrics/ablation/demo/{key}/variant.json", variant)
        put(f"metrics/ablation/demo/{key}/demo.json", {**STRICT, "rel_micro_f": relations})
    several, one = table("demo", "demo ablation")[2:]
    assert several[0] == "variant 0" and several[5] == "30.0 (14.1)" and several[-1] == "2"
    assert one[0] == "variant 1" and one[5] == "10.0"


def test_a_variant_that_is_run_later_does_not_drive_out_the_others() -> None:
    for name, minutes in (("as configured", 1.0), ("another", 2.0), ("another", 3.0)):
        put("metrics/ablation/demo/0/variant.json", {"name": name, "minutes": minutes, "development": STRICT})
        put("metrics/ablation/demo/0/demo.json", STRICT)
        rows = table("demo", "demo ablation")[2:]
    assert [(row[0], row[-1]) for row in rows] == [("as configured", "1"), ("another", "3")]


def test_a_table_with_other_columns_is_written_anew() -> None:
    old = "| variant | F1 |\n| --- | --- |\n| old | 1 |\n"
    page = f"Before.\n<!-- demo ablation -->\n{old}<!-- /demo ablation -->\nAfter.\n"
    Path("page.md").write_text(page, "utf8")
    put("metrics/ablation/demo/0/variant.json", {"name": "new", "minutes": 1.0, "development": STRICT})
    assert [row[0] for row in table("demo", "demo ablation")[2:]] == ["new"]


def test_density() -> None:
    put("metrics/demo_density.json", {"0": {"texts": 9, **STRICT}, "2": {"texts": 4}})
    header, _, *rows = table("demo", "demo density")
    assert header[:2] == ["gold relations, at least", "texts"]
    assert rows == [["0", "9", "50.0", "60.0", "30.0", "40.0"], ["2", "4", "", "", "", ""]]


def test_speed_has_a_row_for_every_corpus_that_was_measured() -> None:
    summary = {"median": 34.12, "min": 30.0, "max": 40.0}
    batch = {"batch 8": {"sentences_per_second": summary, "of_floor": {name: 0.5 for name in summary}}}
    for corpus in ("scierc", "biorelex"):
        put(f"metrics/{corpus}_bench.json", {"device": "GPU", "threads": 2, "texts": 64, "infer": batch})
    _, _, *rows = table("demo", "speed")
    assert [row[0] for row in rows] == ["biorelex", "scierc"]
    assert rows[0][1:] == ["GPU, 2 threads", "64", "34.1 (30.0 to 40.0)", "0.50 (0.50 to 0.50)"]


def test_attention_between_queries_that_belong_together_and_others() -> None:
    one = {"entities": ["a"] * 3, "relations": ["b"] * 2, "joined": 0.25, "others": None}
    put("metrics/demo_attention.json", {"text": "t", "models": {"as configured": one}})
    assert table("demo", "demo attention")[2] == ["as configured", "3 and 2", "0.250", ""]


def test_cases_are_marked_and_stay_in_their_cells() -> None:
    found = [{"relation": "a — b → c", "mark": "right"}, {"relation": "d", "mark": "missing"}]
    text = {"text": "A | and\n b.", "found": {"one": found, "other": []}}
    put("metrics/demo_cases.json", [text])
    header, _, row = table("demo", "demo cases")
    assert header == ["sentence", "one", "other"]
    assert row == ["A \\| and b.", "✓ a — b → c<br>○ d", "–"]


def test_mentions_of_a_relation_in_the_same_words_share_a_line() -> None:
    marks = {"b — x → a": ["missing"], "a — x → b": ["missing", "right", "wrong", "right", "right"]}
    found = [{"relation": relation, "mark": mark} for relation, of in marks.items() for mark in of]
    put("metrics/demo_cases.json", [{"text": "A b.", "found": {"one": found}}])
    assert table("demo", "demo cases")[2] == ["A b.", "✓3 ✗ ○ a — x → b<br>○ b — x → a"]


def test_a_table_without_figures_stays_as_it_is() -> None:
    table("demo", "demo runs")
    assert "not yet run" in Path("page.md").read_text("utf8")
