"""Every event, and what events share. GENERATED from schemas/ by `make events`: never edit by hand."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from services.bus.envelope import Event, Model


class Action(Model):
    """Something that a strategy meeting decided that one organisation does."""

    action_id: str
    """Id of the action, unique within the meeting."""

    owner: str
    """Organisation id of the one that does it, as in directory.organisations. An organisation is shown only the actions
    that it owns.
    """

    what: str
    """What is to be done."""

    due_by: AwareDatetime
    """Until when, UTC."""


class YesNoUnknown(StrEnum):
    """An answer that is known to be yes, known to be no, or not known. UNKNOWN is never read as NO."""

    UNKNOWN = "UNKNOWN"
    YES = "YES"
    NO = "NO"


class LinkCapacity(StrEnum):
    """In what capacity an adult of concern is connected with an organisation."""

    UNKNOWN = "UNKNOWN"
    WORKS_THERE = "WORKS_THERE"
    VOLUNTEERS = "VOLUNTEERS"
    GOVERNS = "GOVERNS"
    PARENT_OR_CARER = "PARENT_OR_CARER"
    OTHER = "OTHER"


class AdultLink(Model):
    """Whether one adult of concern is connected with one organisation that might be told (H3)."""

    organisation_id: str
    """The organisation that might be told, as in directory.organisations."""

    link: YesNoUnknown
    """YES: this organisation's inbox and its escalation are bypassed. UNKNOWN: the reader declares that there is no
    conflict before it opens.
    """

    capacity: LinkCapacity
    """In what capacity the adult is connected with the organisation; UNKNOWN when there is no link or it is not known.
    """


class AdultOfConcern(Model):
    """An adult from whom a child may be at risk, without any personal data: an opaque reference and the links to
    organisations that might be told (H3).
    """

    reference: str
    """Opaque reference that the sender can resolve. Never a name, an address or a date of birth."""

    links: list[AdultLink]
    """Links to organisations. An organisation that is not listed counts as UNKNOWN."""


class Category(StrEnum):
    """A category of information that a MASH enquiry asks for. Each category asked gets an answer of its own, so that a
    gap can be seen.
    """

    UNKNOWN = "UNKNOWN"
    ATTENDANCE = "ATTENDANCE"
    LEARNING_NEEDS = "LEARNING_NEEDS"
    EDUCATIONAL_PROGRESS = "EDUCATIONAL_PROGRESS"
    CULTURE_AND_HERITAGE = "CULTURE_AND_HERITAGE"
    HEALTH = "HEALTH"
    POLICE_HISTORY = "POLICE_HISTORY"
    FAMILY = "FAMILY"
    OTHER = "OTHER"


class ChildIdentity(Model):
    """Who a child is, for a recipient that must recognise or file it. Stands only in the bodies of events that need it:
    never in a key, a header, a log line or an error. None of it identifies the child on the bus: an identifier can
    change, as an NHS number does on adoption.
    """

    forenames: str
    """All forenames as the sender knows them, separated by spaces. Empty when none is known, as for an unborn child."""

    family_name: str
    """Family name as the sender knows it. Empty when it is not known."""

    date_of_birth: date | None = None
    """Date of birth. Absent when it is not known, when the child is not born yet, or when the recipient does not need
    it.
    """

    nhs_number: str | None = None
    """NHS number, 10 digits; spaces are allowed. Absent when it is not known or when the recipient does not need it;
    schools never receive it.
    """

    upn: str | None = None
    """Unique pupil number, 13 characters with a check letter. Absent when it is not known, when the child has none, or
    when the recipient does not need it.
    """


class Circumstance(StrEnum):
    """What makes a child's case differ from the usual one (H13). UNKNOWN is a circumstance that this version of the
    contract does not name yet, and goes to a person. UNBORN: only maternity safeguarding is told. UNDOCUMENTED: no
    reliable date of birth, only a stated age. LOOKED_AFTER: has a placing and a host authority, and the carer's address
    is hidden. ADOPTED_RECORD_CLOSED: this record ended with an adoption; nothing on the bus says what followed (H1).
    """

    UNKNOWN = "UNKNOWN"
    UNBORN = "UNBORN"
    UNDOCUMENTED = "UNDOCUMENTED"
    LOOKED_AFTER = "LOOKED_AFTER"
    PRIVATELY_FOSTERED = "PRIVATELY_FOSTERED"
    PARENT_UNDER_18 = "PARENT_UNDER_18"
    ADOPTED_RECORD_CLOSED = "ADOPTED_RECORD_CLOSED"


class ClaimCheck(Model):
    """A large document that does not travel in the event. It is fetched through the gateway by those entitled, and
    checked against the digest.
    """

    sha256: str
    """SHA-256 digest of the content, 64 lower-case hexadecimal digits."""

    size: int
    """Size of the content in bytes."""

    media_type: str
    """Media type, such as application/pdf."""

    location: str
    """Where the content is kept. It grants no access by itself and carries no personal data."""


class DeadlineKind(StrEnum):
    """What is expected. FRONT_DOOR_DECISION: a decision on a notification or referral, and the referrer told, within 1
    working day (Working Together to Safeguard Children). SCHOOL_ALERT_READ: a school reads an Operation Encompass alert
    (H9). OUTCOME_READ: a partner reads an outcome. HEALTH_RECORD_FILED: a practice or health team files an update and
    confirms that it is hidden from online access (H11). MINUTES_READ: an invitee reads minutes or its actions.
    INFORMATION_RESPONSE: an agency answers a MASH request. MEETING_EXPECTED: minutes arrived for a meeting that nobody
    recorded. MATCH_BY_PERSON: a person says which child an unmatched child is (H12). INCIDENT_EXPECTED: that answer
    arrived for an incident that nobody reported. NOTIFICATION_READ: the front door, or the duty team out of hours,
    reads a police notification, within 10 minutes where a child is or may be in immediate danger (H7).
    """

    UNKNOWN = "UNKNOWN"
    FRONT_DOOR_DECISION = "FRONT_DOOR_DECISION"
    SCHOOL_ALERT_READ = "SCHOOL_ALERT_READ"
    OUTCOME_READ = "OUTCOME_READ"
    HEALTH_RECORD_FILED = "HEALTH_RECORD_FILED"
    MINUTES_READ = "MINUTES_READ"
    INFORMATION_RESPONSE = "INFORMATION_RESPONSE"
    MEETING_EXPECTED = "MEETING_EXPECTED"
    MATCH_BY_PERSON = "MATCH_BY_PERSON"
    INCIDENT_EXPECTED = "INCIDENT_EXPECTED"
    NOTIFICATION_READ = "NOTIFICATION_READ"


class Role(StrEnum):
    """The part that an organisation plays in a child's care or safety. UNKNOWN means a role that this version of the
    contract does not name yet; nothing is disclosed to it.
    """

    UNKNOWN = "UNKNOWN"
    SCHOOL = "SCHOOL"
    NURSERY = "NURSERY"
    GP_PRACTICE = "GP_PRACTICE"
    HEALTH_VISITING = "HEALTH_VISITING"
    SCHOOL_NURSING = "SCHOOL_NURSING"
    MATERNITY = "MATERNITY"
    MASH = "MASH"
    OUT_OF_HOURS = "OUT_OF_HOURS"
    POLICE = "POLICE"
    LOCAL_AUTHORITY = "LOCAL_AUTHORITY"
    SOCIAL_CARE = "SOCIAL_CARE"
    REFERRER = "REFERRER"
    HOUSING = "HOUSING"
    OTHER = "OTHER"


class Purpose(StrEnum):
    """Why a partner is told, as a code. Every disclosure states one; the disclosure log and the gateway's inboxes show
    it.
    """

    UNKNOWN = "UNKNOWN"
    OPERATION_ENCOMPASS = "OPERATION_ENCOMPASS"
    POLICE_NOTIFICATION = "POLICE_NOTIFICATION"
    MASH_INFORMATION_REQUEST = "MASH_INFORMATION_REQUEST"
    MASH_OUTCOME = "MASH_OUTCOME"
    HEALTH_RECORD = "HEALTH_RECORD"
    STRATEGY_MINUTES = "STRATEGY_MINUTES"
    ESCALATION = "ESCALATION"


class LawfulBasis(StrEnum):
    """The lawful basis of a disclosure, as a code. DA_ACT_2021_S49A: Domestic Abuse Act 2021 s.49A, the police's duty
    to tell schools. LEGAL_OBLIGATION_6_1_C and PUBLIC_TASK_6_1_E: UK GDPR Art. 6(1)(c) and (e), with Art. 9(2)(g) and
    Data Protection Act 2018 Sch. 1 para. 18. LAW_ENFORCEMENT_DPA_PART_3: Data Protection Act 2018 Part 3.
    NURSERY_ENCOMPASS and HOME_EDUCATION_ENCOMPASS: nurseries and home-educated children, who are outside s.49A and have
    a basis code of their own (H9).
    """

    UNKNOWN = "UNKNOWN"
    DA_ACT_2021_S49_A = "DA_ACT_2021_S49A"
    LEGAL_OBLIGATION_6_1_C = "LEGAL_OBLIGATION_6_1_C"
    PUBLIC_TASK_6_1_E = "PUBLIC_TASK_6_1_E"
    LAW_ENFORCEMENT_DPA_PART_3 = "LAW_ENFORCEMENT_DPA_PART_3"
    NURSERY_ENCOMPASS = "NURSERY_ENCOMPASS"
    HOME_EDUCATION_ENCOMPASS = "HOME_EDUCATION_ENCOMPASS"


class Disclosure(Model):
    """Who is told, why, on what lawful basis and by when it should be read. Every event that tells a partner something
    carries this block; inboxes, deadlines and the disclosure log are driven by it.
    """

    id: UUID
    """The disclosure's id. The same cause, recipient and subject always give the same id, so a repeat can be
    recognised.
    """

    recipient: str
    """Organisation id of the recipient, as in directory.organisations. For a child whose location is confidential it
    must not be shown to anyone but the recipient and the disclosure log (H2).
    """

    recipient_role: Role
    """The role in which the recipient is told; another role of the same organisation is another disclosure."""

    purpose: Purpose
    """Why the recipient is told."""

    lawful_basis: LawfulBasis
    """The lawful basis on which it is told."""

    due_by: AwareDatetime | None = None
    """Until when a named person at the recipient should have read it, UTC. Absent when the recipient is told for
    information only and nothing is expected of it.
    """

    supersedes: UUID | None = None
    """Id of the earlier disclosure that this one replaces. Absent when it replaces none."""

    declare_no_conflict: bool = False
    """True when the reader must declare that no adult of concern is connected with the reader before the content opens
    (H3).
    """

    location_confidential: bool = False
    """True when where the child lives or stays must not become known (H2): whoever writes the receipt then names no
    practitioner in it, and no notice or export shows who the recipient is.
    """


class FamilyTold(StrEnum):
    """Whether the family knows that the concern was raised and that others are asked (H6). NOT_TOLD_UNSAFE: telling
    them would put the child or someone else at risk; the reason is recorded beside it.
    """

    UNKNOWN = "UNKNOWN"
    TOLD = "TOLD"
    NOT_TOLD_UNSAFE = "NOT_TOLD_UNSAFE"
    NOT_YET = "NOT_YET"


class Grading(StrEnum):
    """How urgent it is: RED now, AMBER soon, GREEN in turn. UNKNOWN ranks as RED until a person grades it (H7)."""

    UNKNOWN = "UNKNOWN"
    RED = "RED"
    AMBER = "AMBER"
    GREEN = "GREEN"


class HandoverAct(StrEnum):
    """What a worker does with a matter on the handover board. NOTED: wrote a note, and IDENTIFIED: said who a child is;
    both stand on a card, and are no acts that one could do by themselves.
    """

    UNKNOWN = "UNKNOWN"
    TAKEN = "TAKEN"
    LET_GO = "LET_GO"
    HANDED_TO_DAY = "HANDED_TO_DAY"
    HANDED_TO_NIGHT = "HANDED_TO_NIGHT"
    TAKEN_BACK = "TAKEN_BACK"
    CLOSED = "CLOSED"
    RISK_CHANGED = "RISK_CHANGED"
    NOTED = "NOTED"
    PASSED_ON = "PASSED_ON"
    IDENTIFIED = "IDENTIFIED"


class IncidentKind(StrEnum):
    """What kind of harm an incident is about. DOMESTIC_ABUSE is what Operation Encompass covers. UNKNOWN is never read
    as harmless.
    """

    UNKNOWN = "UNKNOWN"
    DOMESTIC_ABUSE = "DOMESTIC_ABUSE"
    NEGLECT = "NEGLECT"
    PHYSICAL_ABUSE = "PHYSICAL_ABUSE"
    SEXUAL_ABUSE = "SEXUAL_ABUSE"
    EXPLOITATION = "EXPLOITATION"
    MISSING = "MISSING"
    SELF_HARM = "SELF_HARM"
    OTHER = "OTHER"


class OperatorAct(StrEnum):
    """What someone who looks after the bus did, that others must be able to look up. REVEALED: saw personal fields;
    EXPORTED: took records away in a file; RETRYING: is about to send a dead letter's original again; RETRIED: it was
    sent, and what became of it; DISCARDED: a dead letter is not to be processed; REPLAYED: rebuilt a service's state or
    sent its stored outputs again.
    """

    UNKNOWN = "UNKNOWN"
    REVEALED = "REVEALED"
    EXPORTED = "EXPORTED"
    RETRYING = "RETRYING"
    RETRIED = "RETRIED"
    DISCARDED = "DISCARDED"
    REPLAYED = "REPLAYED"


class Outcome(StrEnum):
    """What a decision on an enquiry comes to. SECTION_17_ASSESSMENT and SECTION_47_ENQUIRY: Children Act 1989 s.17 and
    s.47.
    """

    UNKNOWN = "UNKNOWN"
    NO_FURTHER_ACTION = "NO_FURTHER_ACTION"
    ADVICE = "ADVICE"
    EARLY_HELP = "EARLY_HELP"
    SECTION_17_ASSESSMENT = "SECTION_17_ASSESSMENT"
    STRATEGY_DISCUSSION = "STRATEGY_DISCUSSION"
    SECTION_47_ENQUIRY = "SECTION_47_ENQUIRY"


class PoliceProtection(Model):
    """A child taken into police protection (Children Act 1989 s.46), which lasts 72 hours at most."""

    began_at: AwareDatetime
    """When it began, UTC."""

    ends_at: AwareDatetime
    """When it ends at the latest, UTC."""

    designated_officer: str
    """The rank, number or name of the designated officer."""


class Presence(StrEnum):
    """How the child is connected with the place of the incident: was there at the time, lives there, or both."""

    UNKNOWN = "UNKNOWN"
    WAS_PRESENT = "WAS_PRESENT"
    LIVES_THERE = "LIVES_THERE"
    BOTH = "BOTH"


class ProtectiveInstruction(Model):
    """Who must not collect or approach a child, as an item of its own (H8). Goes to the safeguarding lead only, and
    only once a named officer has released it.
    """

    instruction: str
    """The instruction, in words that the safeguarding lead can act on."""

    until: AwareDatetime | None = None
    """When it ends, UTC. Absent when it holds until it is withdrawn."""

    released_by: str | None = None
    """The officer who released it to the safeguarding lead. Absent while nobody has released it; then it goes to
    nobody.
    """


class RecordStatus(StrEnum):
    """Whether a record of the directory is in use. A closed record stays in the topic, marked CLOSED, and is never
    removed by a tombstone. UNKNOWN is treated as closed: nothing is sent to it.
    """

    UNKNOWN = "UNKNOWN"
    OPEN = "OPEN"
    CLOSED = "CLOSED"


class Release(StrEnum):
    """How much of a meeting's minutes one invitee receives, as the chair decided (H4). UNKNOWN means not decided yet
    and is read as ACTIONS_ONLY: the invitee's own actions and no text.
    """

    UNKNOWN = "UNKNOWN"
    FULL = "FULL"
    EXTRACT = "EXTRACT"
    ACTIONS_ONLY = "ACTIONS_ONLY"
    NOTHING = "NOTHING"


class RiskCriterion(StrEnum):
    """What makes one matter more urgent than another."""

    UNKNOWN = "UNKNOWN"
    IMMEDIATE_DANGER = "IMMEDIATE_DANGER"
    GRADING = "GRADING"
    YOUNG = "YOUNG"
    MISSING = "MISSING"
    REPEAT = "REPEAT"
    DEADLINE = "DEADLINE"


class StrategyWish(Model):
    """Whether the sender asks for a strategy discussion. Every police notification says so, and why or why not."""

    wanted: YesNoUnknown
    """YES when a strategy discussion is asked for, NO when it is not."""

    reason: str
    """Why it is asked for, or why not. Empty only when wanted is UNKNOWN."""


class Team(StrEnum):
    """Which side of the handover: the day's teams or the out-of-hours team. UNKNOWN means one that this version of the
    contract does not name yet.
    """

    UNKNOWN = "UNKNOWN"
    DAY = "DAY"
    NIGHT = "NIGHT"


class Threshold(StrEnum):
    """The level of need at which an enquiry stands. LEVEL_2: early help may do. LEVEL_3: targeted help. SECTION_17: a
    child in need, Children Act 1989 s.17. SECTION_47: reasonable cause to suspect significant harm, Children Act 1989
    s.47. UNKNOWN counts as below section 47 when others are to be asked (H6), and as the most urgent when work is
    ordered (H7).
    """

    UNKNOWN = "UNKNOWN"
    LEVEL_2 = "LEVEL_2"
    LEVEL_3 = "LEVEL_3"
    SECTION_17 = "SECTION_17"
    SECTION_47 = "SECTION_47"


class Worker(Model):
    """A named worker of the authority, as signed in at the handover board."""

    person_id: str
    """The board's own id of the person."""

    name: str
    """The worker's name."""

    post: str
    """The worker's post, such as out-of-hours social worker."""

    team: Team
    """For which side the worker spoke."""


