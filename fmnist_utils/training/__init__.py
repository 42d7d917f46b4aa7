"""One experiment, one seed: from images to a run."""
