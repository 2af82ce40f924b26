"""Reports: the account of a job as JSON, as Markdown and as a page to look at. No I/O.

What a server or an input has said is data of others: here it can neither be markup nor change what
a terminal shows.
"""

from .as_json import report_json, summary
from .as_markdown import report_markdown
from .as_page import report_page
from .steps import Commands, Step, next_steps
from .words import (
    UNCOUNTED,
    Headline,
    duration,
    headline,
    how_ended,
    lower_bound,
    moment,
    number,
    printable,
    state,
)

__all__ = [
    "UNCOUNTED",
    "Commands",
    "Headline",
    "Step",
    "duration",
    "headline",
    "how_ended",
    "lower_bound",
    "moment",
    "next_steps",
    "number",
    "printable",
    "report_json",
    "report_markdown",
    "report_page",
    "state",
    "summary",
]