class OriginalHeader(Model):
    """A header of the original."""

    name: str
    """The header's name."""

    value: bytes | None = None
    """The header's value, byte for byte. Absent when the header has none."""


class DeadLetter(Event):
    """An event that a service could not process, or a part of a decision that a person must take. key, body, headers
    and what body_claim points to are the original's and may hold personal data, so operators alone may read it; all
    other fields hold none.
    """

    topic: ClassVar[str] = "dead-letters.v1"

    dead_letter_id: UUID
    """Id of the dead letter; the same event, service and reason give the same id."""

    service: str
    """The service that gave up."""

    reason_code: str
    """Why, as a code, such as undecodable, invalid, id_reused, too_old, held."""

    rule: str | None = None
    """The rule that holds it for a person, such as H3. Absent unless reason_code is held."""

    field: str | None = None
    """JSON pointer to the field at fault. Absent when no single field is."""

    explanation: str
    """Why, in a sentence with ids and field names and never a value."""

    origin_topic: str
    """Topic of the original. `alarm` where there is no original: a person must take a part of what a service decided
    when a moment came; partition and offset then mean nothing.
    """

    origin_partition: int
    """Partition of the original."""

    origin_offset: int
    """Offset of the original."""

    origin_time: AwareDatetime | None = None
    """When the broker took the original, UTC. Absent when the record has no timestamp."""

    event_id: str | None = None
    """The original's ce_id. Absent when it has none."""

    event_source: str | None = None
    """The original's ce_source. Absent when it has none."""

    subject: str | None = None
    """Opaque id of what it is about: a child, an action, a step. Absent when it could not be told."""

    recipient: str | None = None
    """Organisation id of the recipient whose disclosure is held. Absent unless reason_code is held, and when the
    child's location is confidential (H2).
    """

    key: bytes | None = None
    """The original's key. Absent when it has none."""

    body: bytes | None = None
    """The original's body, byte for byte. Absent when it has none or it is in body_claim."""

    body_claim: ClaimCheck | None = None
    """Where the original's body is kept. Absent unless it is too large for an event."""

    headers: list[OriginalHeader]
    """The original's headers in their order."""

    happened_at: AwareDatetime
    """When the service gave up, UTC."""


