"""Speed and memory of a trained pipeline, held against its bare encoder: `python -m spacy_bispn.bench`."""
