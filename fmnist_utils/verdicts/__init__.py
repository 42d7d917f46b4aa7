"""Each claim held against the runs; what a chapter asks for stands here."""

from fmnist_utils.verdicts import equivalence
from fmnist_utils.verdicts.collect import judge_accuracies, reported_accuracies
