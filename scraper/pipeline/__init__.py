"""The five stages, joined and run."""

from scraper.pipeline.pipeline import Pipeline

__all__ = ["Pipeline"]
