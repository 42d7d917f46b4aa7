"""The five source reports as data, one folder each."""