class DeadlineMet(Event):
    """What was expected has been done."""

    topic: ClassVar[str] = "deadlines.met.v1"

    deadline_id: UUID
    """The deadline."""

    child_id: str
    """The child, as in the deadline that was set."""

    kind: DeadlineKind
    """What was expected."""

    due_by: AwareDatetime
    """Until when it was due, UTC."""

    met_at: AwareDatetime
    """When it was done, UTC."""

    late: bool
    """True when it was done after due_by."""


class DeadlineMissed(Event):
    """To the one to whom it escalates: something that was expected has not been done. It carries no content of what was
    sent.
    """

    topic: ClassVar[str] = "deadlines.missed.v1"

    disclosure: Disclosure
    """To whom it is escalated, and until when that one should look."""

    deadline_id: UUID
    """The deadline."""

    child_id: str
    """The child, as in the deadline that was set."""

    kind: DeadlineKind
    """What was expected."""

    due_by: AwareDatetime
    """Until when it was due, UTC."""

    owed_role: Role
    """The role of the one who owed it."""

    owed_by: str | None = None
    """Organisation id of the one who owed it. Absent when the child's location is confidential (H2)."""


class DeadlineSet(Event):
    """Something is expected of somebody by a time. It ends as met or as missed; what is missed is escalated."""

    topic: ClassVar[str] = "deadlines.set.v1"

    deadline_id: UUID
    """Id of the deadline."""

    child_id: str
    """The child; for a disclosure about several children, the first of them; for a child who is not matched yet, the
    unmatched_id of police.unmatched.
    """

    kind: DeadlineKind
    """What is expected."""

    disclosure_id: UUID | None = None
    """The disclosure that must be read. Absent when the deadline does not end with a receipt, such as a decision or a
    match by a person.
    """

    owed_role: Role
    """The role of the one who owes it."""

    owed_by: str | None = None
    """Organisation id of the one who owes it. Absent when the child's location is confidential (H2)."""

    due_by: AwareDatetime
    """Until when, UTC."""

    escalate_to: str
    """Organisation id of the one that is told when it is missed; never one whose inbox is bypassed (H3)."""

    needs_hidden_confirmation: bool
    """True when it ends only with a receipt that confirms that the document is hidden from online access (H11)."""

    location_confidential: bool
    """True when where the child lives or stays must not become known (H2): then no receipt, notice, invitee list or
    export may show who the recipients are, since a recipient can reveal a place.
    """

    declare_no_conflict: bool = False
    """True when it is not known whether an adult of concern is connected with the one that is told when it is missed:
    whoever reads that first declares that there is no conflict (H3).
    """


class Registration(Model):
    """An organisation that holds a part of the child's care. All registered schools are told (H9)."""

    organisation_id: str
    """The organisation, as in directory.organisations."""

    role: Role
    """The part it plays for this child: school, practice, health visiting or school nursing by commissioning and school
    entry, not by birthday (H13).
    """

    since: date | None = None
    """First day of the registration. Absent when it is not known."""

    until: date | None = None
    """Last day of the registration, inclusive. Absent while it lasts."""


class ChildRecorded(Event):
    """A child as the local authority knows it now: identifiers, school, practice, health team, worker. Compacted: the
    latest record of each child is its entry in the directory, and a lower version is ignored. An adoption closes the
    record; the new record is unrelated and nothing joins the two (H1).
    """

    topic: ClassVar[str] = "directory.children.v1"

    child_id: str
    """The child's opaque id on the bus, and the key of events about the child. Never derived from a name, a number or a
    date of birth.
    """

    version: int
    """Rises with each change of this child's record. A record with a lower version than the one known is ignored."""

    status: RecordStatus
    """CLOSED records are never matched and never offered as a candidate (H1)."""

    provisional: bool = False
    """True when the id was given before it was certain who the child is; a missing identifier never blocks action
    (H13).
    """

    identity: ChildIdentity
    """Who the child is."""

    also_known_as: list[str]
    """Other names by which the child is known, each written forenames first. Empty when none is known."""

    stated_age: int | None = None
    """Age in completed years as stated by the child or a carer. Absent when the date of birth is known or nobody stated
    an age.
    """

    police_reference: str | None = None
    """Reference of the police's nominal record. Absent when the police have none or it is not known."""

    social_care_id: str | None = None
    """Id in the local authority's social care system. Absent when the child is not known to social care."""

    registrations: list[Registration]
    """Where the child is registered, now, before and from a known later day. Empty when nothing is known."""

    home_educated: bool
    """True when the child is educated at home; the local authority is then told in place of a school."""

    location_confidential: bool
    """True when where the child lives or stays must not become known (H2): then no receipt, notice, invitee list or
    export may show who the recipients are, since a recipient can reveal a place.
    """

    circumstances: list[Circumstance]
    """What makes this child's case differ (H13). Empty when nothing does."""

    protection_plan: YesNoUnknown = YesNoUnknown.UNKNOWN
    """Whether the child is subject to a child protection plan. UNKNOWN when the authority's system does not say."""

    allocated_worker: str | None = None
    """Organisation id of the social care team that holds the case, not a person's name. Absent when no team is
    allocated.
    """

    placing_authority: str | None = None
    """Organisation id of the authority that looks after the child. Absent when the child is not looked after."""

    host_authority: str | None = None
    """Organisation id of the authority in whose area a looked-after child is placed. Absent when the child is not
    looked after or is placed in the placing authority's own area.
    """


class OpeningHours(Model):
    """When the organisation is open on one day of the week, in local time (Europe/London)."""

    weekday: int
    """Day of the week, 1 for Monday to 7 for Sunday."""

    opens: str
    """Opening time, HH:MM in 24 hours, such as 08:30. For a school, when the school day starts. Hours that cannot be
    read count as the configured ones, so that a misspelling never keeps an alert back.
    """

    closes: str
    """Closing time, HH:MM in 24 hours, such as 15:30, at the latest 24:00. For a school, when the children leave."""


class ClosedDays(Model):
    """A run of days on which the organisation is closed although its week says that it is open."""

    first: date
    """First day closed."""

    last: date
    """Last day closed, inclusive; the same as first for a single day."""

    why: str
    """Why, such as an inset day. For people to read."""


class Term(Model):
    """A run of days in which a school teaches."""

    first: date
    """First day of the term."""

    last: date
    """Last day of the term, inclusive."""


