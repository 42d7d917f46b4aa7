"""The record as rows: claims, findings, assumptions, trainings and runs, and their files."""
