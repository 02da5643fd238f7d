"""Metadata stands in pyproject.toml; this file lets `spacy package` and old tools find setuptools."""

from setuptools import setup

setup()