class OrganisationRecorded(Event):
    """An organisation that can be told something, as it stands now: school, nursery, practice, health team, front door,
    duty team. Compacted: the latest record of each organisation is its entry in the directory, and a lower version is
    ignored.
    """

    topic: ClassVar[str] = "directory.organisations.v1"

    organisation_id: str
    """The organisation's id on the bus: school:<URN>, practice:<ODS code>, health:<code>, la:<local authority code>,
    mash:<code>, duty:<code>, police:<code>. Readers must not take it apart.
    """

    version: int
    """Rises with each change of this organisation's record. A record with a lower version than the one known is
    ignored.
    """

    kind: Role
    """The role in which the organisation is told."""

    name: str
    """The organisation's name, for people to read."""

    urn: str | None = None
    """Unique reference number of Get Information About Schools, 6 digits; it changes on academisation. Absent when the
    organisation is not a school.
    """

    ods_code: str | None = None
    """Organisation Data Service code, 1 to 9 letters and digits. Absent when the organisation is not a health
    organisation.
    """

    local_authority_code: str | None = None
    """Three-digit code of the local authority in whose area it lies. Absent when it is not known or the organisation
    serves several.
    """

    status: RecordStatus
    """CLOSED organisations are not told anything; see successor."""

    weekly_hours: list[OpeningHours]
    """Opening hours by day of the week. Empty when they are not known; then the configured hours for its kind apply."""

    closed_days: list[ClosedDays]
    """Days closed besides weekends and bank holidays: inset days, closures. Empty when none is known."""

    terms: list[Term]
    """A school's terms; days outside them are holidays. Empty when the organisation is no school or its terms are not
    known; then the configured terms apply to schools.
    """

    low_age: int | None = None
    """Youngest age served, in completed years. Absent when it is not known or age does not matter."""

    high_age: int | None = None
    """Oldest age served, in completed years. Absent when it is not known or age does not matter."""

    holiday_cover: str | None = None
    """Organisation id of the named cover that is told in holidays (H9). Absent when none is named; then the local
    authority is told.
    """

    successor: str | None = None
    """Organisation id of the one that took over, as after academisation. Absent while the organisation is open and when
    it closed without a successor.
    """

    escalates_to: str | None = None
    """Organisation id of the one that is told when a deadline is missed here. Absent when none is named; then the local
    authority is told.
    """


class SchoolAlerted(Event):
    """Operation Encompass: to one school, nursery, health visiting team or local authority, that a domestic abuse
    incident happened, when, and that this child was there or lives there. Nothing else: no address, no narrative,
    nothing about an adult.
    """

    topic: ClassVar[str] = "encompass.alerts.v1"

    disclosure: Disclosure
    """To whom, why, and due before the recipient's next school day starts (H9)."""

    child_id: str
    """The child."""

    about: ChildIdentity
    """Who the child is, as little as the recipient needs to recognise it: names, date of birth, and UPN where it has
    one; never the NHS number.
    """

    incident_at: AwareDatetime
    """When it happened, UTC."""

    aware_at: AwareDatetime
    """When the police became aware, UTC."""

    presence: Presence
    """Whether the child was there, lives there, or both."""

    historic: bool
    """True when it happened long before the police became aware (H9)."""

    what_to_do: str
    """What the recipient is asked to do, the same words for every child."""


class HealthMatter(StrEnum):
    """What a health role must be told about."""

    UNKNOWN = "UNKNOWN"
    ENQUIRY_OUTCOME = "ENQUIRY_OUTCOME"
    STRATEGY_ACTIONS = "STRATEGY_ACTIONS"


class HealthToBeTold(Event):
    """A health role must be told something about a child. It tells nobody by itself: the health service finds who plays
    the role for the child when it sends, and tells them (H11).
    """

    topic: ClassVar[str] = "gp.cues.v1"

    cue_id: UUID
    """Id of the cue; the same decision, child and role give the same id."""

    child_id: str
    """The child."""

    role: Role
    """The health role to be told: practice, health visiting, school nursing or maternity."""

    what: HealthMatter
    """What it is about."""

    decision_id: str
    """The decision that it follows from."""

    outcome: Outcome
    """What was decided."""

    closes: bool
    """True when the enquiry ends with it; then reason is there."""

    reason: str | None = None
    """The reason written for health; never the internal rationale (H5). Absent when the enquiry goes on and none was
    written.
    """

    what_happens_next: str
    """What happens next."""

    decided_at: AwareDatetime
    """When it was decided, UTC."""

    location_confidential: bool
    """True when where the child lives or stays must not become known (H2): then no receipt, notice, invitee list or
    export may show who the recipients are, since a recipient can reveal a place.
    """

    adults_of_concern: list[AdultOfConcern]
    """Adults from whom the child may be at risk, with their links to organisations that might be told (H3). Empty when
    none is known.
    """


class HealthUpdated(Event):
    """To one practice or health team: a document about one child only, as it can be filed. It holds nothing about an
    adult or a third party, and it must be hidden from online access (H11).
    """

    topic: ClassVar[str] = "gp.updates.v1"

    disclosure: Disclosure
    """To whom, why and until when it should be filed and hidden."""

    child_id: str
    """The child."""

    about: ChildIdentity
    """Who the child is, with the NHS number where it is known, so that it is filed in the right record."""

    title: str
    """Title of the document. The same for every child with this kind of update; no personal data."""

    text: str
    """The document: outcome, reason and what happens next."""

    outcome: Outcome
    """What was decided."""

    decided_at: AwareDatetime
    """When it was decided, UTC."""

    hide_from_online_access: bool
    """Always true: a parent with access to the child's record must not see it. The deadline stays open until a named
    person confirms it (H11).
    """


class HandoverActed(Event):
    """What a worker did with a matter. The order of the log decides: of two who take one matter, the first has it."""

    topic: ClassVar[str] = "handover.receipts.v1"

    act_id: str
    """The act; a form that is sent twice has one."""

    matter_id: str
    """The matter: the child's own id when the child is known, else an opaque id."""

    child_id: str | None = None
    """The child. Absent while nobody knows for certain who it is, or when the matter is about no one child."""

    act: HandoverAct
    """TAKEN: this worker sees to it from now on; LET_GO: does so no longer, somebody else must; HANDED_TO_DAY and
    HANDED_TO_NIGHT: the other side has it; TAKEN_BACK: the side that handed it on has it again; CLOSED: nothing more is
    to be done about what it addresses; RISK_CHANGED: criteria that no longer hold. PASSED_ON: this worker may not see
    to it and has not opened it; the side named has it, or the on-call manager is paged (H3).
    """

    by: Worker
    """Who did it."""

    acted_at: AwareDatetime
    """When, UTC."""

    reason: str | None = None
    """Why; the rationale of a closure. Absent when none was given, which only taking and letting go may do."""

    addresses: list[str]
    """The facts that the worker had seen when acting: a later one opens the matter again, and is never hidden by this
    act.
    """

    no_longer: list[RiskCriterion]
    """The criteria that the worker judges not to hold any more for the facts addressed. Empty unless the act is
    RISK_CHANGED.
    """

    decision_id: str | None = None
    """The decision that was recorded with a closure. Absent when the act records none."""

    to: Team | None = None
    """The side to which a matter is passed on unopened. Absent of any other act, and when the on-call manager is asked
    instead.
    """


class EscalationState(StrEnum):
    """How far it is."""

    UNKNOWN = "UNKNOWN"
    DUE = "DUE"
    PAGED = "PAGED"
    NOT_REACHED = "NOT_REACHED"


class EscalatedBecause(StrEnum):
    """Why the manager is paged."""

    UNKNOWN = "UNKNOWN"
    DANGER = "DANGER"
    PASSED_ON = "PASSED_ON"


class HandoverEscalated(Event):
    """Immediate danger that nobody took in time (H7), or a matter that a worker may not open (H3): the on-call manager
    is to be paged, and whether that was done.
    """

    topic: ClassVar[str] = "handover.escalations.v1"

    escalation_id: str
    """The escalation; the same in each of its events."""

    matter_id: str
    """The matter: the child's own id when the child is known, else an opaque id."""

    child_id: str | None = None
    """The child. Absent while nobody knows for certain who it is, or when the matter is about no one child."""

    state: EscalationState
    """DUE: the manager must be paged; PAGED: the paging service took it; NOT_REACHED: it did not, and is tried again.
    """

    waiting_since: AwareDatetime
    """Since when the matter has waited to be taken, UTC."""

    happened_at: AwareDatetime
    """When this state was reached, UTC."""

    attempts: int
    """How often the paging service was asked."""

    why: EscalatedBecause = EscalatedBecause.DANGER
    """DANGER: immediate danger that nobody has taken (H7); PASSED_ON: a worker may not open a matter and has passed it
    on (H3).
    """


class NoteKind(StrEnum):
    """What the note is."""

    UNKNOWN = "UNKNOWN"
    NOTE = "NOTE"
    ASKED = "ASKED"
    HAZARD = "HAZARD"
    PROTECTION_PLAN = "PROTECTION_PLAN"


class HandoverNoted(Event):
    """Something that one side of the handover tells the other about a matter."""

    topic: ClassVar[str] = "handover.notes.v1"

    note_id: str
    """The note."""

    matter_id: str
    """The matter: the child's own id when the child is known, else an opaque id."""

    child_id: str | None = None
    """The child. Absent while nobody knows for certain who it is, or when the matter is about no one child."""

    by: Worker
    """Who wrote it."""

    to: Team
    """For which side it is meant above all; both see it at once."""

    written_at: AwareDatetime
    """When it was written, UTC."""

    kind: NoteKind
    """NOTE tells; ASKED asks the other side to do something; HAZARD warns whoever visits; PROTECTION_PLAN says that the
    child is subject to a child protection plan.
    """

    due_by: AwareDatetime | None = None
    """Until when what is asked must be done, UTC. Absent when nothing is asked or no time was set."""

    text: str
    """The note, as written."""


