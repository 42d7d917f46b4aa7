"""Each claim held against the runs; what a chapter or a page asks for stands here."""

from fmnist_utils.verdicts import equivalence
from fmnist_utils.verdicts.across_reports import (
    highest_reported,
    one_protocol,
    own_runs,
    tested_verdicts,
)
from fmnist_utils.verdicts.disputed import Disputed, disputed, disputed_by
from fmnist_utils.verdicts.ledger import every_ledger, ledger_rows, statement_share
from fmnist_utils.verdicts.multiplicity import chance
from fmnist_utils.verdicts.report_verdicts import judge_accuracies, reported_accuracies
