"""The rows of all tables of figures, made from the files in metrics/ and the logs of trainings.

Strict scores and those by the conventions of a corpus's publishers are in tables of their own.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

import comparison
import speed
import srsly
from comparison import OurScores, of_seeds
from formatting import (
    COHERENCE,
    STRICT,
    Columns,
    Figures,
    Rows,
    Table,
    cell,
    markdown,
    percent,
    percents,
    ratios,
    read,
    run_in_words,
)
from provenance import METRICS, TRAINING, read_run

PUBLISHED = {
    "biorelex": {"official mentions": "biorelex entities", "official relations": "biorelex relations"},
    "ade": {"entities, macro": "spert entities", "relations, macro": "spert relations"},
    "text2dt": {"relations by their words": "text2dt relations"},
    "scierc": {"relations, symmetric ones twice": "symmetric-twice relations"},
    "ace05": {"relations, symmetric ones twice": "symmetric-twice relations"},
}
# the keys of the strict scores in a report of `spacy bispn evaluate`
REPORTED = dict(
    zip(
        ("strict entities", "boundaries entities", "strict relations", "boundaries relations"),
        STRICT.values(), strict=True,
    )
)  # fmt: skip
DEVELOPMENT = {"development: entities": "ents_f", "development: relations": "rel_micro_f"}
TABLE_2 = ("as configured", "without consistency", "without linking", "without both")  # variants of ours
MARKS = {"right": "✓", "wrong": "✗", "missing": "○"}


def make_tables(corpus: str) -> dict[str, Table]:
    """All tables with figures of a corpus, and those that all corpora share, by name."""
    found = {f"{corpus} curve": curve(corpus), "speed": speed.speed(), "statistics": comparison.statistics()}
    for kind, columns in (("", STRICT), ("published-", PUBLISHED.get(corpus, {}))):
        found[f"{corpus} {kind}scores"] = scores(corpus, columns)
        found[f"{corpus} {kind}systems"] = comparison.systems(
            corpus, columns, list(our_systems(corpus, columns))
        )
        for folder in studies("ablation", corpus):
            found[f"{folder.name} {kind}ablation"] = ablation(folder, corpus, columns)
        for folder in studies("runs", corpus):
            found[f"{folder.name} {kind}runs"] = runs(folder, corpus, columns)
    dense = {
        comparison.form_of(folder, corpus): tested(folder, corpus, STRICT)
        for folder in studies("density", corpus)
    }
    found[f"{corpus} density"] = comparison.density(corpus, STRICT, dense)
    for kind, (file, make) in FROM_FILE.items():
        for device in ("", "_gpu"):
            figures = read(METRICS / f"{corpus}_{file}{device}.json")
            if figures:
                found[f"{corpus} {kind}{device}"] = Table(make(figures), [figures.get("run", {})])
    return {name: table for name, table in found.items() if table.rows}


def scores_in(folder: Path, corpus: str, suffix: str = "") -> dict[str, float]:
    """F1 of a test file, strict and by the published conventions, under the keys of STRICT and PUBLISHED."""
    published = {} if suffix else by_convention(read(folder / f"{corpus}_published.json"))
    return {**published, **ratios(read(folder / f"{corpus}{suffix}.json"))}


def by_convention(report: Figures) -> dict[str, float]:
    """F1 in a report of `spacy bispn evaluate`, under the names of convention and part."""
    conventions = report.get("scores", {})
    return {
        f"{name} {part}": found["f"]
        for name, parts in conventions.items() for part, found in parts.items() if found
    }  # fmt: skip


def has_any(scores: Mapping[str, float], columns: Columns) -> bool:
    return any(key in scores for key in columns.values())


def scores(corpus: str, columns: Columns) -> Table:
    """The scores on the test files."""
    parts = {"test": "", "unseen": "_unseen"}
    found = {name: scores_in(METRICS, corpus, suffix) for name, suffix in parts.items()}
    shown = with_coherence(columns)
    rows = [[name, *percents(one, shown)] for name, one in found.items() if has_any(one, columns)]
    files = [read(METRICS / f"{corpus}{suffix}.json") for suffix in parts.values()]
    made = [file.get("run", {}) for file in files if file]
    return Table(markdown(["test set", *shown], rows), made)


def curve(corpus: str) -> Table:
    """Strict scores on the development set during training; the log has percentages."""
    log = TRAINING / corpus / "log.jsonl"
    lines = list(srsly.read_jsonl(log)) if log.exists() else []
    rows = [
        [str(line["epoch"]), str(line["step"]), *(f"{line['scores'][key]:.1f}" for key in STRICT.values())]
        for line in lines if line["step"]
    ]  # fmt: skip
    return Table(markdown(["epoch", "steps", *STRICT], rows), [read_run(TRAINING / corpus)])


def finished(study: Path) -> list[tuple[Path, Figures]]:
    """The metrics folders of the finished trainings of a study with their variants, ordered by number."""
    files = (METRICS / study).glob("*/variant.json")
    ordered = sorted(files, key=lambda file: tuple(map(int, file.parent.name.split("-"))))
    return [(file.parent, read(file)) for file in ordered]


def studies(kind: str, corpus: str) -> list[Path]:
    """The studies of a kind that a corpus has, its own form first: folders in metrics/."""
    found = sorted(path.relative_to(METRICS) for path in (METRICS / kind).glob(f"{corpus}*"))
    return [path for path in found if path.name == corpus or path.name.startswith(f"{corpus}-")]


def tested(study: Path, corpus: str, columns: Columns) -> list[tuple[Figures, dict[str, float]]]:
    """The finished trainings of a study that have scores in some columns: their files and these scores."""
    found = [(variant, scores_in(path, corpus)) for path, variant in finished(study)]
    return [(variant, scores) for variant, scores in found if has_any(scores, columns)]


def our_systems(corpus: str, columns: Columns) -> Iterator[OurScores]:
    """Each form of ours with all its seeds or folds, and its vote; and the ablations of table 2."""
    for folder in studies("runs", corpus):
        form, found = comparison.form_of(folder, corpus), tested(folder, corpus, columns)
        if found:
            yield OurScores(form, *zip(*found, strict=True))
        elected = vote_of(folder)
        if found and elected:
            shared = {key: found[0][0].get(key) for key in ("encoder", "epochs")}
            voted = f"{form}, vote of {len(elected['voters'])}"
            yield OurScores(voted, [{**shared, "run": elected.get("run", {})}], [votes(elected)])
    for folder in studies("ablation", corpus):
        by_name = defaultdict(list)
        for variant, scores in tested(folder, corpus, columns):
            if variant["name"] in TABLE_2:
                by_name[variant["name"]].append((variant, scores))
        for name, found in by_name.items():
            yield OurScores(f"{comparison.form_of(folder, corpus)}: {name}", *zip(*found, strict=True))


def ablation(study: Path, corpus: str, columns: Columns) -> Table:
    """Each variant on the development set (if strict) and the test file, with mean and deviation of seeds."""
    development, shown = DEVELOPMENT if columns is STRICT else {}, with_coherence(columns)
    found: dict[str, list[tuple[Figures, list[float | None]]]] = defaultdict(list)
    for variant, scores in tested(study, corpus, columns):
        values = map(variant["development"].get, development.values())
        found[variant["name"]].append((variant, [*values, *map(scores.get, shown.values())]))
    rows = []
    for name, seeds in found.items():
        trained = [variant for variant, _ in seeds]
        rows.append([
            name, *map(of_seeds, zip(*(values for _, values in seeds), strict=True)),
            f"{mean(variant['minutes'] for variant in trained):.0f}",
            "; ".join(dict.fromkeys(run_in_words(variant.get("run", {})) for variant in trained)),
        ])  # fmt: skip
    header = ["variant", *development, *(f"test: {name}" for name in shown), "minutes", "run"]
    made = [variant.get("run", {}) for seeds in found.values() for variant, _ in seeds]
    return Table(markdown(header, rows), made)


def runs(study: Path, corpus: str, columns: Columns) -> Table:
    """Each seed or fold on its test file, their mean and standard deviation, and their vote."""
    found, shown = tested(study, corpus, columns), with_coherence(columns)
    rows = [
        [variant["name"], *percents(scores, shown), str(variant["epochs"]), f"{variant['minutes']:.0f}"]
        for variant, scores in found
    ]
    if len(found) > 1:
        values = [[scores.get(key) for _, scores in found] for key in shown.values()]
        for name, statistic in {f"mean of {len(found)}": mean, "standard deviation": stdev}.items():
            complete = [None if None in column else statistic(column) for column in values]  # type: ignore[type-var]
            rows.append([name, *map(percent, complete), "", ""])
    made = [variant.get("run", {}) for variant, _ in found]
    vote = vote_of(study)
    if rows and vote:
        rows.append([f"vote of {len(vote['voters'])}", *percents(votes(vote), shown), "", ""])
        made.append(vote.get("run", {}))
    return Table(markdown(["run", *shown, "epochs", "minutes"], rows), made)


def vote_of(study: Path) -> Figures:
    """The report on the vote of a study, empty without one."""
    return read(METRICS / study / "ensemble.json")


def votes(report: Figures) -> dict[str, float]:
    """F1 of a vote, strict and by the published conventions."""
    found = by_convention(report)
    return found | {REPORTED[key]: f1 for key, f1 in found.items() if key in REPORTED}


def with_coherence(columns: Columns) -> Columns:
    """Strict columns and those of coherence; others as they are."""
    return {**columns, **COHERENCE} if columns is STRICT else columns


def scored(first: str, found: Mapping[str, Figures]) -> Rows:
    """Strict scores by name, with coherence."""
    columns = with_coherence(STRICT)
    return markdown([first, *columns], [[name, *percents(one, columns)] for name, one in found.items()])


def subsets(found: Figures) -> Rows:
    """Strict scores on the texts with a minimum number of gold relations."""
    rows = [[name, str(one["texts"]), *percents(one, STRICT)] for name, one in found["minima"].items()]
    return markdown(["gold relations, at least", "texts", *STRICT], rows)


def attention(found: Figures) -> Rows:
    """Mean attention between queries that belong together, and between all others."""
    rows = [
        [
            name, f"{len(one['entities'])} and {len(one['relations'])}",
            *("" if one[key] is None else f"{one[key]:.3f}" for key in ("joined", "others")),
        ]
        for name, one in found["models"].items()
    ]  # fmt: skip
    header = ["model", "entity and relation queries", "entity is an end of the relation", "others"]
    return markdown(header, rows)


def cases(found: Figures) -> Rows:
    """For each sentence a row with its words, then one for each gold or predicted item, marked by model."""
    rows: list[list[str]] = []
    for text in found["texts"]:
        models = text["found"].values()
        rows.append([f"*{cell([text['text']])}*", *("" for _ in models)])
        for kind in ("entities", "relations"):
            tallies = [tally(items[kind]) for items in models]
            for item in sorted(set().union(*tallies)):
                rows.append([cell([item]), *(signs(counts[item]) for counts in tallies)])
    names = found["texts"][0]["found"] if found["texts"] else ()
    return markdown(["sentence, its entities and relations", *names], rows)


def tally(items: Sequence[dict[str, str]]) -> dict[str, Counter[str]]:
    """How many mentions of an item, in the same words, are right, wrong and missing."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in items:
        counts[one["item"]][one["mark"]] += 1
    return counts


def signs(marks: Mapping[str, int]) -> str:
    """How often each mark was given, as "✓3 ○"."""
    given = [(sign, marks[mark]) for mark, sign in MARKS.items() if mark in marks]
    return " ".join(sign if count == 1 else f"{sign}{count}" for sign, count in given)


# a kind of table: the kind of file that it is made from, and its rows
FROM_FILE: dict[str, tuple[str, Callable[[Figures], Rows]]] = {
    "decoding": ("decoding", lambda found: scored("setting", found["settings"])),
    "long": ("long", lambda found: scored("test texts", found["readings"])),
    "subsets": ("subsets", subsets),
    "attention": ("attention", attention),
    "cases": ("cases", cases),
    "trade": ("trade", speed.trade),
    "bench": ("bench", speed.bench),
    "prediction-parts": ("bench", lambda found: speed.shares(found["infer"])),
    "training-parts": ("bench", lambda found: speed.shares(found["train"])),
    "growth": ("bench", speed.growth),
    "size": ("size", speed.size),
    "shapes": ("shapes", speed.shapes),
}
