"""`python -m spacy bispn ...`: a group of commands beside spaCy's own."""

import typer
from spacy.cli._util import app as spacy_app

from .convert import convert_command
from .debug_data import OVERRIDES, debug_data_command
from .demo import demo_command
from .evaluate import evaluate_command
from .export import export_command
from .init_config import init_config_command
from .page import page_command

app = typer.Typer(
    name="bispn", help="Corpora, configs, evaluation and pages for BiSPN.", no_args_is_help=True
)
app.command("convert")(convert_command)
app.command("export")(export_command)
app.command("debug-data", context_settings=OVERRIDES)(debug_data_command)
app.command("init-config")(init_config_command)
app.command("demo")(demo_command)
app.command("evaluate")(evaluate_command)
app.command("page")(page_command)
spacy_app.add_typer(app)
