"""The source reports as data, one folder each."""
