"""The inspector's report: what a journal proves of a period, check by check, as HTML and JSON."""
