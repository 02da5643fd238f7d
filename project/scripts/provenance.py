"""Where figures come from: each file in metrics/ records the commit, date, machine and command of its run."""

import platform
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from sys import argv
from typing import Any

import srsly
import torch
from thinc.api import Config

from spacy_bispn.files import save

METRICS, TRAINING = Path("metrics"), Path("training")
REPOSITORY = Path(__file__).resolve().parents[2]
RUN_FILE = "run.json"  # in the folder of a training

Run = dict[str, Any]


def this_run(gpu: int = -1, *models: Path) -> Run:
    """The `commit`, `date` (UTC), `machine` and `command` of this process; ask before the work begins.

    models: trained pipelines that it reads; `models` has the commits and dates of their trainings, their
        encoders and epochs, null where they are not known.
    """
    run: Run = {
        "commit": current_commit(), "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        "machine": describe_machine(gpu), "command": describe_command(argv),
    }  # fmt: skip
    if models:
        run["models"] = [describe_model(model) for model in models]
    return run


def describe_model(model: Path) -> Run:
    """The `commit` and `date` of a pipeline's training, its `encoder` and its `epochs`."""
    training, file = read_run(model.parent), model / "config.cfg"
    config = Config().from_disk(file) if file.exists() else {}
    return {
        "commit": training.get("commit"), "date": training.get("date"),
        "encoder": Path(config["paths"].get("encoder") or "random weights").name if config else None,
        "epochs": config["training"]["max_epochs"] if config else None,
    }  # fmt: skip


def current_commit(repository: Path = REPOSITORY) -> str | None:
    """The short commit, with "+" where files have uncommitted changes; None outside a git checkout.

    Changes in docs/ do not count: the tables are written there.
    """

    def git(*words: str) -> str:
        command = ["git", "-C", str(repository), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != repository:
            return None  # a copy inside the checkout of another project
        changed = git("status", "--porcelain", "--", ".", ":!docs")
        return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def describe_machine(gpu: int = -1) -> str:
    """The GPU, or the CPU and the number of threads, and the version of torch."""
    if gpu >= 0:
        device = torch.cuda.get_device_name(gpu)
    else:
        threads = torch.get_num_threads()
        device = f"{_cpu()}, {threads} thread{'s' if threads > 1 else ''}"
    return f"{device}, torch {torch.__version__}"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf8").splitlines()
    except OSError:  # only Linux has it
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(filter(None, [*names, platform.processor(), platform.machine()]), "CPU")


def describe_command(words: Sequence[str]) -> str:
    """The command as it is typed in project/: without empty options, of paths elsewhere only the names."""
    script, *arguments = words
    shown: list[str] = []
    for word in arguments:
        if not word and shown and shown[-1].startswith("--"):
            shown.pop()
        else:
            shown.append(",".join(map(_portable, word.split(","))))
    return shlex.join(["python", f"scripts/{Path(script).name}", *shown])


def _portable(word: str) -> str:
    path = Path(word)
    return path.name if path.is_absolute() or ".." in path.parts else word


def read_run(training: Path) -> Run:
    """The run that a training's folder records, empty if it records none."""
    file = training / RUN_FILE
    return dict(srsly.read_json(file)) if file.exists() else {}


def metrics_file(corpus: str, kind: str, gpu: int = -1) -> Path:
    """The file for figures of speed: those of a GPU have a file of their own."""
    return METRICS / f"{corpus}_{kind}{'_gpu' if gpu >= 0 else ''}.json"


def write_metrics(file: Path, figures: Mapping[str, Any], run: Run) -> None:
    """Write figures as JSON, with their run under "run"."""
    save(file, srsly.json_dumps({**figures, "run": run}, indent=2))
