"""Where rows come from: CSV, JSONL and Parquet files, each read in bounded memory.

All of them know the same columns, check the same rules and say them in the same sentences.
"""

from .csv_source import read_csv
from .files import Format, format_of, read_rows

__all__ = ["Format", "format_of", "read_csv", "read_rows"]