class SeenWhat(StrEnum):
    """What was seen or done."""

    UNKNOWN = "UNKNOWN"
    SIGNED_IN = "SIGNED_IN"
    SIGNED_OUT = "SIGNED_OUT"
    LOCKED = "LOCKED"
    BOARD = "BOARD"
    MATTER = "MATTER"
    SUMMARY = "SUMMARY"
    PRINTED = "PRINTED"
    MEASURES = "MEASURES"
    LOG = "LOG"
    NO_CONFLICT_DECLARED = "NO_CONFLICT_DECLARED"
    CONFLICT_DECLARED = "CONFLICT_DECLARED"
    KEY_USED = "KEY_USED"


class HandoverSeen(Event):
    """Who saw or did what at the handover board: ids only, for the disclosure log."""

    topic: ClassVar[str] = "handover.views.v1"

    seen_id: str
    """This entry."""

    person_id: str
    """The board's own id of the person."""

    team: Team
    """For which side the person was there."""

    what: SeenWhat
    """What it was."""

    matter_id: str | None = None
    """Which matter. Absent when it was none in particular."""

    happened_at: AwareDatetime
    """When, UTC."""


class MatterState(StrEnum):
    """Whether somebody sees to it."""

    UNKNOWN = "UNKNOWN"
    OPEN = "OPEN"
    TAKEN = "TAKEN"
    CLOSED = "CLOSED"


class RiskReason(Model):
    """One reason why the matter stands where it does in the order."""

    criterion: RiskCriterion
    """The criterion."""

    rank: int
    """How bad by this criterion: the higher, the worse; 0 when it does not hold. A deadline ranks by its moment: the
    nearer, the higher.
    """

    words: str
    """The reason in words."""

    lowered: bool
    """Whether a worker judged that it no longer holds."""


class FactKind(StrEnum):
    """What kind of thing."""

    UNKNOWN = "UNKNOWN"
    INCIDENT = "INCIDENT"
    UNMATCHED = "UNMATCHED"
    CONTACT = "CONTACT"
    ALERT_UNREAD = "ALERT_UNREAD"
    INFORMATION_REQUESTED = "INFORMATION_REQUESTED"
    STRATEGY_DISCUSSION = "STRATEGY_DISCUSSION"
    DECISION = "DECISION"
    DEADLINE_COMING = "DEADLINE_COMING"
    DEADLINE_MISSED = "DEADLINE_MISSED"
    NOTE = "NOTE"
    ASKED = "ASKED"
    HAZARD = "HAZARD"
    MATCHED = "MATCHED"
    HELD = "HELD"


class CardFact(Model):
    """One thing that happened, as the board heard it."""

    fact_id: str
    """Its event's id; with `:strategy`, the strategy discussion that the same event asks for."""

    kind: FactKind
    """What kind of thing it was."""

    enquiry_id: str | None = None
    """The enquiry that it belongs to, which a decision about it answers; a police incident's bears the incident's id.
    Absent when it belongs to none.
    """

    happened_at: AwareDatetime
    """When it happened, UTC."""

    heard_at: AwareDatetime
    """When the bus had it, UTC."""

    said_by: str
    """Who said it: the name of a force, of a role or of a worker."""

    words: str
    """What happened, in words."""

    voice: str | None = None
    """What the child said or showed. Absent when it was not recorded here."""

    due_by: AwareDatetime | None = None
    """Until when something must be done about it, UTC. Absent when no time was set."""

    addressed: bool
    """Whether somebody has acted on it since."""

    settled: bool
    """Whether it has ended by itself: read, answered, met, matched."""


class Told(Model):
    """One who was told of it."""

    disclosure_id: UUID
    """The disclosure."""

    type: str
    """Its event type."""

    role: Role
    """The role that was told."""

    organisation: str | None = None
    """Who was told. Absent when the child's location is confidential (H2)."""

    told_at: AwareDatetime
    """When, UTC."""

    due_by: AwareDatetime | None = None
    """Until when it must be read, UTC. Absent when no time was set."""

    read_at: AwareDatetime | None = None
    """When a named person read it, UTC. Absent while nobody has."""


class CardAct(Model):
    """One thing that a worker did, or tried to do."""

    act_id: str
    """The act's or the note's id."""

    act: HandoverAct
    """What was done."""

    by: Worker
    """Who did it."""

    acted_at: AwareDatetime
    """When, UTC."""

    reason: str | None = None
    """Why. Absent when no reason was given."""

    refused: str | None = None
    """Why it did not take effect, in one sentence. Absent when it did."""


class OpenCandidate(Model):
    """A child of the directory who may be the one. Never a closed record (H1)."""

    child_id: str
    """The child of the directory."""

    about: ChildIdentity
    """Who it is, as the directory has it."""

    matched_on: list[str]
    """Names of the fields that agree, such as upn."""

    differs_on: list[str]
    """Names of the fields that differ, such as date_of_birth."""


class OpenQuestion(Model):
    """A child of an incident of whom nobody knows for certain who it is, and who it may be (H12)."""

    incident_id: str
    """The force's id of the incident."""

    child_reference: str
    """The child's reference within the incident."""

    candidates: list[OpenCandidate]
    """Likely children, the most alike first. Empty when nobody is alike."""


class MatterChanged(Event):
    """One matter as the handover board shows it, complete; the highest version stands. For the board and for a team's
    own screen.
    """

    topic: ClassVar[str] = "handover.board.v1"

    matter_id: str
    """The matter: the child's own id when the child is known, else an opaque id."""

    child_id: str | None = None
    """The child. Absent while nobody knows for certain who it is, or when the matter is about no one child."""

    version: int
    """Counts the changes of this matter from 1. Two that are close together may come in either order: the higher
    stands.
    """

    changed_at: AwareDatetime
    """When what changed it was said, UTC."""

    caused_by: str
    """The id of the event that changed it."""

    state: MatterState
    """OPEN: nobody sees to it yet; TAKEN: a worker does; CLOSED: nothing is open."""

    team: Team
    """Which side has it."""

    handed_on_at: AwareDatetime | None = None
    """When it was handed to that side, UTC. Absent when it was not handed."""

    taken_by: Worker | None = None
    """Who sees to it. Absent unless the state is TAKEN."""

    taken_at: AwareDatetime | None = None
    """Since when, UTC. Absent unless the state is TAKEN."""

    waiting_since: AwareDatetime | None = None
    """Since when the oldest thing that nobody has acted on has waited, UTC. Absent when there is none."""

    about: ChildIdentity | None = None
    """The child, as it was named last. Absent when no event has named it."""

    stated_age: int | None = None
    """The age that was stated, in years. Absent when none was."""

    location_confidential: bool
    """Whether the child's place must stay unknown (H2)."""

    declare_no_conflict: bool
    """Whether a reader must declare first that there is no conflict (H3)."""

    circumstances: list[Circumstance]
    """What makes this child's case differ (H13)."""

    protection_plan: YesNoUnknown
    """Whether the child is subject to a child protection plan."""

    police_protection: PoliceProtection | None = None
    """Police protection that was told of last. Absent when none was."""

    hazards: list[str]
    """What a visitor must know before going. Empty when nothing is known."""

    protective_instructions: list[ProtectiveInstruction]
    """Who must not collect or approach the child (H8)."""

    adults_of_concern: list[AdultOfConcern]
    """Adults from whom the child may be at risk, as any event about the child named them: a decision made here names
    them again, or it would be shared with one of them (H3). Empty when none is known.
    """

    escalated_at: AwareDatetime | None = None
    """When the on-call manager was paged last, UTC. Absent when never."""

    escalation: str | None = None
    """How it stands with the on-call manager, in one sentence. Absent when it was never escalated."""

    interrupts: bool = False
    """Whether it interrupts whoever is at the board: immediate danger, known or plausible, that nobody has taken (H7).
    """

    risk: list[RiskReason]
    """Why it stands where it does, one for each criterion."""

    facts: list[CardFact]
    """What happened, the latest last; everything that is open, and the latest that is not."""

    told: list[Told]
    """Who knows already, and who of them has read it."""

    acts: list[CardAct]
    """What workers did, the latest last."""

    question: OpenQuestion | None = None
    """The question who the child is. Absent once it was answered, and of any other matter."""


class MeetingCued(Model):
    """A strategy discussion about the child, as it is arranged now."""

    meeting_id: str
    """Id of the meeting."""

    version: int
    """Of the meeting's record; the highest stands."""

    enquiry_id: str
    """The enquiry that it belongs to."""

    held_at: AwareDatetime | None = None
    """When it is to be held, UTC. Absent when it is no longer about this child."""

    chair: str
    """The post that chairs it, not a person's name."""

    location_confidential: bool
    """Whether where one of the children lives or stays must not become known (H2)."""

    adults_of_concern: list[AdultOfConcern]
    """Adults from whom the child may be at risk (H3). Empty when none is known."""


class Followed(Model):
    """What was written and done while nobody knew for certain who the child is."""

    matter_id: str
    """The matter that it stood on."""

    notes: list[HandoverNoted]
    """The notes, as written, the oldest first."""

    acts: list[HandoverActed]
    """What workers did, in the order of the log. It is told here, and not done again: who saw to it takes the child's
    own matter by an act of its own.
    """


