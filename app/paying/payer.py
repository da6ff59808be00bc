"""Pays a batch inside one transaction: what plugins give, and the rows that say it is paid."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from app.counting.marks import read_secret
from app.counting.occasions import SOURCE, Occasion, find_orphan
from app.counting.programme import Programme
from app.database.error_kinds import concerns_all
from app.database.opening import Database
from app.failpoints import reach
from app.host.loading import Plugins
from app.paying.counting import CountedBatch
from app.paying.granting import GatheredWrites, give_gift
from app.paying.keeping import Keeping
from app.paying.ledger import (
    dump_receipt,
    find_misfit,
    find_settled,
    insert_events,
    insert_grants,
    insert_parts,
)
from app.paying.payments import (
    Line,
    NothingPaid,
    Payment,
    Spoilt,
    find_order,
    finish_verdicts,
    make_entry,
)
from app.paying.recipients import Recipients
from app.paying.repeats import mark_repeats, write_repeats
from app.paying.suspects import Suspects
from app.paying.turns import take_turns
from app.porch.errors import Inseparable
from app.porch.json import dump_json
from app.porch.types import Outcome, OutcomeState, Player
from app.reporting.queue import build_reports, insert_reports

NOBODY = Player("", "")


class Payer:
    """Makes payments, many in one transaction; one that fails leaves it without a trace."""

    def __init__(
        self,
        database: Database,
        plugins: Plugins,
        programme: Programme,
        recipients: Recipients,
        suspects: Suspects,
        now: Callable[[], int],
        keeping: Keeping | None = None,
    ) -> None:
        """`now` gives ms since the epoch; without `keeping` nothing is put into the inbox."""
        self._database = database
        self._plugins = plugins
        self._keeping = keeping
        self._programme = programme
        self._counts = not programme.rules.is_plain
        self._recipients = recipients
        self._suspects = suspects
        self._now = now
        self._reports = plugins.has("build_report")

    def pay(self, payments: Sequence[Payment], look_first: bool) -> None:
        """Inside: all that one commit holds. Each payment gets its outcome, true once that is kept.

        `look_first`: some events may be settled already. Without, one that is fails as the database's
        unique error. Raises Spoilt where a payment that failed cannot be undone alone, and NothingPaid
        where no payment is left.
        """
        reach("settling: began")
        now = self._now()
        self._plan(payments, look_first, now)
        made = self._find_players(payments)
        reach("settling: players found")
        self._take_turns(payments)
        counted = self._count(payments, now)
        ordered = sorted(payments, key=find_order) if counted else payments
        self._give_all(ordered, counted, now)
        paid = [payment for payment in ordered if payment.outcome is None]
        if not paid:
            raise NothingPaid
        self._unmake(made, paid)
        self._finish_lines(paid, now)
        ids = self._write_books(paid, now, look_first)
        write_repeats(self._database, [line for one in paid for line in one.lines], ids)
        if self._keeping:
            self._keeping.keep_unpaid(payments)
        if counted:  # last, for what all share is held from here on
            counted.write(ids)
        for payment in paid:
            payment.finish()
        reach("settling: before COMMIT")

    def _plan(self, payments: Sequence[Payment], look_first: bool, now: int) -> None:
        keys = [key for payment in payments for key in payment.work.keys]
        settled = find_settled(self._database, keys) if look_first else {}
        for payment in payments:
            work = payment.work
            payment.reset(settled, now)
            if work.keys[0] in settled:
                payment.outcome = Outcome(OutcomeState.KNOWN, events=work.events)
            elif fault := find_misfit(work.events):
                payment.outcome = Outcome(OutcomeState.WAITING, fault)
            else:
                self._choose(payment)

    def _choose(self, payment: Payment) -> None:
        """What it earns, as far as the events say it; and whether it is paid with care."""
        for line in payment.lines:
            if fault := find_orphan(self._programme.rules, line.event):
                payment.outcome = Outcome(OutcomeState.WAITING, fault)
                continue
            if not self._counts:
                line.gifts = self._programme.choose_gifts(line.event)
            if self._counts or line.event.source == SOURCE:  # of which the ledger keeps the player
                line.wants_player = self._programme.wants_player(line.event, line.moment)
            else:
                line.wants_player = bool(line.gifts)
            line.wants_player = line.wants_player or bool(line.event.not_within)
        if self._suspects.are_there() and self._suspects.needs_care(payment):
            payment.is_careful = True

    def _find_players(self, payments: Sequence[Payment]) -> list[Player]:
        """Put the players of all events that earn something into their lines; those made for them."""
        if self._recipients.asks_plugins:
            for payment in payments:
                if payment.outcome is None:
                    self._try(payment, self._ask_for_players)
        wanted = [
            (payment, line)
            for payment in payments
            for line in payment.lines
            if payment.outcome is None and line.wants_player and line.player is None
        ]
        self._find_payees([one for one in wanted if one[1].event.source == SOURCE])
        wanted = [one for one in wanted if one[1].event.source != SOURCE]
        made: list[Player] = []
        answers = self._recipients.search([line.event for _, line in wanted], made)
        for (payment, line), answer in zip(wanted, answers, strict=True):
            if isinstance(answer, Player):
                line.player = answer
            elif payment.outcome is None or answer.state == OutcomeState.WAITING:
                payment.outcome = answer
        return made

    def _find_payees(self, wanted: Sequence[tuple[Payment, Line]]) -> None:
        """Put whom a party or a ranking pays into the lines; nobody waits for one who is gone.

        But totals are his alone who has them: where he is gone they are kept for nobody, and wait.
        """
        players = self._recipients.find_payees([line.event for _, line in wanted])
        for (payment, line), player in zip(wanted, players, strict=True):
            line.player = player
            if player is None and line.event.type == Occasion.TOTALS:
                payment.outcome = Outcome(OutcomeState.WAITING, "the player is gone")
            elif player is None and line.event.user_id:
                line.gifts = []

    def _unmake(self, made: Sequence[Player], paid: Sequence[Payment]) -> None:
        """A player who was made for payments that all failed goes with them."""
        if not made:
            return
        lines = [line for payment in paid for line in payment.lines]
        needed = {line.player.key for line in lines if line.player is not None}
        if orphans := [player for player in made if player.key not in needed]:
            self._recipients.unmake(orphans)

    def _ask_for_players(self, payment: Payment) -> None:
        for line in payment.lines:
            if line.wants_player and line.event.source != SOURCE:
                line.player = self._recipients.ask_plugins(line.event)

    def _take_turns(self, payments: Sequence[Payment]) -> None:
        if self._counts:
            return  # which takes them too
        take_turns(
            self._database,
            [
                line.player.key
                for payment in payments
                for line in payment.lines
                if payment.outcome is None and line.player is not None
            ],
        )
        mark_repeats(self._database, payments)

    def _count(self, payments: Sequence[Payment], now: int) -> CountedBatch | None:
        """What was counted before, where the rules ask for it."""
        if not self._counts:
            return None
        if self._programme.lacks_secret:
            self._programme = replace(self._programme, secret=read_secret(self._database))
        return CountedBatch(self._database, self._plugins, self._programme, payments, now)

    def _give_all(
        self, payments: Sequence[Payment], counted: CountedBatch | None, now: int
    ) -> None:
        """Have the plugins give every reward, and write what they gathered."""
        batch = GatheredWrites()

        def give(payment: Payment) -> None:
            for line in payment.lines:
                if counted:
                    counted.decide(line)
                self._give_gifts(payment, line, batch, now)

        for payment in payments:
            if payment.outcome is None:
                self._try(payment, give)
                batch.end_payment(is_kept=payment.outcome is None)
                if counted:
                    counted.end_payment(is_kept=payment.outcome is None)
        reach("settling: rewards given")
        batch.flush(self._plugins, self._database)
        reach("settling: rewards written")

    def _give_gifts(self, payment: Payment, line: Line, batch: GatheredWrites, now: int) -> None:
        for gift in line.gifts:
            payment.giving = gift
            player = line.player or NOBODY  # a server, which a party may pay
            line.grants.append(
                give_gift(self._plugins, self._database, gift, line.event, player, batch, now)
            )

    def _try(self, payment: Payment, act: Callable[[Payment], None]) -> None:
        """Have plugins do something for a payment; where they fail, it is out, and nothing of it stays."""
        try:
            error = self._database.try_alone(act, payment, with_savepoint=payment.is_careful)
        except Inseparable as inseparable:
            self._suspects.note_failure(payment)
            if payment.is_careful:  # care does not help
                self._suspects.note_spoiler(payment.work)
            raise Spoilt([(payment, inseparable.error)]) from inseparable
        if error is not None:
            self._suspects.note_failure(payment)
            payment.fail(error)

    def _finish_lines(self, payments: Sequence[Payment], now: int) -> None:
        """What the ledger and the platforms will be told. Whoever fails here has gathered writes, which
        are written: the whole is undone, so all who fail are found first."""
        culprits: list[tuple[Payment, Exception]] = []
        for payment in payments:
            try:
                for line in payment.lines:
                    self._finish_line(line, now)
            except Exception as error:
                if concerns_all(error):
                    raise
                culprits.append((payment, error))
                self._suspects.note_spoiler(payment.work)
                if self._database.is_doomed:  # the others would meet the same error
                    break
        if culprits:
            raise Spoilt(culprits)

    def _finish_line(self, line: Line, now: int) -> None:
        line.data = dump_json(line.event.data)
        finish_verdicts(line)
        line.receipts = [dump_receipt(grant) for grant in line.grants]
        if self._reports:
            line.reports = list(build_reports(self._plugins, line.event, line.grants, now))

    def _write_books(
        self, payments: Sequence[Payment], now: int, look_first: bool
    ) -> Mapping[bytes, int]:
        """The events, the ledger, the reports; the row ids of the events by their keys."""
        lines = [(payment, line) for payment in payments for line in payment.lines]
        entries = [make_entry(payment, line) for payment, line in lines]
        ids = insert_events(self._database, entries, now)
        families = [[*(ids[line.key] for line in one.lines), *one.known] for one in payments]
        insert_parts(self._database, families)
        reach("settling: events inserted")
        self._write_grants(lines, ids, now, look_first)
        return ids

    def _write_grants(
        self,
        lines: Sequence[tuple[Payment, Line]],
        ids: Mapping[bytes, int],
        now: int,
        look_first: bool,
    ) -> None:
        """The ledger and the reports of events whose row ids are known."""
        grants = [
            (ids[line.key], grant, gift, receipt)
            for _, line in lines
            for gift, grant, receipt in zip(line.gifts, line.grants, line.receipts, strict=True)
        ]
        insert_grants(self._database, grants, now)
        reach("settling: grants inserted")
        if self._reports:
            reports = [(ids[line.key], report) for _, line in lines for report in line.reports]
            insert_reports(self._database, reports, now, look_first)
            reach("settling: reports inserted")
