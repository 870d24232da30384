"""Runs trials one after another in this process: one debugger session covers the whole line."""

from __future__ import annotations

from study.interrupts import interruptible
from study.search import Assignment
from study.session import Session
from study.worker import TrialStopped, run_assignment
from trainables.metrics import EpochReport


def run(session: Session) -> None:
    """Run the study to its end; ``KeyboardInterrupt`` when a signal, or a full disk, ends it earlier."""

    def interrupted() -> None:
        session.interrupt()
        raise KeyboardInterrupt

    with interruptible(interrupted):
        while (assignment := session.next()) is not None:
            _run_trial(session, assignment)


def _run_trial(session: Session, assignment: Assignment) -> None:
    number, share = assignment.number, session.allotment.of(assignment.trainable)

    def on_report(_report: EpochReport) -> None:
        session.reported(number)
        if session.over():
            if session.interrupted:
                raise KeyboardInterrupt
            raise TrialStopped(session.out_of_time())

    run_assignment(session.paths.root, number, gpu_share=share.gpu_share, threads=share.threads, on_report=on_report)
    session.ended(number)