class MatterCued(Event):
    """What a matter must take in that came under another key: who says it said it there first. For the board itself."""

    topic: ClassVar[str] = "handover.cues.v1"

    matter_id: str
    """The matter: the child's own id, or an unmatched child's."""

    child_id: str
    """The child; of an unmatched one, the matter again."""

    recorded: int | None = None
    """The version of the child's directory record that the card is to be written with; of an unmatched child, when the
    record of one whom it may be came, in microseconds since 1970, UTC. Absent when the directory has not changed.
    """

    meeting: MeetingCued | None = None
    """A strategy discussion. Absent when none is meant."""

    followed: Followed | None = None
    """What follows the child from an unmatched one. Absent when nothing does."""


class ShiftClosed(Event):
    """A shift has ended with every matter addressed."""

    topic: ClassVar[str] = "handover.shifts.v1"

    shift_id: str
    """The shift: its side and the day on which it began, such as NIGHT-2026-11-23."""

    team: Team
    """Whose shift it was."""

    began_at: AwareDatetime
    """When it began, UTC."""

    ended_at: AwareDatetime
    """When it ended by the clock, UTC."""

    closed_at: AwareDatetime
    """When it was closed, UTC."""

    by: Worker
    """Who closed it."""

    handed_on: list[str]
    """The matters that the other side has now."""

    closed: list[str]
    """The matters that were closed during the shift."""

    stays: list[str]
    """The matters that a worker of this side goes on seeing to, as whoever closed the shift said of each."""


class Referrer(Model):
    """Who raised the concern."""

    organisation_id: str | None = None
    """The referrer's organisation, as in directory.organisations. Absent when the referrer is a member of the public or
    its organisation is not in the directory.
    """

    role: Role
    """The referrer's role towards the child."""

    professional: bool
    """False for a member of the public or the family, who receives only what a person approved (H5)."""


class ContactReceived(Event):
    """Somebody raised a concern about a child. Any agency may, with the same few fields. Each contact keeps its own
    clock and its own grade, also when it joins an enquiry that is already open (H14).
    """

    topic: ClassVar[str] = "mash.contacts.v1"

    contact_id: str
    """Id of the contact."""

    enquiry_id: str
    """The enquiry that it opened or joined."""

    child_id: str
    """The child. Siblings are separate contacts."""

    received_at: AwareDatetime
    """When it was received, UTC; the referrer is told of the decision within 1 working day of it."""

    referrer: Referrer
    """Who raised it and hears how it ended."""

    grading: Grading
    """How urgent it is. Joining an enquiry never lowers it."""

    concern: str
    """What the referrer is worried about."""

    voice: str | None = None
    """What the child said or showed, in the child's own words where possible. Absent when the referrer has not spoken
    with the child or recorded nothing.
    """

    threshold: Threshold
    """The level of need as it stands."""

    family_told: FamilyTold
    """Whether the family knows (H6)."""

    family_not_told_reason: str | None = None
    """Why telling the family would be unsafe. Absent unless family_told is NOT_TOLD_UNSAFE."""

    location_confidential: bool
    """True when where the child lives or stays must not become known (H2): then no receipt, notice, invitee list or
    export may show who the recipients are, since a recipient can reveal a place.
    """

    adults_of_concern: list[AdultOfConcern]
    """Adults from whom the child may be at risk, with their links to organisations that might be told (H3). Empty when
    none is known.
    """


class RecipientClass(StrEnum):
    """A class of recipients for whom one reason is written (H5). REFERRER_NOT_PROFESSIONAL: a member of the public or
    the family.
    """

    UNKNOWN = "UNKNOWN"
    EDUCATION = "EDUCATION"
    HEALTH = "HEALTH"
    POLICE = "POLICE"
    REFERRER_PROFESSIONAL = "REFERRER_PROFESSIONAL"
    REFERRER_NOT_PROFESSIONAL = "REFERRER_NOT_PROFESSIONAL"
    SOCIAL_CARE = "SOCIAL_CARE"
    OTHER = "OTHER"


class ShareableReason(Model):
    """The reason as one class of recipient may read it."""

    recipient_class: RecipientClass
    """For whom it is written."""

    reason: str
    """The reason, as the class may read it."""

    approved_by: str | None = None
    """The post that approved it for release, not a person's name. Absent when the class needs no approval; a referrer
    who is not a professional receives nothing without it (H5).
    """


class DecisionMade(Event):
    """A decision on one child's enquiry, triage decisions included. Both rationales are here: the internal one never
    leaves, the shareable ones are written for each class of recipient (H5). Every sibling gets a decision of its own
    (H14).
    """

    topic: ClassVar[str] = "mash.decisions.v1"

    decision_id: str
    """Id of the decision."""

    enquiry_id: str
    """The enquiry."""

    child_id: str
    """The child."""

    decided_at: AwareDatetime
    """When it was decided, UTC."""

    decided_by: str
    """The post that decided, such as MASH manager. Not a person's name."""

    triage: bool
    """True when it was decided in the daily triage; it is recorded and shared like any other."""

    outcome: Outcome
    """What was decided."""

    closes: bool
    """True when it ends the enquiry. Then a rationale, and a shareable reason for each class of recipient that must
    know, are required; without them the decision is refused.
    """

    rationale: str | None = None
    """The internal rationale. It stays within the MASH and is in no event that tells a partner (H5). Absent only when
    the enquiry goes on.
    """

    shareable_reasons: list[ShareableReason]
    """One reason for each class of recipient that must know. Empty only when the enquiry goes on."""

    what_happens_next: str
    """What happens next, as every recipient may read it."""

    threshold: Threshold
    """The level of need as decided."""

    family_told: FamilyTold
    """Whether the family knows."""

    location_confidential: bool
    """True when where the child lives or stays must not become known (H2): then no receipt, notice, invitee list or
    export may show who the recipients are, since a recipient can reveal a place.
    """

    adults_of_concern: list[AdultOfConcern]
    """Adults from whom the child may be at risk, with their links to organisations that might be told (H3). Empty when
    none is known.
    """


class InformationRequested(Event):
    """To one agency: what it is asked for about a child, category by category, and on what ground (H6)."""

    topic: ClassVar[str] = "mash.information-requests.v1"

    disclosure: Disclosure
    """To whom, why, and until when the answer is due by priority: red 4 hours, amber 24, green 72 unless configured
    otherwise.
    """

    request_id: str
    """Id of the request; the response repeats it."""

    enquiry_id: str
    """The enquiry."""

    child_id: str
    """The child."""

    about: ChildIdentity
    """Who the child is, as much as this agency needs to find it."""

    categories: list[Category]
    """What is asked for. The response answers each of them."""

    priority: Grading
    """How urgent the answer is."""

    threshold: Threshold
    """The level of need that is the ground for asking (H6)."""

    family_told: FamilyTold
    """Whether the family knows that others are asked (H6)."""

    family_not_told_reason: str | None = None
    """Why telling the family would be unsafe. Absent unless family_told is NOT_TOLD_UNSAFE."""

    authorised_by: str | None = None
    """The post that authorised asking, not a person's name. Absent only at section 47, where no authorisation is
    needed; below it the request is refused without one (H6).
    """


class AnswerState(StrEnum):
    """INFORMATION: something is known and given. NOTHING_KNOWN: looked, and nothing is held. WITHHELD: something is
    known and not given, with a reason. UNKNOWN counts as not answered.
    """

    UNKNOWN = "UNKNOWN"
    INFORMATION = "INFORMATION"
    NOTHING_KNOWN = "NOTHING_KNOWN"
    WITHHELD = "WITHHELD"


class Answer(Model):
    """The answer in one category."""

    category: Category
    """The category asked for."""

    state: AnswerState
    """Whether there is information, none, or it is withheld."""

    information: str | None = None
    """What is known. Absent unless state is INFORMATION."""

    withheld_reason: str | None = None
    """Why it is withheld. Absent unless state is WITHHELD."""


class InformationReturned(Event):
    """One agency's answer to a request, category by category. A category without an answer is visible as incomplete."""

    topic: ClassVar[str] = "mash.information-responses.v1"

    response_id: str
    """Id of the response."""

    request_id: str
    """The request that it answers."""

    enquiry_id: str
    """The enquiry."""

    child_id: str
    """The child."""

    answers: list[Answer]
    """At most one answer for each category that was asked for."""


class OutcomeShared(Event):
    """To one recipient that is not a health role: what was decided about a child, why as its class may read it, and
    what happens next. Health roles hear it through gp.updates.
    """

    topic: ClassVar[str] = "mash.outcomes.v1"

    disclosure: Disclosure
    """To whom, why and until when."""

    decision_id: str
    """The decision."""

    enquiry_id: str
    """The enquiry."""

    child_id: str
    """The child."""

    about: ChildIdentity
    """Who the child is, as much as this recipient needs."""

    outcome: Outcome
    """What was decided."""

    closes: bool
    """True when the enquiry ends with it; then reason is there."""

    reason: str | None = None
    """The reason written for the recipient's class; never the internal rationale (H5). Absent when the enquiry goes on
    and none was written for the class.
    """

    what_happens_next: str
    """What happens next."""

    decided_at: AwareDatetime
    """When it was decided, UTC."""


