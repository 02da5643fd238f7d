"""The rows of the tables that have the paper's figures beside ours, numbered as in the paper."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

from formatting import Columns, Figures, Rows, Table, markdown, percent, read, run_in_words
from paper import ENCODERS, EPOCHS, GPU, PAPER, SPEEDS, SYSTEMS, TABLE_1, TABLE_4, UNKNOWN, Score, Statistics
from provenance import METRICS

OURS = "spacy-bispn"
COLUMNS = ("encoder", "epochs", "hardware", "source")  # behind the scores of a system
STATISTICS = {
    "sentences": "d", "length": ".1f", "entity_types": "d", "relation_types": "d", "entities": "d",
    "relations": "d", "entities_each": ".2f", "relations_each": ".2f",
}  # fmt: skip
HEADER = (
    "corpus", "sentences", "tokens a sentence", "entity types", "relation types", "entities", "relations",
    "entities a sentence", "relations a sentence", "source",
)  # fmt: skip


class OurScores:
    """The scores of one system of ours: of all seeds, or folds, of a variant.

    variants: what their files variant.json have. scores: from 0 to 1, by key, of each.
    """

    def __init__(self, name: str, variants: Sequence[Figures], scores: Sequence[Mapping[str, float]]) -> None:
        self.name, self.variants, self.scores = name, variants, scores

    def row(self, columns: Columns) -> list[str]:
        """The cells of a table of systems."""
        values = [of_seeds([one.get(key) for one in self.scores]) for key in columns.values()]
        runs = [variant.get("run", {}) for variant in self.variants]
        origin = (
            [variant.get("encoder") or "random weights" for variant in self.variants],
            [self.epochs()],
            [run.get("machine", UNKNOWN) for run in runs],
            [run_in_words(run) for run in runs],
        )
        count = f", mean of {len(self.scores)} (deviation)" if len(self.scores) > 1 else ""
        return [f"{self.name}{count}", *values, *("; ".join(dict.fromkeys(words)) for words in origin)]

    def epochs(self) -> str:
        """The epochs of a training, with its minutes, the mean of all seeds, if these are known."""
        counts = "; ".join(dict.fromkeys(str(variant.get("epochs", "")) for variant in self.variants))
        minutes = [variant["minutes"] for variant in self.variants if "minutes" in variant]
        return f"{counts} ({mean(minutes):.0f} min)" if minutes else counts


def of_seeds(scores: Sequence[float | None]) -> str:
    """A score, or the mean of several with their standard deviation; nothing if one is missing."""
    known = [score for score in scores if score is not None]
    if len(known) < len(scores):
        return ""
    return percent(mean(known)) + (f" ({percent(stdev(known))})" if len(known) > 1 else "")


def systems(corpus: str, columns: Columns, ours: Sequence[OurScores]) -> Table:
    """Tables 2 and 6: the paper's systems, then ours; `columns` are those of one convention."""
    rows = []
    for number, table in SYSTEMS.items():
        for name, score in table.get(corpus, {}).items():
            rows.append([name, *reported(score, columns), *details(corpus, name), of_paper(number)])
    rows += [one.row(columns) for one in ours]
    made = [variant.get("run", {}) for one in ours for variant in one.variants]
    return Table(markdown(["system", *columns, *COLUMNS], rows), made)


def reported(score: Score, columns: Columns) -> list[str]:
    """A score of the paper under our columns; those that the paper does not have stay empty."""
    known = {"ents_f": score.entities, "rel_micro_f": score.relations}
    for key in columns.values():
        kind = key.rpartition(" ")[2]  # of a published convention, "biorelex entities"
        known.setdefault(key, getattr(score, kind, None) if " " in key else None)
    return ["" if known[key] is None else f"{known[key]:.1f}" for key in columns.values()]


def details(corpus: str, system: str) -> tuple[str, str, str]:
    """Encoder, epochs and hardware of a system in the paper, which states them for its own."""
    own = system.startswith("BiSPN")
    return (ENCODERS[corpus], str(EPOCHS[corpus]), GPU) if own else (UNKNOWN,) * 3


def of_paper(table: int) -> str:
    """The source of a figure of the paper."""
    return f"{PAPER}, table {table}"


def speeds() -> Rows:
    """Tables 3 and 6: the paper's rows of the table of speeds, in its columns."""
    return [
        [
            f"{corpus}, {name}, {GPU}", f"{score.speed:.1f}", "",
            *details(corpus, name)[:2], GPU, of_paper(number),
        ]
        for number, table in SPEEDS.items() for corpus, found in table.items()
        for name, score in found.items() if score.speed is not None
    ]  # fmt: skip


def density(
    corpus: str, columns: Columns, ours: Mapping[str, Sequence[tuple[Figures, Mapping[str, float]]]]
) -> Table:
    """Table 4: the paper's rows of ACE05, then ours.

    ours: for each form its finished trainings, each with its file and its scores.
    """
    rows = []
    if corpus == "ace05":
        for minimum, (train, test, systems) in TABLE_4.items():
            for name, relations in systems.items():
                cells = reported(Score(None, relations), columns)
                rows.append(
                    [name, str(minimum), str(train), str(test), *cells, *details("ace05", name), of_paper(4)]
                )
    for form, trained in ours.items():
        for variant, scores in trained:
            texts = [str(variant["texts"].get(part, "")) for part in ("train", "test")]
            name, *cells = OurScores(form, [variant], [scores]).row(columns)
            rows.append([name, variant["name"].rpartition(" ")[2], *texts, *cells])
    made = [variant.get("run", {}) for trained in ours.values() for variant, _ in trained]
    header = ["system", "relations, at least", "training texts", "test texts", *columns, *COLUMNS]
    return Table(markdown(header, rows), made)


def statistics() -> Table:
    """Table 1, with a second row for each corpus that was counted here."""
    rows, made = [], []
    counted = {
        file.stem.removesuffix("_statistics"): read(file)
        for file in sorted(METRICS.glob("*_statistics.json"))
    }
    for corpus in dict.fromkeys([*TABLE_1, *counted]):
        if corpus in TABLE_1:
            rows.append([f"{corpus}, paper", *cells(TABLE_1[corpus]), of_paper(1)])
        if corpus in counted:
            run = counted[corpus].get("run", {})
            rows.append(
                [f"{corpus}, here", *cells(Statistics(**counted[corpus]["statistics"])), run_in_words(run)]
            )
            made.append(run)
    return Table(markdown(HEADER, rows), made)


def cells(found: Statistics) -> list[str]:
    """The numbers of a row, as the paper prints them."""
    return [format(getattr(found, name), style) for name, style in STATISTICS.items()]


def form_of(folder: Path, corpus: str) -> str:
    """How a study of ours is called in a table: "spacy-bispn, paper, 10 epochs" for "ade-paper-10_epochs"."""
    form = folder.name.removeprefix(corpus).replace("_", " ")
    return ", ".join(filter(None, [OURS, *form.split("-")]))
