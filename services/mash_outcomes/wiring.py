"""mash.contacts, police.notifications, mash.decisions, … → mash.outcomes, gp.cues, deadlines.set, deadlines.met."""

from services.bus.events import (
    ContactReceived,
    DeadlineMet,
    DeadlineSet,
    DecisionMade,
    HealthToBeTold,
    InformationRequested,
    InformationReturned,
    OutcomeShared,
    PoliceNotified,
)
from services.bus.service import Service
from services.mash_outcomes.checks import expect_answer, note_answer
from services.mash_outcomes.decide import open_case, open_case_of_police, share_outcome
from services.mash_outcomes.view import Case

SERVICE = Service(
    name="mash-outcomes",
    on={
        ContactReceived: open_case,
        PoliceNotified: open_case_of_police,
        InformationRequested: expect_answer,
        InformationReturned: note_answer,
        DecisionMade: share_outcome,
    },
    emits=(OutcomeShared, HealthToBeTold, DeadlineSet, DeadlineMet),
    view=Case,
)
