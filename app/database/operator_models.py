"""All tables of the operators' side, from the files that describe them."""

from app.database.act_models import ACTS
from app.database.erasure_models import ERASURES
from app.database.number_models import NUMBERS
from app.database.reconciliation_models import RECONCILIATIONS
from app.database.source_models import SOURCES
from app.database.watching_models import WATCHING

OPERATORS = (*ACTS, *ERASURES, *NUMBERS, *RECONCILIATIONS, *SOURCES, *WATCHING)
