"""`spacy bispn debug-data`: before a training, what of its corpus and settings will hurt."""

from __future__ import annotations

from collections.abc import Callable
from configparser import InterpolationError
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import srsly
import typer
from spacy import util
from spacy.cli._util import import_code, parse_config_overrides
from thinc.api import Config
from wasabi import msg

from ..files import save

if TYPE_CHECKING:
    from ..diagnose import Diagnosis, Spread
    from ..findings import Finding

# As spaCy's own `debug data` has them: what is no option overrides a setting of the config.
OVERRIDES = {"allow_extra_args": True, "ignore_unknown_options": True}
LISTED = 12  # labels printed of a finding; the JSON has all
SPREADS = {
    "entities": "entities a window",
    "relations": "relations a window",
    "both_ways": "  with inverses of symmetric ones",
    "pieces": "pieces a text",
    "entity_pieces": "pieces an entity",
}


def debug_data_command(
    ctx: typer.Context,
    config: Annotated[Path, typer.Argument(help="Config file; settings are overridden by --section.name")],
    write: Annotated[Path | None, typer.Option(help="A copy of the config, with better settings")] = None,
    output: Annotated[Path | None, typer.Option(help="JSON file for the report")] = None,
    code: Annotated[Path | None, typer.Option("--code", "-c", help="Python file to import first")] = None,
) -> None:
    """Say what will hurt a training, and recommend settings that fit the corpus."""
    # `spacy` imports all commands whenever it starts; transformers can wait until one needs it
    from .preparing import apply, component_of, examine, read_corpora

    overrides = parse_config_overrides(ctx.args)
    import_code(code)
    try:
        nlp = util.load_model_from_config(read_config(config, overrides), auto_fill=True)
        name = component_of(nlp)
        diagnosis = examine(nlp, name, *read_corpora(nlp))
        if write is not None:
            copy = read_config(config, {})
            apply(copy, name, diagnosis.recommended)
            save(write, copy.to_str())
    except (ValueError, ImportError, InterpolationError) as error:
        msg.fail("The corpus cannot be looked at", str(error), exits=1)
    show(diagnosis)
    if output is not None:
        save(output, srsly.json_dumps(diagnosis.as_json(), indent=2))
    if write is not None:
        msg.good(f"The recommended settings are in {write}")
    errors = [x for x in diagnosis.findings if x.level == "error" and not (write and x.repairable)]
    if errors:
        raise typer.Exit(1)


def read_config(path: Path, overrides: dict[str, Any]) -> Config:
    """A config file as it stands, with some settings overridden.

    Raises ValueError if there is no such file, or an override names a section that it does not have.
    """
    if not path.is_file():
        raise ValueError(
            f"the config is {str(path)!r}, expected a file: correct the path, or write one with "
            f"`spacy bispn init-config`."
        )
    config: Config = util.load_config(path, interpolate=False)
    for setting in overrides:
        try:
            util.dot_to_object(config, setting.rpartition(".")[0])
        except KeyError as error:
            raise ValueError(
                f"the override --{setting} names no section of {path}, expected a setting under one of its "
                f"sections ({', '.join(config)}): correct its name."
            ) from error
    config = util.load_config(path, overrides, interpolate=False)
    return config


def show(diagnosis: Diagnosis) -> None:
    """Print tables of the splits and of the settings, then the findings, the worst first."""
    for split, measures in diagnosis.measures.items():
        msg.divider(f"{split}: {measures.texts} texts, {measures.windows} windows")
        rows = [(title, *spread(getattr(measures, key))) for key, title in SPREADS.items()]
        msg.table(rows, header=("", "mean", "95 %", "99 %", "most"), aligns=("l", "r", "r", "r", "r"))
    msg.divider("Settings")
    better = asdict(diagnosis.recommended)
    settings = [(name, now, better[name]) for name, now in asdict(diagnosis.settings).items()]
    msg.table(settings, header=("", "now", "recommended"), aligns=("l", "r", "r"))
    msg.divider("Findings")
    for finding in diagnosis.findings:
        show_finding(finding)
    if not diagnosis.findings:
        msg.good("Nothing was found that will hurt")


def show_finding(finding: Finding) -> None:
    """Print one finding with its examples."""
    say: dict[str, Callable[..., Any]] = {"error": msg.fail, "warning": msg.warn, "note": msg.info}
    repair = " The recommended settings repair this." if finding.repairable else ""
    say[finding.level](f"{finding.split}: {finding.count} of {finding.total} {finding.message}{repair}")
    for example in finding.examples[:LISTED]:
        msg.text(f"    {example}")
    if len(finding.examples) > LISTED:
        msg.text(f"    and {len(finding.examples) - LISTED} more")


def spread(values: Spread) -> tuple[str, int, int, int]:
    """The cells of a row."""
    return f"{values.mean:.1f}", values.p95, values.p99, values.most
