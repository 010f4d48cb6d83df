"""The demo's scenario: what happens, when, and who has to learn of it.

A Friday evening's domestic abuse incident with two children at two schools; the out-of-hours team sees to it at night
and hands it to the day; on Monday one enquiry closes with a
rationale and the other goes to a strategy discussion. Children, schools and the incident are made up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.bus import events as e
from services.bus.disclosing import match_deadline_id
from services.bus.envelope import Event

LONDON = ZoneInfo("Europe/London")
MAYA, THEO = "child-7qm2", "child-k4tz"
MAYAS_SCHOOL, THEOS_SCHOOL = "school:990001", "school:990002"
PRACTICE, NURSES = "practice:K82007", "health:825-school-nursing"
DUTY, MASH, COUNCIL, FORCE = "duty:825", "mash:825", "la:825", "police:thames-valley"
NOT_CONNECTED = [MAYAS_SCHOOL, THEOS_SCHOOL, PRACTICE, NURSES, DUTY, MASH, COUNCIL, FORCE]


@dataclass(frozen=True, slots=True)
class Expected:
    """One thing that somebody has to learn: the type of the event, who, and about which child."""

    type: str
    recipient: str
    child_id: str | None = None


@dataclass(frozen=True, slots=True)
class OnBoard:
    """One matter that the handover board has to show: whether somebody sees to it, and which side has it, if it is
    certain: what a demo before this one left open with the day is newer, by this one's clock, than what comes now.
    """

    matter: str
    state: str = "OPEN"
    team: str | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """What the out-of-hours worker does with a matter."""

    matter: str
    act: e.HandoverAct
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One moment: the clock goes to `at`, `says` is published and `acts` are done, then `teaches` has to have been
    learnt, and the board has to show what `on_board` says.
    """

    at: datetime
    title: str
    says: tuple[tuple[str, Event], ...] = ()
    teaches: tuple[Expected, ...] = ()
    waits: tuple[str, ...] = ()
    """Topics on which something has to wait for a person."""
    malformed: str | None = None
    """A body that is no incident, published as it is by the police's principal."""
    reads: tuple[str, ...] = ()
    """Recipients who read, at this moment, what they had left unread."""
    acts: tuple[Act, ...] = ()
    on_board: tuple[OnBoard, ...] = ()


def london(day: int, hour: int, minute: int) -> datetime:
    """A moment of November 2026; Friday is the 13th, Monday the 16th."""
    return datetime(2026, 11, day, hour, minute, tzinfo=LONDON).astimezone(UTC)


UNREAD = frozenset({(e.SchoolAlerted.topic, MAYAS_SCHOOL), (e.SchoolAlerted.topic, THEOS_SCHOOL)})
"""What nobody reads at once: it is Friday night, and one school does not look on Monday either."""