class OperatorActed(Event):
    """What someone who looks after the bus did. It holds ids, the operator's login name and the reason given, and
    nothing of any event's content.
    """

    topic: ClassVar[str] = "operators.acts.v1"

    act_id: str
    """The act."""

    act: OperatorAct
    """What was done. What it is about happens once it stands in the log, but for RETRIED, which tells of what happened.
    """

    about: str
    """What it was done to, as kind and opaque id: `dead-letter:ID`, `event:ID`, `child:ID`, `topic:NAME`,
    `service:NAME`.
    """

    by: str
    """The login name, on their machine, of who did it."""

    reason: str | None = None
    """Why, in the operator's words, who is told to name nobody in it. Absent when the act needs none."""

    service: str | None = None
    """The service whose dead letter or state it is. Absent when it is no one service's."""

    event_id: str | None = None
    """The ce_id of the original that was sent again. Absent unless the act is RETRYING or RETRIED."""

    event_source: str | None = None
    """The ce_source of the original that was sent again. Absent unless the act is RETRYING or RETRIED."""

    sent_partition: int | None = None
    """The partition of its own topic that the original was sent to. Absent unless the act is RETRIED."""

    sent_before: int | None = None
    """An offset of that partition before which it stands now: a service that has read so far has decided it. Absent
    unless the act is RETRIED.
    """

    became: str | None = None
    """What came of it, as a code: done, dead, repeated. Absent while nobody knows, and for an act that has no outcome
    of its own.
    """

    covers: int | None = None
    """How many records were seen, taken away or sent. Absent when it is the one that the act is about."""

    acted_at: AwareDatetime
    """When, UTC."""


class ChildMatched(Event):
    """A person's answer: which child of the directory an unmatched child of an incident is."""

    topic: ClassVar[str] = "police.matches.v1"

    incident_id: str
    """The force's id of the incident."""

    child_reference: str
    """The child's reference within the incident."""

    child_id: str
    """The child of the directory, open and perhaps provisional."""

    decided_by: str
    """The post that decided, such as MASH business support. Not a person's name."""

    reason: str
    """Why this is the child."""


class MatchCandidate(Model):
    """A child of the directory who may be the one. Never a closed record (H1)."""

    child_id: str
    """The child of the directory."""

    score: int
    """How alike the two are, 0 to 100. Orders the candidates and decides nothing."""

    matched_on: list[str]
    """Names of the fields that agree, such as upn. Names only, no values."""

    differs_on: list[str]
    """Names of the fields that differ, such as date_of_birth. Names only, no values."""


class UnmatchedReason(StrEnum):
    """Why there is no certain match. NAME_OR_BIRTH_DIFFERS: an identifier agrees, but forename or date of birth does
    not. RECORD_CLOSED: the only agreeing record is closed.
    """

    UNKNOWN = "UNKNOWN"
    NO_CANDIDATE = "NO_CANDIDATE"
    NAME_OR_BIRTH_DIFFERS = "NAME_OR_BIRTH_DIFFERS"
    SEVERAL_CANDIDATES = "SEVERAL_CANDIDATES"
    NO_IDENTIFIER = "NO_IDENTIFIER"
    RECORD_CLOSED = "RECORD_CLOSED"


class ChildUnmatched(Event):
    """A child of an incident who could not be matched for certain. A person decides, at once and visibly, before school
    (H12). Read by the people who match and by nobody else.
    """

    topic: ClassVar[str] = "police.unmatched.v1"

    unmatched_id: str
    """Id of this open question; the same incident and child give the same id."""

    incident_id: str
    """The force's id of the incident."""

    child_reference: str
    """The child's reference within the incident."""

    force: str
    """Organisation id of the force, police:<code>."""

    aware_at: AwareDatetime
    """When the police became aware, UTC; the time for matching runs from here."""

    grading: Grading
    """How urgent the police grade it."""

    immediate_danger: YesNoUnknown = YesNoUnknown.UNKNOWN
    """YES when a child is in immediate danger: the person who matches is interrupted (H7)."""

    identity: ChildIdentity
    """Who the child is, as the force recorded it."""

    stated_age: int | None = None
    """Age in completed years as stated at the scene. Absent when the date of birth is known or nobody stated an age."""

    candidates: list[MatchCandidate]
    """Likely children, the most alike first. Empty when nobody is alike."""

    why: UnmatchedReason
    """Why a person has to decide."""


class IncidentChild(Model):
    """A child of the incident as the force recorded it."""

    reference: str
    """Tells the children of one incident apart; unique within the incident, opaque, and no name."""

    identity: ChildIdentity
    """Who the child is, as the force recorded it."""

    stated_age: int | None = None
    """Age in completed years as stated at the scene. Absent when the date of birth is known or nobody stated an age."""

    police_reference: str | None = None
    """Reference of the police's nominal record of the child. Absent when there is none."""

    presence: Presence
    """Whether the child was there, lives there, or both."""

    voice: str | None = None
    """What the child said or showed, in the child's own words where possible. Absent when it was not recorded; then
    voice_not_recorded_reason says why.
    """

    voice_not_recorded_reason: str | None = None
    """Why the child's voice was not recorded, such as asleep or not seen. Absent when voice is there."""

    location_confidential: bool
    """True when where the child lives or stays must not become known (H2): then no receipt, notice, invitee list or
    export may show who the recipients are, since a recipient can reveal a place.
    """

    circumstances: list[Circumstance]
    """What makes this child's case differ (H13). Empty when nothing is known of."""


class IncidentReported(Event):
    """An incident as the force's own system reports it, with every child who was there or lives there. Read by the
    matching service only; nobody is told anything by it.
    """

    topic: ClassVar[str] = "police.incidents.v1"

    incident_id: str
    """The force's id of the incident, opaque to others."""

    force: str
    """Organisation id of the force, police:<code>."""

    occurred_at: AwareDatetime
    """When it happened, UTC; if it went on for a time, when it began."""

    aware_at: AwareDatetime
    """When the police became aware, UTC. Operation Encompass's clock starts here (H9)."""

    historic: bool
    """True when it happened long before the police became aware of it; every recipient is told so (H9)."""

    kinds: list[IncidentKind]
    """What the incident is about. Empty is read as UNKNOWN."""

    grading: Grading
    """How urgent the police grade it."""

    immediate_danger: YesNoUnknown
    """YES when a child is in immediate danger: people are interrupted (H7)."""

    narrative: str
    """What happened, for the front door. Never reaches a school, a practice or a family."""

    address: str | None = None
    """Where it happened. Never leaves the matching service; the front door asks the force. Absent when it is not known
    or the force withholds it.
    """

    location_confidential: bool
    """True when where the children live or stay must not become known (H2); holds for every child of the incident."""

    adults_of_concern: list[AdultOfConcern]
    """Adults from whom the child may be at risk, with their links to organisations that might be told (H3). Empty when
    none is known.
    """

    strategy_discussion: StrategyWish
    """Whether the police ask for a strategy discussion, and why or why not."""

    protective_instructions: list[ProtectiveInstruction]
    """Who must not collect or approach the children (H8). Empty when there is none."""

    police_protection: PoliceProtection | None = None
    """The children's police protection, if they were taken into it. Absent when they were not."""

    visit_hazards: list[str] = []
    """What whoever visits must know before going, such as a dog or a weapon. Empty when nothing is known."""

    children: list[IncidentChild]
    """Every child who was there or lives there. Each is matched, notified and decided on by itself (H14)."""


class MatchBasis(StrEnum):
    """What made the match certain: an identifier together with a compatible forename and date of birth (H12), or a
    person's decision.
    """

    UNKNOWN = "UNKNOWN"
    NHS_NUMBER = "NHS_NUMBER"
    UPN = "UPN"
    POLICE_REFERENCE = "POLICE_REFERENCE"
    SOCIAL_CARE_ID = "SOCIAL_CARE_ID"
    PERSON = "PERSON"


class PoliceNotified(Event):
    """To the front door (MASH; out of hours the duty team): one child of an incident, matched for certain. It has no
    address: the front door asks the force, so that a refuge's address never travels.
    """

    topic: ClassVar[str] = "police.notifications.v1"

    disclosure: Disclosure
    """To whom, why and until when."""

    child_id: str
    """The matched child."""

    incident_id: str
    """The force's id of the incident."""

    child_reference: str
    """The child's reference within the incident."""

    about: ChildIdentity
    """Who the child is, as the directory knows it."""

    force: str
    """Organisation id of the force, police:<code>."""

    occurred_at: AwareDatetime
    """When it happened, UTC; if it went on for a time, when it began."""

    aware_at: AwareDatetime
    """When the police became aware, UTC."""

    historic: bool
    """True when it happened long before the police became aware."""

    kinds: list[IncidentKind]
    """What the incident is about. Empty is read as UNKNOWN."""

    grading: Grading
    """How urgent the police grade it."""

    immediate_danger: YesNoUnknown
    """YES when a child is in immediate danger: people are interrupted (H7)."""

    narrative: str
    """What happened, as the force wrote it."""

    presence: Presence
    """Whether the child was there, lives there, or both."""

    voice: str | None = None
    """What the child said or showed, in the child's own words where possible. Absent when the police did not record it;
    then voice_not_recorded_reason says why.
    """

    voice_not_recorded_reason: str | None = None
    """Why the police did not record the child's voice. Absent when voice is there."""

    strategy_discussion: StrategyWish
    """Whether the police ask for a strategy discussion, and why or why not."""

    adults_of_concern: list[AdultOfConcern]
    """Adults from whom the child may be at risk, with their links to organisations that might be told (H3). Empty when
    none is known.
    """

    protective_instructions: list[ProtectiveInstruction]
    """Who must not collect or approach the child (H8). Empty when there is none."""

    police_protection: PoliceProtection | None = None
    """The child's police protection, if it was taken into it. Absent when it was not."""

    visit_hazards: list[str] = []
    """What whoever visits must know before going, such as a dog or a weapon. Empty when nothing is known."""

    protection_plan: YesNoUnknown = YesNoUnknown.UNKNOWN
    """Whether the directory records that the child is subject to a child protection plan."""

    location_confidential: bool
    """True when where the child lives or stays must not become known (H2): then no receipt, notice, invitee list or
    export may show who the recipients are, since a recipient can reveal a place.
    """

    circumstances: list[Circumstance]
    """What makes this child's case differ, by the incident or the directory (H13). Empty when nothing does."""

    matched_by: MatchBasis
    """How it is known that this is the child."""


