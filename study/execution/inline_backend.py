"""Runs trials one after another in this process: one debugger session covers the whole line."""

from __future__ import annotations

from study.execution.interrupts import interruptible
from study.execution.session import Session
from study.execution.worker import MACHINE_FAULTS, Epoch, Terms, Train, TrialStopped, run_assignment
from study.files.disk import full_disk
from study.search.searcher import Assignment


def run(session: Session, train: Train | None = None) -> None:
    """Run the study to its end; ``KeyboardInterrupt`` when a signal, or a full disk, ends it earlier.

    ``train`` stands in for ``trainables.trial.run``.
    """

    def interrupted() -> None:
        session.interrupt()
        raise KeyboardInterrupt

    with interruptible(interrupted):
        while isinstance(assignment := session.next(), Assignment):  # nothing runs beside that one could wait for
            _run_trial(session, assignment, train)


def _run_trial(session: Session, assignment: Assignment, train: Train | None) -> None:
    number, share, drivers_own = assignment.number, session.allotment.of(assignment.trainable), list[Exception]()

    def on_report(_report: Epoch) -> None:
        try:
            session.reported(number)
        except Exception as error:
            drivers_own.append(error)
            raise
        if session.over():
            if session.interrupted:
                raise KeyboardInterrupt
            raise TrialStopped(session.out_of_time())

    terms = Terms(
        gpu_share=share.gpu_share,
        threads=share.threads,
        storage=session.config.storage,
        recompute="recompute" in session.config.resources.on_out_of_memory,
    )
    try:
        run_assignment(session.paths.root, number, terms, on_report=on_report, train=train)
    except MACHINE_FAULTS as error:
        its_own = error not in drivers_own and not full_disk(error)
        if its_own and session.lost(number, f"{type(error).__name__}: {error}"):
            return
        raise  # another attempt may succeed, in another process
    session.ended(number)
