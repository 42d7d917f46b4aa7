"""A new report: its skeleton, and what is still missing."""
