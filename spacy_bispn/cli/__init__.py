"""`python -m spacy bispn ...`: a group of commands beside spaCy's own."""

from typing import Any

import typer
from spacy.cli._util import app as spacy_app
from typer.core import TyperGroup
from wasabi import msg

from spacy_bispn.cli.calibrate import calibrate_command
from spacy_bispn.cli.compare import compare_command
from spacy_bispn.cli.continue_config import continue_config_command
from spacy_bispn.cli.convert import convert_command
from spacy_bispn.cli.debug_data import OVERRIDES, debug_data_command
from spacy_bispn.cli.demo import demo_command
from spacy_bispn.cli.evaluate import evaluate_command
from spacy_bispn.cli.export import export_command
from spacy_bispn.cli.extract import extract_command
from spacy_bispn.cli.init_config import init_config_command
from spacy_bispn.cli.page import page_command
from spacy_bispn.cli.render import render_command
from spacy_bispn.cli.train import train_command


class Commands(TyperGroup):
    """Commands that say in a line what kept them from reading or writing a file."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # whoever read the output has seen enough
            raise
        except OSError as error:
            msg.fail("A file cannot be read or written", str(error), exits=1)


app = typer.Typer(
    name="bispn", cls=Commands, no_args_is_help=True,
    help="Corpora, configs, predictions, evaluation and pages for BiSPN.",
)  # fmt: skip
app.command("convert")(convert_command)
app.command("export")(export_command)
app.command("debug-data", context_settings=OVERRIDES)(debug_data_command)
app.command("init-config")(init_config_command)
app.command("continue-config")(continue_config_command)
app.command("compare")(compare_command)
app.command("demo")(demo_command)
app.command("train", context_settings=OVERRIDES)(train_command)
app.command("calibrate")(calibrate_command)
app.command("evaluate")(evaluate_command)
app.command("page")(page_command)
app.command("extract")(extract_command)
app.command("render")(render_command)
spacy_app.add_typer(app)