class ProbeHeard(Event):
    """A service's answer to a probe, which went through its whole loop: it was decided, stored, sent and acknowledged."""

    topic: ClassVar[str] = "probes.heard.v1"

    probe_id: str
    """The probe."""

    service: str
    """Who answers, as the catalogue names it."""

    sent_at: AwareDatetime
    """When the probe was sent, UTC."""


class ProbeSent(Event):
    """A probe, about nobody: every service answers it, so that an operator sees that events come through, and how fast.
    Nothing else follows from it.
    """

    topic: ClassVar[str] = "probes.sent.v1"

    probe_id: str
    """The probe."""

    sent_at: AwareDatetime
    """When it was sent, UTC."""


class ReceiptState(StrEnum):
    """READ: opened and read. ACTED: done what was asked, such as filed in the record."""

    UNKNOWN = "UNKNOWN"
    READ = "READ"
    ACTED = "ACTED"


class DisclosureRead(Event):
    """A named practitioner has read a disclosure, or has acted on it."""

    topic: ClassVar[str] = "receipts.v1"

    receipt_id: str
    """Id of the receipt."""

    disclosure_id: UUID
    """The disclosure."""

    child_id: str
    """The child; for a disclosure about several children, the first of them."""

    role: Role
    """The role in which it was read."""

    state: ReceiptState
    """What has been done."""

    happened_at: AwareDatetime
    """When it was done, UTC."""

    practitioner: str | None = None
    """The practitioner who did it, as the recipient's sign-in names them. Absent when the child's location is
    confidential, since it would reveal the recipient (H2).
    """

    hidden_from_online_access: bool | None = None
    """True when a named person confirms that the document is hidden from online access (H11). Absent when the
    disclosure is not a health record.
    """


class SandboxAlerted(Event):
    """A rehearsal of an alert, asked for by its own recipient or by whoever looks after the bus, to try a connection
    from end to end. It is about nobody: child, incident and words are made up, and no deadline is held. No service
    decides anything by it.
    """

    topic: ClassVar[str] = "sandbox.alerts.v1"

    disclosure: Disclosure
    """To whom, with a purpose and a lawful basis as a real alert would have them."""

    child_id: str
    """An id that no child has; it begins with `sandbox-`."""

    about: ChildIdentity
    """A made-up child. Its NHS number is of the range 999, which is for tests and nobody has."""

    incident_at: AwareDatetime
    """When it did not happen, UTC."""

    what_to_do: str
    """Says that this is a test, and that nothing is to be done for a child."""


class Invitee(Model):
    """An organisation that was invited, and what the chair lets it have."""

    organisation_id: str
    """The organisation, as in directory.organisations."""

    role: Role
    """The role in which it was invited."""

    post: str
    """The post that was invited, such as designated safeguarding lead. Not a person's name."""

    attended: YesNoUnknown
    """Whether it came. Absentees are told first; UNKNOWN counts as absent."""

    release: Release
    """How much of the minutes it may have; entitlement is checked again when it is fetched (H4)."""


class MeetingRecorded(Event):
    """A strategy meeting: whom it is about, who was invited, who came, and how much of the minutes each may have."""

    topic: ClassVar[str] = "strategy.meetings.v1"

    meeting_id: str
    """Id of the meeting."""

    version: int
    """Rises with each change of the record. A record with a lower version than the one known is ignored."""

    enquiry_id: str
    """The enquiry that it belongs to."""

    child_ids: list[str]
    """The children whom it is about."""

    held_at: AwareDatetime
    """When it was held or is to be held, UTC."""

    chair: str
    """The post that chairs it, not a person's name."""

    location_confidential: bool
    """True when where one of the children lives or stays must not become known (H2): no invitee may then see who the
    others are.
    """

    invitees: list[Invitee]
    """Everyone who was invited, whether they came or not."""

    adults_of_concern: list[AdultOfConcern]
    """Adults from whom the child may be at risk, with their links to organisations that might be told (H3). Empty when
    none is known.
    """

    lado: bool
    """True when it is about an allegation against a professional; such minutes are kept apart (H4)."""


class Embargo(Model):
    """A hold on the minutes by the police (H4)."""

    owner: str
    """Organisation id of the force that placed it."""

    review_date: date
    """When it is reviewed, at the latest."""


class MinutesApproved(Event):
    """The approved minutes of a strategy meeting, with the actions and who owns them. They may arrive before their
    meeting and then wait for it.
    """

    topic: ClassVar[str] = "strategy.minutes.v1"

    minutes_id: str
    """Id of this version of the minutes."""

    meeting_id: str
    """The meeting."""

    approved_at: AwareDatetime
    """When they were approved, UTC."""

    approved_by: str
    """The post that approved them, not a person's name."""

    full_text: str
    """The full text, for invitees with FULL release. Empty when the text is in document."""

    extract: str | None = None
    """The extract that the chair wrote for invitees with EXTRACT release. Absent when none was written; they then
    receive their actions only.
    """

    actions: list[Action]
    """What was decided to be done, each with its owner. Empty when nothing was."""

    embargo: Embargo | None = None
    """While it stands, no text of the minutes is sent (H4). Absent when there is none."""

    document: ClaimCheck | None = None
    """The minutes as a document. Absent when there is only text."""


class MinutesDistributed(Event):
    """To one invitee: as much of the minutes as the chair gave it, and the actions that it owns itself. It never lists
    the other invitees or their actions (H2, H4).
    """

    topic: ClassVar[str] = "strategy.distributions.v1"

    disclosure: Disclosure
    """To whom, why and until when."""

    meeting_id: str
    """The meeting."""

    minutes_id: str
    """The version of the minutes."""

    child_ids: list[str]
    """The children whom the meeting was about."""

    held_at: AwareDatetime
    """When the meeting was held, UTC."""

    release: Release
    """How much of the minutes this invitee receives."""

    text: str | None = None
    """The full text or the extract. Absent when the release is actions only or when the text is a document."""

    document: ClaimCheck | None = None
    """The minutes as a document. Absent unless the release is FULL and there is a document."""

    own_actions: list[Action]
    """The actions that this invitee owns. Empty when it owns none."""

    was_absent: bool
    """True when the invitee was not at the meeting, or it is not known that it was."""


BY_TOPIC: dict[str, type[Event]] = {
    "dead-letters.v1": DeadLetter,
    "deadlines.met.v1": DeadlineMet,
    "deadlines.missed.v1": DeadlineMissed,
    "deadlines.set.v1": DeadlineSet,
    "directory.children.v1": ChildRecorded,
    "directory.organisations.v1": OrganisationRecorded,
    "encompass.alerts.v1": SchoolAlerted,
    "gp.cues.v1": HealthToBeTold,
    "gp.updates.v1": HealthUpdated,
    "handover.receipts.v1": HandoverActed,
    "handover.escalations.v1": HandoverEscalated,
    "handover.notes.v1": HandoverNoted,
    "handover.views.v1": HandoverSeen,
    "handover.board.v1": MatterChanged,
    "handover.cues.v1": MatterCued,
    "handover.shifts.v1": ShiftClosed,
    "mash.contacts.v1": ContactReceived,
    "mash.decisions.v1": DecisionMade,
    "mash.information-requests.v1": InformationRequested,
    "mash.information-responses.v1": InformationReturned,
    "mash.outcomes.v1": OutcomeShared,
    "operators.acts.v1": OperatorActed,
    "police.matches.v1": ChildMatched,
    "police.unmatched.v1": ChildUnmatched,
    "police.incidents.v1": IncidentReported,
    "police.notifications.v1": PoliceNotified,
    "probes.heard.v1": ProbeHeard,
    "probes.sent.v1": ProbeSent,
    "receipts.v1": DisclosureRead,
    "sandbox.alerts.v1": SandboxAlerted,
    "strategy.meetings.v1": MeetingRecorded,
    "strategy.minutes.v1": MinutesApproved,
    "strategy.distributions.v1": MinutesDistributed,
}
"""The one event type of each topic."""
