"""`spacy bispn debug-data`: likely problems of a training, before it starts."""

from __future__ import annotations

from collections.abc import Callable
from configparser import InterpolationError
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import srsly
import typer
from spacy import util
from spacy.cli._util import import_code, parse_config_overrides, setup_gpu
from thinc.api import Config
from wasabi import msg

from spacy_bispn.cli.levels import show_levels
from spacy_bispn.cli.sources import GPU
from spacy_bispn.files import save
from spacy_bispn.settings import SettingError

if TYPE_CHECKING:
    from spacy_bispn.diagnosis.corpus_checks import Finding
    from spacy_bispn.diagnosis.diagnose import Diagnosis
    from spacy_bispn.diagnosis.spread import Spread

# As in spaCy's own `debug data`: an unknown option overrides a setting of the config.
OVERRIDES = {"allow_extra_args": True, "ignore_unknown_options": True}
LISTED = 12  # labels printed of a finding; the JSON has all
SPREADS = {
    "entities": "entities per window",
    "relations": "relations per window",
    "both_ways": "  with inverses of symmetric ones",
    "pieces": "pieces per text",
    "entity_pieces": "pieces per entity",
}


def debug_data_command(
    ctx: typer.Context,
    config: Annotated[Path, typer.Argument(help="Config file; settings are overridden by --section.name")],
    write: Annotated[Path | None, typer.Option(help="A copy of the config, with better settings")] = None,
    output: Annotated[Path | None, typer.Option(help="JSON file for the report")] = None,
    code: Annotated[Path | None, typer.Option("--code", "-c", help="Python file to import first")] = None,
    timing: Annotated[
        bool,
        typer.Option(
            help="Time a few training steps with the recommended settings, for about 20 seconds, and say how "
            "long it takes"
        ),
    ] = True,
    gpu_id: GPU = -1,
) -> None:
    """List likely problems of a training, and recommend settings that fit the corpus."""
    # `spacy` imports all commands whenever it starts; transformers can wait until one needs it
    from spacy_bispn.cli.preparing import apply, component_of, examine, read_corpora, with_settings
    from spacy_bispn.cli.training_time import show_time

    overrides = parse_config_overrides(ctx.args)
    import_code(code)
    setup_gpu(gpu_id, silent=True)
    try:
        nlp = util.load_model_from_config(read_config(config, overrides), auto_fill=True)
        name = component_of(nlp)
        diagnosis = examine(nlp, name, *read_corpora(nlp))
        if write is not None:
            copy = read_config(config, {})
            apply(copy, name, diagnosis.recommended)
            save(write, copy.to_str())
    except (ValueError, ImportError, InterpolationError) as error:
        msg.fail("The corpus cannot be checked", str(error), exits=1)
    show(diagnosis)
    errors = [x for x in diagnosis.findings if x.level == "error"]
    time = None
    if timing and all(x.repairable for x in errors):
        time = show_time(with_settings(nlp, name, diagnosis.recommended), True, diagnosis.levels)
    if output is not None:
        report = {**diagnosis.as_json(), "time": time and time.as_json()}
        save(output, srsly.json_dumps(report, indent=2))
    if write is not None and diagnosis.recommended != diagnosis.settings:
        msg.good(f"The recommended settings are in {write}")
        msg.text(" ".join(["python -m spacy bispn train", str(write), "--output training", *ctx.args]))
    elif write is not None:
        msg.info(f"There are no better settings: {write} is a copy of {config}")
    if [x for x in errors if not (write and x.repairable)]:
        raise typer.Exit(1)


def read_config(path: Path, overrides: dict[str, Any]) -> Config:
    """A config file, not interpolated, with some settings overridden.

    Raises SettingError if there is no such file, or an override is of a section that it does not have.
    """
    if not path.is_file():
        advice = "correct the path, or write a config with `spacy bispn init-config`"
        raise SettingError("the config", str(path), "a file", advice)
    config: Config = util.load_config(path, interpolate=False)
    for setting, value in overrides.items():
        try:
            util.dot_to_object(config, setting.rpartition(".")[0])
        except KeyError as error:
            expected = f"a setting in a section of {path} ({', '.join(config)})"
            raise SettingError(f"--{setting}", value, expected, "correct its name") from error
    config = util.load_config(path, overrides, interpolate=False)
    return config


def show(diagnosis: Diagnosis) -> None:
    """Print tables of the splits and of the settings, then the findings, errors first."""
    for split, measures in diagnosis.measures.items():
        msg.divider(f"{split}: {measures.texts} texts, {measures.windows} windows")
        rows = [(title, *spread(getattr(measures, key))) for key, title in SPREADS.items()]
        msg.table(rows, header=("", "mean", "95 %", "99 %", "max"), aligns=("l", "r", "r", "r", "r"))
    msg.divider("Settings")
    better = asdict(diagnosis.recommended)
    settings = [(name, now, better[name]) for name, now in asdict(diagnosis.settings).items()]
    msg.table(settings, header=("", "now", "recommended"), aligns=("l", "r", "r"))
    msg.divider("Sentences")
    show_levels(diagnosis.levels)
    msg.divider("Findings")
    for finding in diagnosis.findings:
        show_finding(finding)
    if not diagnosis.findings:
        msg.good("No likely problems were found")


def show_finding(finding: Finding) -> None:
    """Print one finding with its examples."""
    printers: dict[str, Callable[..., Any]] = {"error": msg.fail, "warning": msg.warn, "note": msg.info}
    repair = " The recommended settings repair this." if finding.repairable else ""
    printers[finding.level](f"{finding.split}: {finding.count} of {finding.total} {finding.message}{repair}")
    for example in finding.examples[:LISTED]:
        msg.text(f"    {example}")
    if len(finding.examples) > LISTED:
        msg.text(f"    and {len(finding.examples) - LISTED} more")


def spread(values: Spread) -> tuple[str, int, int, int]:
    """The cells of a table's row: mean, percentiles and maximum."""
    return f"{values.mean:.1f}", values.p95, values.p99, values.most
