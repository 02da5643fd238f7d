"""What converting a large file costs: `python tests/converters/big_files.py MEGABYTES [FORMAT ...]`.

Every record is the example of its format, with an id of its own and thirty further words.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from copy import deepcopy
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from examples import ITEMS, LISTS, TEXT, encode

SAID = "as all of those say who have looked at it for long enough in more than one kind of cell "
WORDS = (2 * SAID).split()[:30]
MORE = " " + " ".join(WORDS)
IDS = {"docred": "title", "dygie": "doc_key", "spert": "orig_id", "ubiai": "documentName"} | dict.fromkeys(
    ("bioc", "bioc-json", "biorelex", "doccano", "jsonl", "labelstudio", "pubtator"), "id"
)
NUMBERS = ("doccano", "labelstudio", "spert")  # whose ids are numbers
TOKENS = {
    "docred": ("sents", 0),
    "dygie": ("sentences", 0),
    "glirel": ("tokenized_text",),
    "spert": ("tokens",),
}
LAST = {"bioc": "</collection>\n"} | dict.fromkeys(LISTS, "]\n")


def record(form: str, number: int) -> Any:
    """The example of a format as a longer text of its own."""
    item: Any = deepcopy(ITEMS[form])
    if form in IDS:
        item[IDS[form]] = number if form in NUMBERS else str(number)
    if form in TOKENS:
        words = item
        for key in TOKENS[form]:
            words = words[key]
        words += WORDS
    elif form == "bioc":
        item["inside"] = item["inside"].replace(f"<text>{TEXT}<", f"<text>{TEXT}{MORE}<", 1)
    elif form == "bioc-json":
        item["passages"][0]["text"] += MORE
    elif form == "ubiai":
        item["document"] += MORE
    elif form == "pubtator":
        item["lines"][1] += MORE
    elif form == "labelstudio":
        item["data"]["text"] += MORE
    else:
        item["text"] += MORE
    if form == "prodigy":
        item["tokens"][-1]["ws"] = True
        start = len(TEXT) + 1
        for place, word in enumerate(WORDS, start=len(item["tokens"])):
            end = start + len(word)
            item["tokens"].append({"text": word, "start": start, "end": end, "id": place, "ws": True})
            start = end + 1
        item["tokens"][-1]["ws"] = False
    return item


def records(form: str) -> Iterator[str]:
    """The content of a file without end, record by record."""
    for number in count():
        content = encode(form, [record(form, number)])
        if form in LISTS:
            yield "[,"[number > 0] + content[1:-1]
        elif form == "bioc":
            first, last = content.index("<document>"), content.index("</collection>")
            yield content[0 if number == 0 else first : last]
        else:
            yield content


def write_big(path: Path, form: str, megabytes: float) -> int:
    """Write a file of a format; returns how many records it has."""
    with path.open("w", encoding="utf8", newline="\n") as file:
        for number, content in enumerate(records(form), start=1):
            file.write(content)
            if file.tell() >= megabytes * 1e6:
                file.write(LAST.get(form, ""))
                return number
    raise AssertionError("there is always one more record")


def peak_of(*command: str) -> float:
    """The most megabytes that a command had in memory. Raises CalledProcessError where it fails."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def main(megabytes: float, forms: list[str]) -> None:
    """Print a Markdown table of what `spacy bispn convert` needs for a file of each format."""
    print("| format | texts | seconds | peak MB |\n| --- | --- | --- | --- |", flush=True)
    for form in forms or ITEMS:
        with TemporaryDirectory() as folder:
            big, made = Path(folder, "big"), Path(folder, "made")
            texts = write_big(big, form, megabytes)
            started = time.monotonic()
            peak = peak_of(sys.executable, "-m", "spacy", "bispn", "convert", str(big), str(made))
            print(f"| `{form}` | {texts} | {time.monotonic() - started:.0f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
