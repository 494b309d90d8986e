"""Saving and loading estimators without pickle: nothing in a file can run code."""

from skmeta.persistence._exceptions import PersistenceError
from skmeta.persistence._save_load import load, save

__all__ = ["PersistenceError", "load", "save"]
