"""Prediction on many texts: what Ray, Spark and Dask call with batches, importing none of them."""

from spacy_bispn.batch_inference.predictor import BatchPredictor as BatchPredictor