def steps(run: str) -> Iterator[Step]:
    """The story. `run` makes this run's incident and enquiries its own, so that it can be played again."""
    told = e
    yield Step(
        london(13, 19, 40),
        "Friday 19:40: the police report domestic abuse; two children were there",
        says=(("police", _incident(run)),),
        teaches=(
            Expected(told.PoliceNotified.topic, DUTY, MAYA),
            Expected(told.PoliceNotified.topic, DUTY, THEO),
            Expected(told.SchoolAlerted.topic, MAYAS_SCHOOL, MAYA),
            Expected(told.SchoolAlerted.topic, THEOS_SCHOOL, THEO),
        ),
        on_board=(OnBoard(MAYA), OnBoard(THEO)),
    )
    nobody = f"unmatched:{match_deadline_id(f'incident-{run}-b', '1')}"
    yield Step(
        london(13, 20, 5),
        "Friday 20:05: a child whom nobody can be matched to, and an incident that is malformed",
        says=(("police", _unknown_child(run)),),
        waits=(told.ChildUnmatched.topic, told.DeadLetter.topic),
        malformed=run,
        on_board=(OnBoard(nobody),),
    )
    yield Step(
        london(13, 20, 20),
        "Friday 20:20: the out-of-hours worker takes Theo's",
        acts=(Act(THEO, e.HandoverAct.TAKEN),),
        on_board=(OnBoard(THEO, "TAKEN", "NIGHT"),),
    )
    yield Step(
        london(14, 0, 10),
        "Saturday 00:10: nobody has matched her yet; it is escalated, long before school",
        teaches=(Expected(told.DeadlineMissed.topic, COUNCIL, nobody),),
    )
    yield Step(
        london(14, 7, 30),
        "Saturday 07:30: the night hands both to the day, each with what is left to do",
        acts=(
            Act(MAYA, e.HandoverAct.HANDED_TO_DAY, "Safe with her grandmother until Monday; daily triage."),
            Act(THEO, e.HandoverAct.HANDED_TO_DAY, "Seen at home with his mother; ask for a strategy discussion."),
        ),
        on_board=(OnBoard(MAYA, team="DAY"), OnBoard(THEO, team="DAY")),
    )
    yield Step(london(16, 8, 20), "Monday 08:20: one school reads its alert", reads=(MAYAS_SCHOOL,))
    yield Step(
        london(16, 8, 50),
        "Monday 08:50: the other school has not; it is escalated",
        teaches=(Expected(told.DeadlineMissed.topic, COUNCIL, THEO),),
    )
    yield Step(
        london(16, 9, 30),
        "Monday 09:30: daily triage closes Maya's enquiry, with a rationale",
        says=(("local-authority", _closed(run)),),
        teaches=(
            Expected(told.OutcomeShared.topic, MAYAS_SCHOOL, MAYA),
            Expected(told.OutcomeShared.topic, FORCE, MAYA),
            Expected(told.HealthUpdated.topic, PRACTICE, MAYA),
            Expected(told.HealthUpdated.topic, NURSES, MAYA),
        ),
    )
    yield Step(
        london(16, 9, 45),
        "Monday 09:45: Theo's goes to a strategy discussion",
        says=(("local-authority", _to_strategy(run)),),
        teaches=(
            Expected(told.OutcomeShared.topic, THEOS_SCHOOL, THEO),
            Expected(told.OutcomeShared.topic, FORCE, THEO),
            Expected(told.HealthUpdated.topic, PRACTICE, THEO),
            Expected(told.HealthUpdated.topic, NURSES, THEO),
        ),
    )
    yield Step(
        london(16, 15, 30),
        "Monday 15:30: the minutes are approved; the GP, who could not come, has them first",
        says=(("local-authority", _meeting(run)), ("local-authority", _minutes(run))),
        teaches=(
            Expected(told.MinutesDistributed.topic, PRACTICE),
            Expected(told.MinutesDistributed.topic, THEOS_SCHOOL),
            Expected(told.MinutesDistributed.topic, FORCE),
        ),
    )


def _adults() -> list[dict[str, Any]]:
    links = [{"organisation_id": o, "link": "NO", "capacity": "UNKNOWN"} for o in NOT_CONNECTED]
    return [{"reference": "adult-1", "links": links}]


def _child(reference: str, who: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "reference": reference,
        "identity": who,
        "presence": "BOTH",
        "location_confidential": False,
        "circumstances": [],
        **more,
    }


def _report(incident: str, at: datetime, children: list[dict[str, Any]]) -> e.IncidentReported:
    return e.IncidentReported.model_validate(
        {
            "incident_id": incident,
            "force": FORCE,
            "occurred_at": at,
            "aware_at": at,
            "historic": False,
            "kinds": ["DOMESTIC_ABUSE"],
            "grading": "AMBER",
            "immediate_danger": "NO",
            "narrative": "Officers attended after a neighbour heard shouting. Both children were upstairs and awake.",
            "address": None,
            "location_confidential": False,
            "adults_of_concern": _adults(),
            "strategy_discussion": {"wanted": "YES", "reason": "third incident in two months"},
            "protective_instructions": [],
            "children": children,
        }
    )


def _incident(run: str) -> e.IncidentReported:
    maya = {"forenames": "Maya", "family_name": "Hartley-Osei", "date_of_birth": date(2018, 3, 14)}
    theo = {"forenames": "Theo", "family_name": "Hartley-Osei", "date_of_birth": date(2013, 9, 30)}
    children = [
        _child("1", maya | {"nhs_number": "9996900606"}, voice="She said she put the pillow over her ears."),
        _child("2", theo | {"upn": "Z825990218583"}, voice="He asked whether he has to go to school on Monday."),
    ]
    return _report(f"incident-{run}", london(13, 19, 40), children)


