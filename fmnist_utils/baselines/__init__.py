"""What stands beside the networks of the reports: classic classifiers, and a fast training."""
