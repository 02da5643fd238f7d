"""Voting: more than half of the models must predict an entity or relation."""

from __future__ import annotations

import shutil
from pathlib import Path

import ensemble
import pytest
import srsly

from spacy_bispn.records import Entity, Extraction, Relation

A, B, C = Entity(0, 2, "X"), Entity(3, 5, "X"), Entity(6, 8, "X")


def ballot(entities: list[Entity], *relations: tuple[Entity, str, Entity]) -> Extraction:
    return Extraction(tuple(entities), tuple(Relation(head, tail, label) for head, label, tail in relations))


def test_the_majority_is_elected_and_in_order() -> None:
    voters = [
        ballot([B, A], (A, "r", B), (B, "r", A)),
        ballot([A, B, C], (A, "r", B), (A, "other", B)),
        ballot([A, C], (A, "r", C)),
    ]
    elected = ensemble.vote(voters)
    assert elected.entities == (A, B, C)
    assert elected.relations == (Relation(A, B, "r"),)


def test_half_is_not_enough() -> None:
    assert ensemble.vote([ballot([A, B], (A, "r", B)), ballot([A])]) == ballot([A])


def test_labels_and_boundaries_are_what_is_voted_on() -> None:
    other, longer = Entity(0, 2, "Y"), Entity(0, 3, "X")
    assert ensemble.vote([ballot([A]), ballot([other]), ballot([longer])]) == ballot([])


def test_a_model_has_one_vote_for_an_item() -> None:
    assert ensemble.vote([ballot([A, A]), ballot([]), ballot([])]) == ballot([])


def test_scores_are_means_over_all_voters() -> None:
    scored = [Extraction((Entity(0, 2, "X", score),)) for score in (0.9, 0.6)]
    (found,) = ensemble.vote([*scored, ballot([])]).entities
    assert found.score == pytest.approx(0.5)


def test_ends_of_an_elected_relation_are_elected_entities() -> None:
    one, other = ballot([A, B], (A, "r", B)), ballot([C, B], (C, "r", B))
    elected = ensemble.vote([one, other, ballot([A, B, C], (A, "r", B), (C, "r", B))])
    assert len(elected.relations) == 2
    assert {end for one in elected.relations for end in (one.head, one.tail)} <= set(elected.entities)


def test_the_vote_of_all_runs_is_scored(workspace: Path, models: Path) -> None:
    runs = workspace / "training" / "runs"
    runs.mkdir()
    (runs / "demo").symlink_to(models / "training" / "ablation" / "demo")
    (workspace / "corpus" / "demo").symlink_to(models)
    shutil.copytree(models / "metrics" / "ablation" / "demo", workspace / "metrics" / "runs" / "demo")
    (workspace / "metrics/runs/demo/1/variant.json").rename(workspace / "later.json")
    ensemble.main("demo")
    assert not (workspace / "metrics/runs/demo/ensemble.json").exists()  # the other is not finished yet
    (workspace / "later.json").rename(workspace / "metrics/runs/demo/1/variant.json")
    ensemble.main("demo")
    report = srsly.read_json(workspace / "metrics/runs/demo/ensemble.json")
    assert report["voters"] == ["0", "1"]
    assert report["run"]["machine"] and len(report["run"]["models"]) == 2
    assert set(report["scores"]) == {"strict", "boundaries"}
    counts = report["scores"]["strict"]["entities"]["labels"]
    assert sum(one["tp"] + one["fn"] for one in counts.values()) > 0


def test_a_single_model_is_no_election(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ensemble.main("text2dt")
    printed = " ".join(capsys.readouterr().out.split())
    for words in ("training/runs/text2dt has 0 trained models", "expected at least 2", "seeds of 'text2dt'"):
        assert words in printed
    assert list((workspace / "metrics").iterdir()) == []