def _unknown_child(run: str) -> e.IncidentReported:
    lily = {"forenames": "Lily", "family_name": "Marchetti", "date_of_birth": date(2014, 6, 1)}
    child = _child("1", lily, voice_not_recorded_reason="asleep when officers attended")
    return _report(f"incident-{run}-b", london(13, 20, 5), [child])


def _decision(run: str, child: str, name: str, **more: Any) -> e.DecisionMade:
    return e.DecisionMade.model_validate(
        {
            "decision_id": f"decision-{run}-{name}",
            "enquiry_id": f"incident-{run}",
            "child_id": child,
            "decided_by": "MASH assistant team manager",
            "family_told": "TOLD",
            "location_confidential": False,
            "adults_of_concern": _adults(),
            **more,
        }
    )


def _reasons(text: str) -> list[dict[str, Any]]:
    classes = ("EDUCATION", "HEALTH", "POLICE", "REFERRER_PROFESSIONAL")
    return [{"recipient_class": name, "reason": text, "approved_by": None} for name in classes]


def _closed(run: str) -> e.DecisionMade:
    return _decision(
        run,
        MAYA,
        "maya",
        decided_at=london(16, 9, 30),
        triage=True,
        outcome="EARLY_HELP",
        closes=True,
        rationale="Mother engages with the domestic abuse service; no injury; father has left the home.",
        shareable_reasons=_reasons("The family takes up early help; no further enquiry is needed now."),
        what_happens_next="A family support worker calls this week. Tell the front door if anything changes.",
        threshold="LEVEL_3",
    )


def _to_strategy(run: str) -> e.DecisionMade:
    return _decision(
        run,
        THEO,
        "theo",
        decided_at=london(16, 9, 45),
        triage=True,
        outcome="STRATEGY_DISCUSSION",
        closes=False,
        rationale="Third incident; he stepped in between the adults.",
        shareable_reasons=_reasons("There is reason to talk about his safety together."),
        what_happens_next="A strategy discussion is held today at 14:00.",
        threshold="SECTION_47",
    )


def _meeting(run: str) -> e.MeetingRecorded:
    def invited(organisation: str, role: str, post: str, attended: str, release: str) -> dict[str, Any]:
        return {
            "organisation_id": organisation, "role": role, "post": post, "attended": attended, "release": release,
        }  # fmt: skip

    return e.MeetingRecorded.model_validate(
        {
            "meeting_id": f"meeting-{run}",
            "version": 1,
            "enquiry_id": f"incident-{run}",
            "child_ids": [THEO],
            "held_at": london(16, 14, 0),
            "chair": "social care team manager",
            "location_confidential": False,
            "invitees": [
                invited(THEOS_SCHOOL, "SCHOOL", "designated safeguarding lead", "YES", "EXTRACT"),
                invited(FORCE, "POLICE", "child abuse investigation unit", "YES", "FULL"),
                invited(PRACTICE, "GP_PRACTICE", "safeguarding lead GP", "NO", "UNKNOWN"),
            ],
            "adults_of_concern": _adults(),
            "lado": False,
        }
    )


def _minutes(run: str) -> e.MinutesApproved:
    def action(number: int, owner: str, what: str) -> dict[str, Any]:
        return {"action_id": f"action-{run}-{number}", "owner": owner, "what": what, "due_by": london(18, 17, 0)}

    return e.MinutesApproved.model_validate(
        {
            "minutes_id": f"minutes-{run}",
            "meeting_id": f"meeting-{run}",
            "approved_at": london(16, 15, 30),
            "approved_by": "social care team manager",
            "full_text": "Theo's account was heard first. All agreed that the threshold for section 47 is met.",
            "extract": "Theo is to be seen by his mentor each morning this week.",
            "actions": [
                action(1, THEOS_SCHOOL, "Mentor sees Theo each morning."),
                action(2, PRACTICE, "Review Theo's record for injuries in the last year."),
                action(3, FORCE, "Share bail conditions with the social worker."),
            ],
            "embargo": None,
            "document": None,
        }
    )
