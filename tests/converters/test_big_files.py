"""A large file is read record by record: it needs memory for the records that are kept, and little else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from big_files import peak_of, write_big
from examples import ITEMS

from spacy_bispn.converters import get_format

READ = (
    "import sys, pathlib; from spacy_bispn.converters import detect, get_format; "
    "path = pathlib.Path(sys.argv[1]); get_format(detect(path)).read(path)"
)
CONVERT = (
    "import sys; from spacy_bispn.cli import app, docfiles; docfiles.CHARACTERS = 100_000; "
    "app(['convert', sys.argv[1], sys.argv[1] + '_made'])"
)
OTHER = (
    "import sys, pathlib; from spacy_bispn.converters import ConversionError, detect, get_format; "
    "path, form = pathlib.Path(sys.argv[1]), sys.argv[2]\n"
    "try: get_format(detect(path) if form == 'auto' else form).read(path)\n"
    "except ConversionError: print('refused')\n"
    "else: sys.exit('read')"
)
MEGABYTES = 10
# How many times the file's size; words of their own are small objects, and many.
TIMES = dict.fromkeys(ITEMS, 4.5) | dict.fromkeys(("docred", "dygie", "glirel", "prodigy", "spert"), 9.0)


@pytest.mark.slow
@pytest.mark.parametrize("form", ITEMS)
def test_memory_is_a_few_times_the_size_of_the_file(tmp_path: Path, form: str) -> None:
    peaks = []
    for megabytes in (0.01, MEGABYTES):
        write_big(tmp_path / "big", form, megabytes)
        peaks.append(peak_of(sys.executable, "-c", READ, str(tmp_path / "big")))
    assert peaks[1] - peaks[0] < TIMES[form] * MEGABYTES


@pytest.mark.slow
@pytest.mark.parametrize("form", ITEMS)
def test_memory_for_a_folder_of_files_hardly_grows_with_the_file(tmp_path: Path, form: str) -> None:
    peaks = []
    for megabytes in (1.5, 3.5):  # the first is large enough for all that is kept for the next one
        big = tmp_path / f"big{megabytes}"
        write_big(big, form, megabytes)
        peaks.append(peak_of(sys.executable, "-c", CONVERT, str(big)))
    # What stays of a text is its id.
    assert peaks[1] - peaks[0] < 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "begin", "item", "end"),
    [
        ("bioc", "<PubmedArticleSet>", "<a><b>word</b></a>\n", "</PubmedArticleSet>"),
        ("pubtator", "", "1,2,three\n", ""),
        ("spert", '{"data": [', '{"tokens": ["a"]},\n', "{}]}"),
        ("auto", '{"data": [\n', '{"tokens": ["a"]},\n', "{}]}"),
    ],
)
def test_a_large_file_of_another_format_needs_no_memory(
    tmp_path: Path, form: str, begin: str, item: str, end: str
) -> None:
    peaks = []
    for megabytes in (0.5, MEGABYTES):
        with (tmp_path / "big").open("w") as file:
            file.write(begin)
            file.writelines(item for _ in range(int(megabytes * 1e6 / len(item))))
            file.write(end)
        peaks.append(peak_of(sys.executable, "-c", OTHER, str(tmp_path / "big"), form))
    assert peaks[1] - peaks[0] < MEGABYTES


@pytest.mark.parametrize("form", ITEMS)
def test_the_records_of_large_files_are_texts_of_their_own(tmp_path: Path, form: str) -> None:
    written = write_big(tmp_path / "big", form, 0.01)
    conversion = get_format(form).read(tmp_path / "big")
    assert len(conversion.texts) == len({text.id for text in conversion.texts}) == written > 1
    assert conversion.report.relations == written and not conversion.report.problems
