"""Codes and moments in the words of a school office, a practice or a duty team: British English, London time."""

from __future__ import annotations

from datetime import UTC, date, datetime

from services.bus.calendar import local

NO_TIME = "time not known"
"""Said of a moment outside the calendar."""

WORDS = {
    # Where the child was
    "WAS_PRESENT": "Was there when it happened",
    "LIVES_THERE": "Lives there",
    "BOTH": "Was there when it happened, and lives there",
    # What was decided
    "NO_FURTHER_ACTION": "No further action by children’s social care",
    "ADVICE": "Advice given",
    "EARLY_HELP": "Early help",
    "SECTION_17_ASSESSMENT": "Assessment of a child in need (section 17)",
    "STRATEGY_DISCUSSION": "Strategy discussion",
    "SECTION_47_ENQUIRY": "Child protection enquiry (section 47)",
    # How urgent, and on what ground
    "RED": "Red: now",
    "AMBER": "Amber: soon",
    "GREEN": "Green: in turn",
    "LEVEL_2": "Level 2: early help may be enough",
    "LEVEL_3": "Level 3: targeted help",
    "SECTION_17": "Child in need (section 17)",
    "SECTION_47": "Reasonable cause to suspect significant harm (section 47)",
    "TOLD": "Yes",
    "NOT_TOLD_UNSAFE": "No: telling them would not be safe",
    "NOT_YET": "Not yet",
    "YES": "Yes",
    "NO": "No",
    # What is asked for
    "ATTENDANCE": "Attendance",
    "LEARNING_NEEDS": "Learning needs",
    "EDUCATIONAL_PROGRESS": "Educational progress",
    "CULTURE_AND_HERITAGE": "Culture and heritage",
    "HEALTH": "Health",
    "POLICE_HISTORY": "Police history",
    "FAMILY": "Family",
    "OTHER": "Other",
    # What happened
    "DOMESTIC_ABUSE": "Domestic abuse",
    "NEGLECT": "Neglect",
    "PHYSICAL_ABUSE": "Physical abuse",
    "SEXUAL_ABUSE": "Sexual abuse",
    "EXPLOITATION": "Exploitation",
    "MISSING": "Missing",
    "SELF_HARM": "Self-harm",
    # What makes a child's case differ
    "UNBORN": "Not born yet",
    "UNDOCUMENTED": "No reliable date of birth",
    "LOOKED_AFTER": "Looked after",
    "PRIVATELY_FOSTERED": "Privately fostered",
    "PARENT_UNDER_18": "A parent under 18",
    "ADOPTED_RECORD_CLOSED": "This record has been closed",
    # How much of the minutes
    "FULL": "The minutes in full",
    "EXTRACT": "An extract that the chair wrote for you",
    "ACTIONS_ONLY": "Your own actions only",
    "NOTHING": "Nothing",
    # Whose part it is
    "SCHOOL": "School",
    "NURSERY": "Nursery",
    "GP_PRACTICE": "GP practice",
    "HEALTH_VISITING": "Health visiting team",
    "SCHOOL_NURSING": "School nursing team",
    "MATERNITY": "Maternity safeguarding",
    "MASH": "Multi-agency safeguarding hub (MASH)",
    "OUT_OF_HOURS": "Out-of-hours duty team",
    "POLICE": "Police",
    "LOCAL_AUTHORITY": "Local authority",
    "SOCIAL_CARE": "Children’s social care",
    "REFERRER": "Whoever raised the concern",
    "HOUSING": "Housing",
    # What was expected
    "FRONT_DOOR_DECISION": "A decision on a notification or referral",
    "SCHOOL_ALERT_READ": "Reading a domestic abuse alert",
    "OUTCOME_READ": "Reading the outcome of an enquiry",
    "HEALTH_RECORD_FILED": "Filing an update in the health record, hidden from online access",
    "MINUTES_READ": "Reading the minutes or actions of a strategy meeting",
    "INFORMATION_RESPONSE": "Answering a request for information",
    "MEETING_EXPECTED": "Recording a meeting whose minutes arrived",
    "MATCH_BY_PERSON": "Saying which child a police report is about",
    "INCIDENT_EXPECTED": "Reporting the incident that an answer was about",
    "NOTIFICATION_READ": "Reading a police notification",
    # Why, and on what basis
    "OPERATION_ENCOMPASS": "Operation Encompass",
    "POLICE_NOTIFICATION": "Police notification",
    "MASH_INFORMATION_REQUEST": "Request for information by the MASH",
    "MASH_OUTCOME": "Outcome of an enquiry by the MASH",
    "HEALTH_RECORD": "The child’s health record",
    "STRATEGY_MINUTES": "Minutes of a strategy meeting",
    "ESCALATION": "Something was not done in time",
    "DA_ACT_2021_S49A": "Domestic Abuse Act 2021, section 49A",
    "LEGAL_OBLIGATION_6_1_C": "UK GDPR Article 6(1)(c), legal obligation",
    "PUBLIC_TASK_6_1_E": "UK GDPR Article 6(1)(e), public task",
    "LAW_ENFORCEMENT_DPA_PART_3": "Data Protection Act 2018, Part 3",
    "NURSERY_ENCOMPASS": "Operation Encompass for nurseries",
    "HOME_EDUCATION_ENCOMPASS": "Operation Encompass for home-educated children",
}  # fmt: skip


def word(code: str) -> str:
    """What a code means. One that this version has no words for is not known, which never reads as harmless."""
    return WORDS.get(code, "Not known")


def from_us(us: int) -> datetime:
    """A moment of the tables."""
    return datetime.fromtimestamp(us / 1_000_000, UTC)


def moment(at: datetime) -> str:
    """Monday 23 November 2026 at 8:45am"""
    here = local(at)
    return f"{here:%A} {day(here.date())} at {clock(here)}" if here else NO_TIME


def clock(at: datetime) -> str:
    """8:45am, midday, midnight"""
    here = local(at)
    if here is None:
        return NO_TIME
    if here.minute == 0 and here.hour in (0, 12):
        return "midday" if here.hour else "midnight"
    return f"{here.hour % 12 or 12}:{here:%M}{'am' if here.hour < 12 else 'pm'}"


def day(on: date) -> str:
    """23 November 2026"""
    return f"{on.day} {on:%B %Y}"


def by_when(due: datetime, now: datetime) -> str:
    """today at 8:45am, tomorrow at 8:45am, yesterday at 3:15pm, or the whole date."""
    there, here = local(due), local(now)
    if there is None or here is None:
        return NO_TIME
    near = {0: "today", 1: "tomorrow", -1: "yesterday"}.get((there.date() - here.date()).days)
    return f"{near} at {clock(due)}" if near else moment(due)


def by_when_in_full(due: datetime, now: datetime) -> str:
    """The same, with the date as well: what is printed is read on another day."""
    near, there = by_when(due, now), local(due)
    return near if there is None or near == moment(due) else f"{near}, {there:%A} {day(there.date())}"


def organisation(organisation_id: str) -> str:
    """How an organisation's id reads: `school:110394` is School, URN 110394."""
    kind, _, code = organisation_id.partition(":")
    known = {
        "school": "School, URN",
        "practice": "Practice, ODS code",
        "health": "Health team, ODS code",
        "la": "Local authority, code",
        "mash": "MASH, code",
        "duty": "Duty team, code",
        "police": "Police force, code",
    }
    return f"{known[kind]} {code}" if kind in known else organisation_id
